"""One clear error for each thing that cannot be used."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import slalom
from slalom.core.errors import MissingExtraError, SlalomError
from tests.race.range.problems import X, Y, loader, net

MODEL = net()


class Stream(IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "lane"}, "no method of the range test 'lane'; did you mean 'lanes'"),
        ({"low": 1.0, "high": 0.1}, "low must be below high, got low=1, high=0.1"),
        ({"low": -1}, "low must be learning rates in"),
        ({"high": float("inf")}, "high must be learning rates in"),
        ({"lrs": [0.1, 0.0, 1.0]}, "lrs must be learning rates in"),
        ({"lrs": [0.1]}, "at least 3 rates"),
        ({"lrs": [0.1, 0.2, 0.3], "budget": 500}, "with lrs= give steps="),
        ({"lrs": [0.1, 0.2, 0.3], "low": 0.1}, "with lrs= leave them out"),
        ({"steps": 10}, "without lrs= give budget="),
        ({"budget": 10}, "budget must be a whole number >= 300, got 10"),
        ({"seeds": 0}, "seeds must be a number >= 1"),
        ({"method": "sweep", "steps": 3}, "steps must be a whole number >= 10"),
        ({"method": "sweep", "growth": "log"}, "growth must be exponential or linear, got 'log'"),
        ({"growth": "linear"}, "growth= does nothing with method='lanes'"),
        ({"method": "sweep", "by": "loss"}, "by= does nothing with method='sweep'"),
        ({"method": "sweep", "lrs": [0.1, 0.2, 0.3]}, "lrs= does nothing with method='sweep'"),
        ({"method": "epochs", "by": "f1"}, "by must be loss or accuracy, got 'f1'"),
        ({"optimizer": "adma"}, "there is no rule 'adma'"),
        ({"optimizer": torch.optim.SGD(net().parameters(), lr=0.1)}, "parameters that the model does not have"),
        ({"optimizer": torch.optim.SGD(MODEL.parameters(), lr=0.0)}, "every learning rate of SGD is 0"),
        ({"model": "mlp", "optimizer": torch.optim.SGD(MODEL.parameters(), lr=0.1)}, "give that nn.Module as model"),
        ({"model": "mlp"}, "with a DataLoader give the nn.Module itself"),
        ({"batch_size": 8}, "a DataLoader has its own batches; leave out batch_size"),
        ({"split_seed": 8}, "leave out split_seed"),
        ({"step": 3}, "step must be a callable"),
        ({"step": print, "clip": 1.0}, "leave out loss= and clip="),
        ({"step": lambda m, o, b: None, "optimizer": torch.optim.SGD}, "step must return the loss before the update"),
        ({"clip": -1.0}, "clip must be a gradient norm > 0"),
        ({"loss": "hinge"}, "no loss 'hinge'"),
        ({"data": DataLoader(Stream())}, "IterableDataset"),
        ({"data": DataLoader(TensorDataset(X, Y, Y), 8)}, "pairs of tensors"),
        ({"data": DataLoader(TensorDataset(X[:3], Y[:3]), 8, drop_last=True)}, "the DataLoader is empty"),
        ({"data": DataLoader(TensorDataset(X[:, :2], Y), 8)}, "the model cannot take a batch"),
    ],
)
def test_bad_input_is_said(given, said):
    arguments = {"model": MODEL, "data": loader(), "optimizer": "sgd", **given}
    with pytest.raises(SlalomError, match=said.replace("(", r"\(")):
        slalom.range_test(arguments.pop("model"), arguments.pop("data"), **arguments)


def test_accuracy_of_quantities_is_refused():
    with pytest.raises(SlalomError, match="needs classes"):
        slalom.range_test("linear", "diabetes", method="epochs", by="accuracy")


def test_a_missing_matplotlib_is_named(monkeypatch):
    result = slalom.range_test(MODEL, loader(), method="sweep", steps=10)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"slalom\[plot\]"):
        result.plot()
