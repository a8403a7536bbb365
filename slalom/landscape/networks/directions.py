"""Directions in the space of a network's parameters: filter-normalised random ones, and the plane of trajectories."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.engines.lanes.layout import Layout


def filter_normalised(layout: Layout, row: Tensor, seed: int, vectors: str = "zero") -> Tensor:
    """A random direction `[D]` whose every filter is as long as the network's own: no scale between layers is left in it.

    A filter is what a weight's first axis counts (an output unit, a channel). `vectors`: what parameters of one axis (biases,
    norms' gains) get: "zero", as the paper's code does, or "norm", their own norm as one filter.
    Li, Xu, Taylor, Studer & Goldstein 2018, arXiv:1712.09913, section 4.
    """
    if vectors not in ("zero", "norm"):
        raise BadValueError(f"vectors must be 'zero' or 'norm', got {vectors!r}")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(row), generator=generator, dtype=torch.float64).to(row.dtype)
    parts = []
    named = zip(layout.split(drawn.unsqueeze(0)).values(), layout.split(row.unsqueeze(0)).values(), strict=True)
    for direction, own in ((d[0], w[0]) for d, w in named):
        if own.dim() <= 1 and vectors == "zero":
            parts.append(torch.zeros(own.numel(), dtype=row.dtype))
            continue
        d, w = (direction.flatten(1), own.flatten(1)) if own.dim() > 1 else (direction.reshape(1, -1), own.reshape(1, -1))
        parts.append((d * (w.norm(dim=1, keepdim=True) / (d.norm(dim=1, keepdim=True) + 1e-30))).reshape(-1))
    made = torch.cat(parts)
    if not bool(made.any()):
        raise BadValueError("every filter of the model is zero, or it has none: there is no filter-normalised direction")
    return made


@dataclass(frozen=True)
class Principal:
    """`axes [2, D]`: orthonormal directions; `middle [D]`; `kept`: the shares of the points' variance along the two."""

    axes: Tensor
    middle: Tensor
    kept: tuple[float, float]

    def project(self, rows: Tensor) -> Tensor:
        """Coordinates `[n, 2]` in the plane."""
        return (rows.double() - self.middle) @ self.axes.T


def principal_plane(rows: Tensor) -> Principal:
    """The plane of largest variance through points `[n, D]`, by the singular values of what is left of their mean.

    Signs are set so that a direction's largest entry is positive. Errors: BadValueError for fewer than three points.
    """
    if len(rows) < 3:
        raise BadValueError(f"a plane needs at least three points of the trajectories, got {len(rows)}")
    points = rows.double()
    middle = points.mean(0)
    # n is far smaller than D: the Gram matrix [n, n] has the same singular values, and costs n^2 D.
    centred = points - middle
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    total = float(values.sum())
    if total <= 0 or float(values[1]) <= 1e-24 * total:
        raise BadValueError("the trajectories lie on a line or in a point; there is no plane through them")
    axes = (vectors[:, :2].T @ centred) / values[:2, None].sqrt()
    strongest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return Principal(axes * strongest.sign(), middle, (float(values[0]) / total, float(values[1]) / total))
