"""A set-up is checked once, copied, and cut into the same batches every time."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor.setup import setup_of

X, Y = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), torch.arange(10) % 2


def adam(model):
    return torch.optim.Adam(model.parameters())


def made(**more):
    given = {"train": (X, Y), "batch_size": 4, "epochs": 3} | more
    return setup_of(nn.Linear(3, 2), nn.CrossEntropyLoss(), adam, **given)


def test_batches_of_an_epoch_hold_each_row_once_and_repeat():
    setup = made()
    rows = [r.tolist() for r in setup.order(1)]
    assert sorted(k for part in rows for k in part) == list(range(10))
    assert [len(r) for r in rows] == [4, 4, 2]
    assert setup.steps == 9
    assert rows == [r.tolist() for r in made().order(1)]
    assert rows != [r.tolist() for r in setup.order(2)]


def test_a_loader_s_rows_batch_and_order_are_taken_over():
    loader = DataLoader(TensorDataset(X, Y), batch_size=3, drop_last=True)
    setup = made(train=loader, batch_size=None)
    assert torch.equal(setup.train[0], X[:9])
    assert setup.batch_size == 3
    assert not setup.shuffle
    assert [len(r) for r in setup.order(0)] == [3, 3, 3]
    assert "DataLoader" in setup.notes[0]


def test_reading_a_shuffled_loader_leaves_its_generator_alone():
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    made(train=DataLoader(TensorDataset(X, Y), batch_size=2, shuffle=True, generator=generator), batch_size=None)
    assert torch.equal(before, generator.get_state())


def test_the_model_is_a_copy():
    model = nn.Linear(3, 2)
    setup = setup_of(model, nn.CrossEntropyLoss(), adam, train=(X.numpy(), Y.numpy()))
    with torch.no_grad():
        setup.fresh().weight.zero_()
        setup.model.weight.zero_()
    assert model.weight.abs().sum() > 0


def test_a_full_batch_holds_all_rows():
    loader = DataLoader(TensorDataset(X, Y), batch_size=3)
    for setup in (made(batch_size="full"), made(train=loader, batch_size="full")):
        assert setup.batch_size == len(Y)
        assert setup.steps_per_epoch == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"train": X}, "must be (X, y)"),
        ({"train": (X, Y[:4])}, "same number of rows"),
        ({"train": (X[:0], Y[:0])}, "at least one"),
        ({"train": (X, object())}, "must hold tensors or arrays"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1 or 'full', got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number >= 1, got 2.5"),
        ({"seed": True}, "seed must be a whole number"),
        ({"schedule": 3}, "schedule must be callable"),
    ],
)
def test_bad_arguments_are_named(more, said):
    with pytest.raises((BadValueError, BadDataError), match=said.replace("(", r"\(").replace(")", r"\)")):
        made(**more)


def test_bad_models_losses_and_optimizers_are_named():
    with pytest.raises(BadValueError, match=r"model must be an nn\.Module"):
        setup_of(np.eye(2), nn.CrossEntropyLoss(), adam, train=(X, Y))
    with pytest.raises(BadValueError, match="no parameters"):
        setup_of(nn.ReLU(), nn.CrossEntropyLoss(), adam, train=(X, Y))
    with pytest.raises(BadValueError, match="loss_fn must be a callable"):
        setup_of(nn.Linear(3, 2), "mse", adam, train=(X, Y))
    with pytest.raises(BadValueError, match=r"write lambda m: Adam"):
        setup_of(nn.Linear(3, 2), nn.CrossEntropyLoss(), torch.optim.Adam, train=(X, Y))
