"""The rules of a plan: every rule in every variant, by name, each with its learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slalom.core.errors import BadValueError
from slalom.nets.factory import Factory
from slalom.race.entrants import Entrant
from slalom.race.grid import Lrs, grids
from slalom.race.plan import PlannedRule
from slalom.race.variants.axes import variant_text
from slalom.race.variants.made import Settings, decayed
from slalom.race.variants.models import spec_of

STOPPING_NOTE = (
    "early stopping: each lane stops alone once its validation figure has not improved for so many epochs; its weights and all "
    "its figures are those of its best epoch, restored"
)


def planned_rules(
    chosen: Sequence[Entrant], settings: Sequence[Settings], factory: Factory, lrs: Lrs | None, coarse: bool = False
) -> list[PlannedRule]:
    """Each rule's variants side by side; a rule without settings keeps its name.

    Errors: `BadValueError` for settings that a rule cannot have, and for two variants that cannot be told apart.
    """
    spec = spec_of(factory)
    made: dict[str, tuple[Entrant, Settings]] = {}
    groups: dict[str, str] = {}
    for e in chosen:
        optimizer = e.optimizer(None if not e.is_torch else 1e-3)
        own: dict[str, Any] = {"weight_decay": getattr(optimizer, "values", {}).get("weight_decay", 0.0)}
        own |= {} if spec is None else {"dropout": spec.dropout, "batch_norm": spec.batchnorm}
        for one in settings:
            text = variant_text(dict(one), own=own)
            label = f"{e.label} {text}" if text else e.label
            if label in made:
                raise BadValueError(f"two variants of {e.label} are the same: {text or 'without any setting'}; name each once")
            made[label] = (Entrant(e.target, decayed(one, e.label, e.hypers, optimizer)), one)
            groups[label] = e.label
    rates = grids({label: e for label, (e, _) in made.items()}, lrs, groups, coarse)
    return [
        PlannedRule(label=label, target=e.target, hypers=dict(e.hypers), lrs=rates[label], variant=dict(one))
        for label, (e, one) in made.items()
    ]
