"""Parameters that do not train: an optimizer over all of them."""

from __future__ import annotations

import torch
from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.setup import Setup


def _whole(unfreeze: bool) -> Fix:
    def make(setup: Setup) -> Change | None:
        old = setup.optimizer
        model = setup.fresh()
        frozen = [n for n, p in model.named_parameters() if not p.requires_grad and p.is_floating_point()]
        held = {id(p) for g in old(model).param_groups for p in g["params"]}
        missed = [n for n, p in model.named_parameters() if id(p) not in held and (p.requires_grad or unfreeze)]
        own = {id(p) for p in model.parameters()}
        foreign = bool(held - own)
        if not missed and not foreign and not (unfreeze and frozen):
            return None
        if unfreeze:
            for p in model.parameters():
                p.requires_grad_(p.is_floating_point())

        def build(made: nn.Module) -> torch.optim.Optimizer:
            optimizer = old(made)
            known = {id(p) for p in made.parameters()}
            for group in optimizer.param_groups:  # parameters of another model, with which the optimizer was made
                group["params"] = [p for p in group["params"] if id(p) in known]
            taken = {id(p) for g in optimizer.param_groups for p in g["params"]}
            rest = [p for p in made.parameters() if p.requires_grad and id(p) not in taken]
            optimizer.param_groups[-1]["params"] += rest
            return optimizer

        names = ", ".join(missed[:6]) + (f" and {len(missed) - 6} more" if len(missed) > 6 else "")
        words = f"optimizer over all parameters (it had left out {names or 'all of this model'})"
        code = "optimizer = Optimizer(model.parameters(), ...)"
        if unfreeze and frozen:
            words += f"; {len(frozen)} frozen parameters trained again"
            code += "\nfor p in model.parameters():\n    p.requires_grad_(True)"
        return Change(setup.changed(model=model, optimizer=build), words, code)

    said = "all parameters" + (", frozen ones too" if unfreeze else "")
    return Fix(said, f"an optimizer over {said}", make)


register("params_not_training", _whole(False), _whole(True))
