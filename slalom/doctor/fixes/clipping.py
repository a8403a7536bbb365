"""Gradient clipping."""

from __future__ import annotations

from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.steering import rate, scaled_rate, steered
from slalom.doctor.setup import Setup


def clipped(norm: float, factor: float = 1.0) -> Fix:
    """Gradients clipped to a total norm, between backward and step; and the learning rate times `factor`."""

    def make(setup: Setup) -> Change | None:
        before = setup.before_step

        def clip(model: nn.Module) -> None:
            if before is not None:
                before(model)
            nn.utils.clip_grad_norm_(model.parameters(), norm)

        words, code = f"gradients clipped to norm {norm:g}", f"torch.nn.utils.clip_grad_norm_(model.parameters(), {norm:g})"
        made = setup.changed(before_step=clip)
        if factor != 1:
            words += f", learning rate times {factor:g}"
            code += f"\nlr={rate(setup) * factor:.3g}"
            made = steered(made, scaled_rate(factor))
        return Change(made, words, code)

    name = f"clip at {norm:g}" + ("" if factor == 1 else f", lr times {factor:g}")
    return Fix(name, name, make)


register("exploding_gradient", clipped(1.0), clipped(1.0, 0.1))
register("divergence lr_too_high", clipped(1.0))
