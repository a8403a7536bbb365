"""Skill: the best constant prediction in closed form; and what is not finite."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.run.skill import Skill, constant_loss, joined, right


def test_the_best_constant_is_the_entropy_or_the_variance():
    g = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (90,), generator=g)
    p = np.bincount(y.numpy()) / 90
    assert constant_loss(F.cross_entropy, torch.zeros(90, 3), y) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-4)
    t = torch.randn(90, 2, generator=g) * 40 + 500
    assert constant_loss(F.mse_loss, torch.zeros(90, 2), t) == pytest.approx(t.numpy().var(0).mean(), rel=1e-4)
    bits = (y == 0).float()[:, None]
    q = float(bits.mean())
    found = constant_loss(nn.BCEWithLogitsLoss(), torch.zeros(90, 1), bits)
    assert found == pytest.approx(-(q * math.log(q) + (1 - q) * math.log(1 - q)), rel=1e-4)


def test_a_loss_without_a_bound_or_that_raises_has_no_constant():
    assert math.isnan(constant_loss(lambda o, y: o.sum() / 0, torch.zeros(4, 1), torch.zeros(4, 1)))


@pytest.mark.parametrize(("loss", "skill"), [(0, 1), (2, 0), (1, 0.5), (100, -1), (math.nan, -1), (math.inf, -1)])
def test_skill(loss, skill):
    assert Skill(2.0).of(loss) == skill


def test_right_counts_classes():
    y = torch.tensor([0, 1, 1])
    assert right(torch.tensor([[2.0, 1], [0, 1], [3, 1]]), y) == pytest.approx(2 / 3)
    assert right(torch.zeros(3, 2, 5), torch.zeros(3, 5, dtype=torch.long)) == 1
    assert math.isnan(right(torch.zeros(3, 1), torch.zeros(3, 1)))


def test_right_counts_scores_and_probabilities_of_two_classes() -> None:
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    assert right(torch.tensor([[-2.0], [3.0], [-1.0], [-0.5]]), y) == 0.75
    assert right(torch.tensor([[0.2], [0.9], [0.4], [0.1]]), y) == 0.75
    assert math.isnan(right(torch.zeros(4, 1), y + 0.5))
    assert math.isnan(right(torch.full((3, 2), math.nan), y))


def test_outputs_of_chunks_are_joined():
    made = joined([{"a": torch.ones(2, 3), "b": (torch.zeros(2),)}, {"a": torch.ones(1, 3), "b": (torch.zeros(1),)}])
    assert made["a"].shape == (3, 3)
    assert made["b"][0].shape == (3,)
