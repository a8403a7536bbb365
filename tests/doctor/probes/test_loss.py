"""What a loss does is told by trying it: torch's own losses, under any name."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.probes.loss import loss_facts

G = torch.Generator().manual_seed(0)
SCORES, CLASSES = torch.randn(16, 4, generator=G), torch.arange(16) % 4
ONE, NUMBER = torch.randn(16, 1, generator=G), torch.randn(16, generator=G)
BITS = (torch.arange(16) % 2).float()


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "told"),
    [
        (nn.CrossEntropyLoss(), SCORES, CLASSES, {"softmax"}),
        (nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2, 3, 4])), SCORES, CLASSES, {"softmax"}),
        (lambda o, y: F.cross_entropy(o, y, reduction="sum"), SCORES, CLASSES, {"softmax"}),
        (nn.NLLLoss(), SCORES, CLASSES, {"linear"}),
        (nn.MSELoss(), ONE, NUMBER[:, None], {"distance"}),
        (nn.HuberLoss(), ONE, NUMBER[:, None], {"distance"}),
        (lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y), ONE, BITS, {"sigmoid"}),
    ],
)
def test_what_it_does(loss, outputs, y, told):
    facts = loss_facts(loss, outputs, y)
    assert {k for k in ("softmax", "linear", "sigmoid", "distance") if getattr(facts, k)} == told
    assert facts.paired
    assert facts.value == pytest.approx(float(loss(outputs, y)))


def test_classes_on_a_later_axis():
    outputs, y = torch.randn(6, 5, 3, generator=G), torch.arange(30).reshape(6, 5) % 3
    facts = loss_facts(lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()), outputs, y)
    assert facts.softmax
    assert facts.axis == 2


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_broadcast_shapes_do_not_pair():
    assert not loss_facts(nn.MSELoss(), ONE, NUMBER).paired
    assert not loss_facts(nn.CrossEntropyLoss(), ONE, torch.zeros(16, dtype=torch.long)).softmax


def test_what_is_not_finite_says_nothing():
    facts = loss_facts(nn.MSELoss(), torch.full((16, 1), float("nan")), NUMBER[:, None])
    assert not facts.softmax
    assert not facts.linear
    assert facts.paired


def test_the_loss_s_own_error_comes_through():
    with pytest.raises(IndexError):
        loss_facts(nn.CrossEntropyLoss(), SCORES, CLASSES + 4)


def test_a_loss_without_targets_is_no_mismatch():
    assert loss_facts(lambda o, y: o.square().mean(), ONE, NUMBER).paired


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_large_targets_are_paired_though_all_small_outputs_are_alike_beside_them():
    y = 1000 * NUMBER + 50_000
    assert loss_facts(nn.MSELoss(), ONE, y[:, None]).paired
    assert not loss_facts(nn.MSELoss(), ONE, y).paired
