"""Your own f(x, y) as a surface."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.errors import BadValueError
from slalom.engines.printers.tree import LanguageError
from slalom.landscape.surfaces.record import Floats, Goal, Point, Surface

ARRIVED = 1e-3  # of the way down from the start to the lowest point known


@dataclass(frozen=True)
class OwnSurface(Surface):
    """A surface whose formula may do more than printers read; torch differentiates it where it does."""

    def slopes(self, points: Floats, rows: NDArray[np.int64] | None = None) -> tuple[Floats, Floats]:
        """As `Surface.slopes`; by torch where the function is no formula."""
        if self.printable:
            return super().slopes(points, rows)
        at = torch.tensor(points, dtype=torch.float64, requires_grad=True)
        height = _one_each(self, self.of(at[:, 0], at[:, 1]), len(points))
        (slope,) = torch.autograd.grad(height.sum(), at, allow_unused=True)
        if slope is None:
            raise BadValueError(f"{self.name}: f(x, y) depends on neither x nor y")
        return height.detach().numpy().copy(), slope.numpy()

    def __call__(self, x: Any, y: Any) -> Any:
        """As `Surface.__call__`; a function that wants tensors is given them."""
        if self.printable or hasattr(x, "detach"):
            return super().__call__(x, y)
        both = [torch.as_tensor(np.array(v, dtype=np.float64)) for v in np.broadcast_arrays(x, y)]
        return torch.as_tensor(self.of(*both)).detach().numpy()

    @property
    def printable(self) -> bool:
        """Whether it can be read as a formula."""
        known: bool | None = self.__dict__.get("_printable")
        if known is None:
            try:
                known = bool(self.tape.outputs)
            except (LanguageError, RecursionError):
                known = False
            self.__dict__["_printable"] = known
        return known

    @property
    def text(self) -> str:
        """The formula, or the function's name where it is none."""
        return Surface.text.fget(self) if self.printable else f"{self.name}(x, y)"  # type: ignore[attr-defined]


def own_surface(
    f: Callable[[Any, Any], Any], *, name: str | None = None, start: Point = (-1.0, 1.0),
    box: tuple[float, float, float, float] = (-2.0, 2.0, -2.0, 2.0), minima: tuple[Point, ...] = (), steps: int = 200,
) -> Surface:  # fmt: skip
    """A surface from your own function of two numbers, written with arithmetic and `slalom.core.ops` or torch functions.

    It must take tensors `[n]` and give one number a point. `minima`: those you know; a method has arrived once it has
    come 99.9 % of the way down from the start to the lowest of them, or, where none is given, to the lowest point of a
    grid over the box. Errors: BadValueError where it is not such a function.

    >>> own_surface(lambda x, y: x**2 + 3 * y**2, minima=((0.0, 0.0),)).text
    'x² + 3 y²'
    """
    name = name or getattr(f, "__name__", "f").replace("<lambda>", "f")
    taken = [p for p in inspect.signature(f).parameters.values() if p.default is p.empty and p.kind in (0, 1)]
    if len(taken) != 2:
        raise BadValueError(f"{name}: a surface is a function of two numbers f(x, y), this one takes {len(taken)}")
    if len(box) != 4 or not all(map(math.isfinite, box)) or not (box[0] < box[1] and box[2] < box[3]):
        raise BadValueError(f"{name}: box must be four numbers (x0, x1, y0, y1) with x0 < x1 and y0 < y1, got {box!r}")
    if len(start) != 2 or not all(map(math.isfinite, start)):
        raise BadValueError(f"{name}: start must be two finite numbers (x, y), got {start!r}")
    draft = OwnSurface(name, name, f, box, start, Goal(lambda x, y: x * 0, ""), steps, minima=minima, about="your own")
    try:
        height, _ = draft.slopes(np.array([start, start], dtype=np.float64))
        grid = draft.grid(61)[2]
    except BadValueError:
        raise
    except Exception as error:
        raise BadValueError(
            f"{name}: f(x, y) failed on tensors of 2 points ({type(error).__name__}: {error}); "
            "use arithmetic, slalom.core.ops or torch functions"
        ) from error
    if not math.isfinite(height[0]):
        raise BadValueError(f"{name}: f at the start {start} is {height[0]}; give a start where it is finite")
    known = [float(draft(np.float64(x), np.float64(y))) for x, y in minima] or [float(np.nanmin(grid))]
    level = min(known) + ARRIVED * max(float(height[0]) - min(known), 0.0)
    goal = Goal(lambda x, y: level - np.asarray(_plain(draft, x, y)), f"f < {level:.4g}")
    finite = grid[np.isfinite(grid)]
    spread = bool(len(finite)) and float(np.max(finite) - np.min(finite)) > 50 * float(np.median(finite) - np.min(finite) + 1e-12)
    return OwnSurface(name, name, f, box, start, goal, steps, minima=minima, about="your own", log=spread)


def _plain(surface: Surface, x: Any, y: Any) -> Any:
    return surface(x, y)


def _one_each(surface: Surface, height: Any, n: int) -> torch.Tensor:
    if not isinstance(height, torch.Tensor) or height.shape != (n,):
        got = tuple(height.shape) if isinstance(height, torch.Tensor) else type(height).__name__
        raise BadValueError(f"{surface.name}: f(x, y) of {n} points must give {n} numbers, got {got}")
    return height
