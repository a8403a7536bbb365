"""What is no model, schedule, transform or rule is refused where it is handed in, not where it is used."""

from __future__ import annotations

import pytest
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets import Augment, Monitor, Noise, fold_linear, initialise, prune
from slalom.nets.pruning import Pruner
from slalom.optim import decay_groups
from slalom.race.entrants import entrant
from slalom.testing import conformance


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Monitor(3), "Monitor: model must be an nn.Module, got int"),
        (lambda: fold_linear([nn.ReLU()]), "fold_linear: model must be an nn.Module, got list"),
        (lambda: initialise("relu"), "initialise: model must be an nn.Module, got str"),
        (lambda: prune(None, 0.5), "prune: model must be an nn.Module, got NoneType"),
        (lambda: decay_groups(3, weight_decay=0.1), "decay_groups: model must be an nn.Module, got int"),
        (lambda: Pruner(nn.Linear(2, 2), 0.9), "schedule must be one such as CubicSparsity"),
        (lambda: Augment("noise=.1"), "Augment takes transforms such as .*, got 'noise=.1'"),
        (lambda: Augment(Noise), "Augment takes transforms"),
        (lambda: conformance("adam"), "conformance takes a rule"),
    ],
)
def test_wrong_things(call, said) -> None:
    with pytest.raises(BadValueError, match=said):
        call()


def test_the_base_class_is_no_optimizer() -> None:
    with pytest.raises(LookupError, match=r"there is no torch optimizer 'torch\.Optimizer'") as told:
        entrant("torch.Optimizer")
    assert "torch.Optimizer" not in str(told.value).split("known:")[1]
