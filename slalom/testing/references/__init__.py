"""Every update rule a second time: plain NumPy, float64, from the papers, sharing nothing with `slalom.rules`.

A reference runs a whole trajectory: `reference(x, gradient, lrs, **settings) -> [x_0, x_1, ...]`, with `gradient(x, t)`
the gradient at step t (from 1), `lrs` one learning rate a step, and `settings` every other hyper and option by name.
Where a rule keeps a running state, its reference sums over the whole past, as the papers' expanded formulas do; where a
rule holds a rearranged variable (nag), its reference follows the original one.
"""

from collections.abc import Callable
from typing import Any

from slalom.testing.references import adaptive, scaled, velocity

Reference = Callable[..., list[Any]]

REFERENCES: dict[str, Reference] = {
    f.__name__: f
    for f in (
        velocity.sgd, velocity.momentum, velocity.nag, velocity.lion, scaled.adagrad, scaled.adadelta,
        scaled.windowed_adadelta, scaled.rmsprop, adaptive.adam, adaptive.adamw, adaptive.adamax, adaptive.lp_adam,
        adaptive.nadam, adaptive.radam,
    )
}  # fmt: skip

__all__ = ["REFERENCES", "Reference"]
