"""The schedule: decay over the whole run, or none."""

from __future__ import annotations

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.setup import Setup


def cosine(setup: Setup) -> Change | None:
    """Decay to 0 along half a cosine over the run (Loshchilov & Hutter 2017, without restarts)."""
    if setup.epochs < 3:
        return None
    from torch.optim.lr_scheduler import CosineAnnealingLR

    epochs = setup.epochs
    return Change(
        setup.changed(schedule=lambda optimizer: CosineAnnealingLR(optimizer, T_max=epochs)),
        f"learning rate decayed to 0 along a cosine over the {epochs} epochs",
        f"schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max={epochs})",
    )


def constant(setup: Setup) -> Change | None:
    """No schedule."""
    if setup.schedule is None:
        return None
    return Change(setup.changed(schedule=None), "no schedule: the learning rate stays as it starts", "schedule = None")


COSINE = Fix("cosine schedule", "decay along a cosine over the whole run", cosine, late=True)
CONSTANT = Fix("no schedule", "a constant learning rate", constant, late=True)


def _stretched(setup: Setup) -> Change | None:
    return None if setup.schedule is None else cosine(setup)


register("lr_decays_too_early", Fix("stretched schedule", "decay over the whole run", _stretched, late=True), CONSTANT)
