"""How sharp a minimum is: the Hessian's largest eigenvalue and its trace, without ever writing the Hessian down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.checks import whole
from slalom.core.errors import BadValueError
from slalom.landscape.networks.ground import ground_of

Product = Callable[[Tensor], Tensor]
TOGETHER = 8  # probes whose products are taken at once


@dataclass(frozen=True)
class Sharpness:
    """`top`: the Hessian's largest eigenvalue; `residual`: |Hv - top v|, so an eigenvalue lies within it of `top`.

    `dominant`: the one of largest size, which at a saddle may be negative. `iterations`, `converged`: of power iteration.
    `trace` with its standard error `trace_se` over `samples` probes. `eigenvalues`: as many of the largest as were asked
    for, by Lanczos. `edge`: 2 / top, beyond which gradient descent cannot stay here (infinite where top <= 0).
    """

    top: float
    dominant: float
    residual: float
    iterations: int
    converged: bool
    trace: float
    trace_se: float
    samples: int
    parameters: int
    loss: float
    about: str
    eigenvalues: tuple[float, ...] = ()

    @property
    def edge(self) -> float:
        """The learning rate 2 / top."""
        return 2 / self.top if self.top > 0 else math.inf

    def __str__(self) -> str:
        steady = "" if self.converged else f", not converged after {self.iterations} iterations"
        lines = [
            f"loss {self.loss:.4g} on {self.about}, {self.parameters} parameters",
            f"largest Hessian eigenvalue {self.top:.4g} (residual {self.residual:.1g}{steady})",
            f"trace {self.trace:.4g} +- {self.trace_se:.2g} ({self.samples} probes)",
            f"gradient descent is stable here up to lr 2 / {self.top:.4g} = {self.edge:.3g}",
        ]
        if self.dominant < 0:
            lines.append(f"a saddle: the eigenvalue of largest size is {self.dominant:.4g}")
        return "\n".join(lines)


def sharpness(
    model: nn.Module, data: Any = "digits", *, part: str = "train", rows: int | None = None, loss: Any = None, samples: int = 64,
    iterations: int = 200, tolerance: float = 1e-4, eigenvalues: int = 0, seed: int = 0,
) -> Sharpness:  # fmt: skip
    """Top eigenvalue (power iteration) and trace (Hutchinson, Rademacher probes) of the loss's Hessian at a network, in float64.

    Power iteration ends once the residual is below `tolerance` times the eigenvalue. `eigenvalues`: also so many of the
    largest, by Lanczos (scipy). Only parameters that are trained count. The Hessian is that of evaluation mode, over all of
    the data at once; where the network has kinks (ReLU), it is that of the piece it lies on. As PyHessian (Yao et al. 2020,
    arXiv:1912.07145). Errors: BadValueError.

    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> line = torch.nn.Linear(2, 1, bias=False)
    >>> made = sharpness(line, (x, torch.zeros(2, 1)), samples=8)  # the Hessian of the mean square is diag(1, 9)
    >>> round(made.top, 6), round(made.trace, 6)
    (9.0, 10.0)
    """
    whole(samples, "samples", 2, 100_000)
    whole(iterations, "iterations", 1, 1_000_000)
    whole(seed, "seed", 0, 2**31)
    ground, about = ground_of(model, data, part=part, rows=rows, loss=loss, seed=seed, dtype=torch.float64)
    count = len(ground.row)
    whole(eigenvalues, "eigenvalues", 0, max(count - 2, 0))
    if not tolerance > 0:
        raise BadValueError(f"tolerance must be > 0, got {tolerance!r}")
    product, together = products(ground.function(), ground.row)
    generator = torch.Generator().manual_seed(seed)
    dominant, residual, used, converged = power_iteration(product, count, iterations, tolerance, generator)
    top = dominant
    if dominant < 0:  # a saddle: with the spectrum moved up by that much, the largest eigenvalue is the one of largest size
        moved, residual, more, converged = power_iteration(
            lambda v: product(v) - dominant * v, count, iterations, tolerance, generator
        )
        top, used = moved + dominant, used + more
    mean, error = hutchinson(together, count, samples, generator)
    found = lanczos(product, count, eigenvalues, seed) if eigenvalues else ()
    return Sharpness(top, dominant, residual, used, converged, mean, error, samples, count, ground.at(ground.row), about, found)


def products(f: Callable[[Tensor], Tensor], row: Tensor) -> tuple[Product, Product]:
    """Hessian times one vector `[D]`, and times many `[k, D]`."""

    back = torch.func.vjp(torch.func.grad(f), row)[1]  # the Hessian is symmetric, so its transpose's product is its own

    def product(v: Tensor) -> Tensor:
        made: Tensor = back(v)[0]
        return made

    return product, torch.func.vmap(product)


def power_iteration(
    product: Product, count: int, iterations: int, tolerance: float, generator: torch.Generator
) -> tuple[float, float, int, bool]:
    """Eigenvalue of largest size, its residual, the iterations taken, whether the residual fell below the tolerance."""
    v = torch.randn(count, generator=generator, dtype=torch.float64)
    v /= v.norm()
    value, residual = 0.0, math.inf
    for k in range(1, iterations + 1):
        w = product(v)
        value = float(v @ w)
        residual = float((w - value * v).norm())
        size = float(w.norm())
        if residual <= tolerance * abs(value) or size == 0:
            return value, residual, k, True
        v = w / size
    return value, residual, iterations, False


def hutchinson(together: Product, count: int, samples: int, generator: torch.Generator) -> tuple[float, float]:
    """The trace and its standard error: the mean of v'Hv over vectors of random signs."""
    found = []
    for first in range(0, samples, TOGETHER):
        probes = torch.randint(0, 2, (min(TOGETHER, samples - first), count), generator=generator).double() * 2 - 1
        found += (probes * together(probes)).sum(1).tolist()
    values = np.array(found)
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(samples))


def lanczos(product: Product, count: int, many: int, seed: int) -> tuple[float, ...]:
    """So many of the largest eigenvalues, the largest first."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    operator = LinearOperator(
        (count, count), matvec=lambda v: product(torch.from_numpy(np.array(v, dtype=np.float64).reshape(-1))).numpy(), dtype=float
    )
    start = np.random.default_rng(seed).normal(size=count)
    return tuple(
        sorted((float(v) for v in eigsh(operator, k=many, which="LA", v0=start, return_eigenvectors=False)), reverse=True)
    )
