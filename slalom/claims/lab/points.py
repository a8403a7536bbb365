"""Points on surfaces: every rule and rate a lane whose parameter is a point, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Plan
from slalom.engines.lanes import Lane, Lanes

Floats = np.ndarray[Any, np.dtype[np.float64]]
ALL = 10_000  # a point is small: every lane in one chunk
Surface = Callable[[Tensor], Tensor]  # a point [d] -> its height


class Point(nn.Module):
    """A module whose one parameter is a point; its output is the point."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.at.expand(len(x), len(self.at))


def normals(plan: Plan, shape: Sequence[int]) -> Tensor:
    """Standard normal float64 numbers `[seeds, *shape]`, each seed's its own whatever the others are."""
    made = [torch.Generator().manual_seed(seed) for seed in plan.seeds]
    return torch.stack([torch.randn(*shape, generator=g, dtype=torch.float64) for g in made])


def rotation(degrees: float, d: int = 2) -> Tensor:
    """The matrix that turns the first two axes."""
    a = torch.tensor(np.deg2rad(degrees))
    made = torch.eye(d, dtype=torch.float64)
    made[0, 0], made[0, 1], made[1, 0], made[1, 1] = a.cos(), -a.sin(), a.sin(), a.cos()
    return made


def turned(surface: Surface, start: Sequence[float], degrees: float) -> tuple[Surface, list[float]]:
    """The surface and the start, both rotated: the same picture in other axes."""
    r = rotation(degrees, len(start))
    return lambda p: surface(r.T @ p), (r @ torch.tensor(start, dtype=torch.float64)).tolist()


def heights(surface: Surface, start: Sequence[float], lanes: Sequence[Lane], steps: int) -> Floats:
    """Height of every lane before each step, `[steps, lanes]`; NaN once it is not finite. Full gradients, no noise."""
    one = torch.zeros(1, 1)
    made = Lanes(
        lambda: Point(start), lanes, loss=lambda out, y: surface(out[0]) + 0 * y.sum(), example=(one, one), dtype=torch.float64,
        chunk=ALL,
    )  # fmt: skip
    return made.epoch(one, one, [torch.arange(1)] * steps)[0]


def noisy_heights(
    surface: Surface, start: Sequence[float], lanes: Sequence[Lane], noise: Tensor, seeds: Sequence[int]
) -> tuple[Floats, Tensor]:
    """As `heights`, with `noise [seeds, steps, d]` added to the gradient, a row a seed; and final points `[lanes, d]`."""
    steps = noise.shape[1]
    x = noise.reshape(-1, noise.shape[2])
    y = torch.zeros(len(x), 1)
    # A gradient of noise . p is noise: the linear term is what a minibatch's error looks like from where the point stands.
    made = Lanes(
        lambda: _Tilted(start), lanes, loss=lambda out, y: surface(out[0, 0]) + (out[0, 1] * out[0, 0]).sum() + 0 * y.sum(),
        example=(x[:1], y[:1]), dtype=torch.float64, chunk=ALL,
    )  # fmt: skip
    rows = torch.tensor([[s * steps] for s in seeds])
    curve = made.epoch(x, y, [rows + t for t in range(steps)])[0]
    return curve, made.predict(x[:1])[:, 0, 0]


class _Tilted(Point):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.at.expand(len(x), len(self.at)), x], dim=1)


def first_below(curve: Floats, level: float) -> Floats:
    """Steps until a lane's height is first below `level`, `[lanes]`; the number of steps plus one where it never is."""
    ok = curve < level
    return np.where(ok.any(0), ok.argmax(0), len(curve) + 1).astype(float)
