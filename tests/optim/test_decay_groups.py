"""Weight decay spares what it should, on torch's own layers."""

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError


class RMSNorm(nn.Module):  # as models bring their own
    def __init__(self, n):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.convolution = nn.Conv1d(4, 4, 3)
        self.group = nn.GroupNorm(2, 4)
        self.layer = nn.LayerNorm(4)
        self.own = RMSNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, add_bias_kv=True)
        self.recurrent = nn.LSTM(4, 4)
        self.slope = nn.PReLU(4)
        self.token = nn.Parameter(torch.zeros(4))
        self.head = nn.Linear(4, 7)
        self.head.weight = self.embedding.weight  # tied


DECAYED = {
    "embedding.weight",
    "convolution.weight",
    "attention.in_proj_weight",
    "attention.out_proj.weight",
    "recurrent.weight_ih_l0",
    "recurrent.weight_hh_l0",
    "token",
}


def test_biases_norms_and_slopes_are_spared():
    model = Net()
    decayed, spared = slalom.optim.decay_groups(model, 0.1)
    assert set(decayed["param_names"]) == DECAYED
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    both = [p for group in (decayed, spared) for p in group["params"]]
    assert len(both) == len(set(both)) == len(list(model.parameters()))
    named = dict(model.named_parameters())
    for group in (decayed, spared):
        assert all(named[n] is p for n, p in zip(group["param_names"], group["params"], strict=True))


def test_embeddings_on_request_and_empty_groups_left_out():
    decayed, _ = slalom.optim.decay_groups(Net(), 0.1, spare_embeddings=True)
    assert set(decayed["param_names"]) == DECAYED - {"embedding.weight"}
    (only,) = slalom.optim.decay_groups(nn.Linear(2, 2, bias=False), 0.1)
    assert only["param_names"] == ["weight"]
    (only,) = slalom.optim.decay_groups(nn.BatchNorm1d(2), 0.1)
    assert only["weight_decay"] == 0.0


def test_printed_it_says_what_and_why():
    text = str(slalom.optim.decay_groups(Net(), 0.1))
    assert "decayed (weight_decay=0.1): 7 tensors, " in text
    assert "\n  slope.weight (4,), PReLU\n" in text
    assert "\n  own.scale (4,), RMSNorm\n" in text
    assert "\n  attention.in_proj_bias (12,), bias\n" in text


def test_a_tensor_of_two_uses_is_spared_if_one_of_them_is():
    first = nn.Linear(4, 7, bias=False)
    table = nn.Embedding(7, 4)
    table.weight = first.weight
    (only,) = slalom.optim.decay_groups(nn.Sequential(first, table), 0.1, spare_embeddings=True)
    assert (only["name"], only["param_names"], only["reasons"]) == ("spared", ["0.weight"], ["embedding"])


def test_parametrized_parameters_count_as_what_they_stand_for():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.LayerNorm(4))
    nn.utils.parametrize.register_parametrization(model[0], "bias", nn.Identity())
    nn.utils.parametrize.register_parametrization(model[1], "weight", nn.Identity())
    decayed, spared = slalom.optim.decay_groups(model, 0.1)
    assert decayed["param_names"] == ["0.parametrizations.weight.original0", "0.parametrizations.weight.original1"]
    assert dict(zip(spared["param_names"], spared["reasons"], strict=True)) == {
        "0.parametrizations.bias.original": "bias",
        "1.bias": "bias",
        "1.parametrizations.weight.original": "LayerNorm",
    }


@pytest.mark.parametrize("cls", [torch.optim.SGD, slalom.optim.SGD])
def test_any_optimizer_takes_the_groups(cls):
    model = nn.Linear(2, 2)
    optimizer = cls(slalom.optim.decay_groups(model, 0.5), lr=1.0)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert torch.equal(model.weight, weight * 0.5)
    assert torch.equal(model.bias, bias)


@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan"), "0.1", True])
def test_a_bad_decay_is_refused(value):
    with pytest.raises(BadValueError, match=r"weight_decay must be a number in \[0, inf\), got"):
        slalom.optim.decay_groups(nn.Linear(2, 2), value)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(BadValueError, match=r"the model \(ReLU\) has no parameters"):
        slalom.optim.decay_groups(nn.ReLU(), 0.1)
