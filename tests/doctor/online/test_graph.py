"""What a loss's graph says of its outputs, against losses whose outputs are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import slalom
from slalom.doctor.online.graph import mismatch

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
CLASSES, NUMBERS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), torch.linspace(-1, 1, 8)
MANY, ONE = nn.Linear(4, 3), nn.Linear(4, 1)

WRONG = {
    "softmax before cross-entropy": lambda: F.cross_entropy(MANY(X).softmax(1), CLASSES),
    "sigmoid before cross-entropy": lambda: F.cross_entropy(MANY(X).sigmoid(), CLASSES),
    "scores in nll": lambda: F.nll_loss(MANY(X), CLASSES),
    "probabilities in nll": lambda: F.nll_loss(MANY(X).softmax(1), CLASSES),
    "two sigmoids": lambda: F.binary_cross_entropy_with_logits(ONE(X).sigmoid()[:, 0], (NUMBERS > 0).float()),
    "column against row": lambda: F.mse_loss(ONE(X), NUMBERS),
    "column against row, Huber": lambda: F.huber_loss(ONE(X), NUMBERS),
    "one of two losses": lambda: F.mse_loss(ONE(X)[:, 0], NUMBERS) + 0.5 * F.cross_entropy(MANY(X).softmax(1), CLASSES),
    "images": lambda: F.cross_entropy(MANY(X).softmax(1)[:, :, None, None], CLASSES[:, None, None]),
}
RIGHT = {
    "scores": lambda: F.cross_entropy(MANY(X), CLASSES),
    "log-probabilities": lambda: F.nll_loss(MANY(X).log_softmax(1), CLASSES),
    "log of probabilities": lambda: F.nll_loss(MANY(X).softmax(1).log(), CLASSES),
    "smoothed": lambda: F.cross_entropy(MANY(X), CLASSES, label_smoothing=0.1),
    "logits": lambda: F.binary_cross_entropy_with_logits(ONE(X)[:, 0], (NUMBERS > 0).float()),
    "probabilities": lambda: F.binary_cross_entropy(ONE(X).sigmoid()[:, 0], (NUMBERS > 0).float()),
    "one shape": lambda: F.mse_loss(ONE(X)[:, 0], NUMBERS),
    "a constant for all rows": lambda: F.mse_loss(ONE(X[:1]).expand(8, 1), NUMBERS[:, None]),
    "a gate inside": lambda: F.cross_entropy(MANY(X) * ONE(X).sigmoid(), CLASSES),
    "attention inside": lambda: F.cross_entropy(MANY(X.softmax(1)), CLASSES),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", WRONG)
def test_says_what_does_not_fit(name: str) -> None:
    assert mismatch(WRONG[name]()) is not None


@pytest.mark.parametrize("name", RIGHT)
def test_is_silent_about_what_fits(name: str) -> None:
    assert mismatch(RIGHT[name]()) is None


def test_a_loss_without_a_graph_says_nothing() -> None:
    assert mismatch(torch.tensor(1.0)) is None


def test_told_before_step_5_in_a_loop() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with slalom.Doctor(net, optimizer) as doctor:
        for _ in range(4):
            optimizer.zero_grad()
            loss: Tensor = F.cross_entropy(net(X), CLASSES)
            loss.backward()
            optimizer.step()
            doctor.step(loss)
        assert "loss_output_mismatch" in doctor.told
    assert doctor.findings[0].step == 0
