"""What a surface is: a formula of two numbers with its minima, a start, a box to draw, and where a method has arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.core.checks import number
from slalom.engines.formula import Tape, derivative, text, traced
from slalom.engines.printers.nodes import Expr

Floats = NDArray[np.float64]
Point = tuple[float, float]
Formula = Callable[..., Any]


@dataclass(frozen=True)
class Goal:
    """When a method counts as arrived: the first step at which `test(x, y)` is > 0 (in the unturned coordinates), in words."""

    test: Formula
    words: str


@dataclass(frozen=True)
class Surface:
    """A test function of the plane.

    `formula(x, y)`: arithmetic and the words of `slalom.core.ops`, so that floats, arrays, tensors and printers read it. With
    `data [n, k]` it is one sample's loss `formula(x, y, a, b, ...)` and the surface is the mean over the rows; `batch` rows
    are drawn a step. `minima`, `saddles`: known points. `start`, `steps`, `lrs`: what shows the described behaviour (`lrs`
    by rule, picked by hand for that, not tuned). `box`: (x0, x1, y0, y1). `goal`: what counts as arrived. `angle`: by how
    many degrees it is turned, against the clock, around the box's middle; `minima`, `saddles` and `start` are turned already.
    """

    name: str
    title: str
    formula: Formula
    box: tuple[float, float, float, float]
    start: Point
    goal: Goal
    steps: int = 200
    lrs: Mapping[str, float] = field(default_factory=dict)
    minima: tuple[Point, ...] = ()
    saddles: tuple[Point, ...] = ()
    about: str = ""
    source: str = ""
    log: bool = False  # its heights span decades: draw log(1 + f - least)
    data: Floats | None = None
    batch: int | None = None
    angle: float = 0.0

    @property
    def centre(self) -> Point:
        """The middle of the box, which rotation keeps."""
        x0, x1, y0, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that a row of `data` has in the formula, after x and y."""
        return () if self.data is None else tuple("abcdefgh"[: self.data.shape[1]])

    @property
    def noisy(self) -> bool:
        """Whether a step sees a batch of the data only."""
        return self.batch is not None

    def rotated(self, degrees: float) -> Surface:
        """The same surface turned by so many degrees against the clock around the middle of its box, start and minima with it.

        >>> from slalom.landscape.surfaces import surface
        >>> turned = surface("booth").rotated(90)
        >>> round(float(turned(*turned.minima[0])), 12)
        0.0
        """
        number(degrees, f"{self.name}: rotation", "(-inf, inf)", kind="a number of degrees")
        turn = [self._turn(p, degrees) for p in (self.start, *self.minima, *self.saddles)]
        n = 1 + len(self.minima)
        angle = (self.angle + degrees) % 360
        return replace(self, start=turn[0], minima=tuple(turn[1:n]), saddles=tuple(turn[n:]), angle=angle)

    def straight(self, x: Any, y: Any) -> tuple[Any, Any]:
        """A point of the picture in the coordinates of the formula."""
        return self._turn((x, y), -self.angle)

    def _turn(self, point: tuple[Any, Any], degrees: float) -> tuple[Any, Any]:
        if degrees % 360 == 0:
            return point
        c, s = _cosine(degrees), _cosine(degrees - 90)
        (x, y), (mx, my) = point, self.centre
        return mx + c * (x - mx) - s * (y - my), my + s * (x - mx) + c * (y - my)

    def of(self, x: Any, y: Any, *row: Any) -> Any:
        """The formula at a point of the picture (of one row of the data, where there is one)."""
        return self.formula(*self.straight(x, y), *row)

    def __call__(self, x: Any, y: Any) -> Any:
        """The height at points, of any shape: floats, arrays or tensors; with data, the mean over all rows."""
        if self.data is None:
            return self.of(x, y)
        if hasattr(x, "detach"):
            import torch

            rows = torch.as_tensor(self.data, dtype=x.dtype, device=x.device)
            return self.of(x[..., None], y[..., None], *rows.unbind(1)).mean(-1)
        return self.of(np.asarray(x)[..., None], np.asarray(y)[..., None], *self.data.T).mean(-1)

    @cached_property
    def tree(self) -> Expr:
        """The formula as a tree of `slalom.engines.printers.nodes`, the rotation in it; of one row where there is data."""
        return traced(self.of, ["x", "y", *self.columns])

    @cached_property
    def gradient_trees(self) -> tuple[Expr, Expr]:
        """Its derivatives by x and by y."""
        return derivative(self.tree, "x"), derivative(self.tree, "y")

    @cached_property
    def tape(self) -> Tape:
        """Height and both slopes as one list of calls; what printers print."""
        return Tape([self.tree, *self.gradient_trees])

    @property
    def text(self) -> str:
        """The formula as text, unturned."""
        inner = text(traced(self.formula, ["x", "y", *self.columns]))
        return inner if self.data is None else f"mean over {len(self.data)} rows ({', '.join(self.columns)}) of {inner}"

    def batches(self, steps: int, seed: int = 0) -> NDArray[np.int64] | None:
        """The rows that each step sees, `[steps, batch]`, drawn with replacement; None where there is no batch."""
        if self.batch is None or self.data is None:
            return None
        return np.random.default_rng(seed).integers(len(self.data), size=(steps, self.batch))

    def slopes(self, points: Floats, rows: NDArray[np.int64] | None = None) -> tuple[Floats, Floats]:
        """Heights `[n]` and gradients `[n, 2]` at points `[n, 2]`; over these rows of the data only, where given."""
        x, y = points[:, 0], points[:, 1]
        if self.data is None:
            found = self.tape({"x": x, "y": y})
        else:
            used = self.data if rows is None else self.data[rows]
            values = {"x": x[:, None], "y": y[:, None], **dict(zip(self.columns, used.T, strict=True))}
            shape = (len(points), len(used))
            found = [np.broadcast_to(v, shape).mean(1) for v in self.tape(values)]
        height, gx, gy = (np.broadcast_to(np.asarray(v, dtype=np.float64), (len(points),)) for v in found)
        return np.array(height), np.stack([gx, gy], axis=1)

    def arrived(self, x: Any, y: Any) -> Any:
        """Whether points of the picture meet the goal."""
        with np.errstate(all="ignore"):
            return np.asarray(self.goal.test(*self.straight(np.asarray(x), np.asarray(y)))) > 0

    def grid(self, n: int = 121, box: tuple[float, float, float, float] | None = None) -> tuple[Floats, Floats, Floats]:
        """Abscissae `[n]`, ordinates `[n]` and heights `[n, n]` (row by ordinate) over the box."""
        x0, x1, y0, y1 = box or self.box
        x, y = np.linspace(x0, x1, n), np.linspace(y0, y1, n)
        with np.errstate(all="ignore"):
            z = np.stack([np.broadcast_to(np.asarray(self(x, np.full(n, v)), dtype=np.float64), n) for v in y])
        return x, y, z


def _cosine(degrees: float) -> float:
    """Exact at multiples of 90, where the cosine of the radians is not."""
    degrees %= 360
    exact = {0.0: 1.0, 90.0: 0.0, 180.0: -1.0, 270.0: 0.0}
    return exact[degrees] if degrees in exact else math.cos(math.radians(degrees))
