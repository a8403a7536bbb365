"""Each fix does what it says to a set-up that has its fault, and to no other; checked by hand and by torch."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.doctor import fixes
from slalom.doctor.labels import LABELS
from slalom.doctor.setup import setup_of


def mlp(*widths, act=nn.ReLU, last=()):
    torch.manual_seed(0)
    layers = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1], *last)


def rows(n=60, features=4):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, features, generator=g)
    return x, (x[:, 0] > 0).long()


def setup(model=None, loss=F.cross_entropy, pair=None, optimizer=None, **more):
    pair = rows() if pair is None else pair
    make = optimizer or (lambda m: torch.optim.SGD(m.parameters(), lr=0.1))
    return setup_of(model or mlp(4, 8, 8, 2), loss, make, train=pair, **{"epochs": 5, **more})


def named(label, name):
    (fix,) = (f for f in fixes.candidates(label) if f.name == name)
    return fix


def first(label):
    return fixes.candidates(label)[0]


def test_every_label_but_those_for_people_has_a_fix():
    assert {label for label in LABELS if fixes.of(label) is None} == {"train_val_mismatch"}


def test_unknown_labels_and_fixes_that_do_not_apply_are_errors():
    with pytest.raises(UnknownNameError, match="dead_relu"):
        fixes.of("dead_rleu")
    with pytest.raises(BadValueError, match="no fix for nonfinite_data applies"):
        fixes.of("nonfinite_data")(setup())
    with pytest.raises(BadValueError, match="'drop rows' does not apply"):
        first("nonfinite_data")(setup())


def test_the_caller_s_set_up_is_left_alone():
    s = setup(mlp(4, 8, 8, 2, act=nn.Sigmoid), optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.99))
    before = {k: v.clone() for k, v in s.model.state_dict().items()}
    kinds = [type(m) for m in s.model.modules()]
    for label in LABELS:
        for fix in fixes.candidates(label):
            fix.apply(s)
    assert [type(m) for m in s.model.modules()] == kinds
    assert all(torch.equal(v, before[k]) for k, v in s.model.state_dict().items())


def test_rates_are_multiplied_in_every_group_and_under_a_schedule():
    def make(m):
        return torch.optim.SGD([{"params": m[0].parameters(), "lr": 1.0}, {"params": m[2].parameters()}], lr=0.5)

    s = setup(mlp(4, 8, 2), optimizer=make, schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.1))
    made = named("lr_too_high", "lr divided by 10").apply(s)
    optimizer = made.setup.optimizer(made.setup.fresh())
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.1, 0.05])
    schedule = made.setup.schedule(optimizer)
    optimizer.step()
    schedule.step()
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.01, 0.005])
    assert "from 1 to 0.1" in made.words


def test_momentum_and_betas():
    s = setup(optimizer=lambda m: torch.optim.Adam(m.parameters(), lr=0.1, betas=(0.99, 0.999)))
    assert first("oscillation")(s).optimizer(s.fresh()).param_groups[0]["betas"] == (0.9, 0.999)
    s = setup(optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.997))
    assert first("oscillation")(s).optimizer(s.fresh()).param_groups[0]["momentum"] == 0.9
    assert first("oscillation").apply(setup()) is None


def test_scaled_inputs_are_standard_by_numpy_and_the_optimizer_sees_the_model():
    x, y = rows()
    x = x * torch.tensor([1.0, 1000.0, 1.0, 0.0]) + torch.tensor([0.0, 5.0, 300.0, 7.0])
    s = setup(pair=(x, y), optimizer=lambda m: torch.optim.SGD([m[0].weight], lr=0.1))
    made = first("unnormalised_inputs")(s)
    model = made.fresh()
    got = model.before(x).numpy()
    exact = x.double().numpy()
    sd = exact.std(0)
    expected = (exact - exact.mean(0)) / np.where(sd > 1e-6, sd, 1)
    assert got == pytest.approx(expected, abs=1e-4)
    assert made.optimizer(model).param_groups[0]["params"][0] is model.inner[0].weight
    assert {n for n, _ in model.named_parameters()} == {f"inner.{n}" for n, _ in s.model.named_parameters()}


@pytest.mark.parametrize("shape", [(60,), (60, 1), (60, 3)])
def test_scaled_targets_train_as_on_scaled_ones_and_answer_in_units(shape):
    x, _ = rows()
    g = torch.Generator().manual_seed(1)
    y = 500 + 1000 * torch.randn(*shape, generator=g)
    width = shape[1] if len(shape) > 1 else 1
    net = mlp(4, 8, width) if len(shape) > 1 else nn.Sequential(mlp(4, 8, 1), nn.Flatten(0))
    s = setup(net, F.mse_loss, (x, y))
    made = first("unscaled_targets")(s)
    model = made.fresh()
    loss = made.loss_fn(model(x), y)
    mean, sd = y.double().mean(0), y.double().std(0, unbiased=False)
    plain = F.mse_loss(net(x).double(), (y.double() - mean) / sd)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-4)
    assert model(x).detach().numpy() == pytest.approx((net(x).double() * sd + mean).detach().numpy(), rel=1e-4, abs=1e-3)


def test_rows_with_nan_are_dropped_and_cells_filled_by_the_median():
    x, y = rows()
    x[3, 1] = math.nan
    s = setup(pair=(x, y), val=(x, y))
    made = first("nonfinite_data")(s)
    assert len(made.train[1]) == len(made.val[1]) == 59
    assert torch.isfinite(made.train[0]).all()
    x[:40, 1] = math.inf
    s = setup(pair=(x, y))
    assert first("nonfinite_data").apply(s) is None  # too many to drop
    made = named("nonfinite_data", "fill cells")(s)
    filled = made.fresh().before(x)
    assert torch.isfinite(filled).all()
    assert float(filled[0, 1]) == pytest.approx(float(x[40:, 1].nanmedian()))


@pytest.mark.parametrize(
    ("last", "loss", "fix", "what"),
    [
        (nn.Softmax(1), F.cross_entropy, "strip the last activation", lambda z, o: z),
        (nn.Sigmoid(), F.cross_entropy, "strip the last activation", lambda z, o: z),
        (nn.Softmax(1), F.cross_entropy, "logarithm of probabilities", lambda z, o: torch.log_softmax(z, 1)),
        (nn.Identity(), F.nll_loss, "log-softmax", lambda z, o: torch.log_softmax(z, 1)),
    ],
)
def test_outputs_become_what_the_loss_expects(last, loss, fix, what):
    s = setup(mlp(4, 8, 2, last=(last,)), loss)
    x = s.train[0]
    plain = s.model[:3](x)
    made = named("loss_output_mismatch", fix)(s)
    assert made.fresh()(x).detach().numpy() == pytest.approx(what(plain, None).detach().numpy(), abs=1e-5)


def test_a_healthy_output_is_no_mismatch():
    assert [f.apply(setup()) for f in fixes.candidates("loss_output_mismatch")] == [None] * 5


def test_shapes_that_would_be_broadcast_are_brought_together():
    x, _ = rows()
    s = setup(mlp(4, 8, 1), lambda o, t: F.mse_loss(o, t), (x, x[:, 1] * 2))
    made = named("loss_output_mismatch", "same shape")(s)
    model = made.fresh()
    assert made.loss_fn(model(x), made.train[1]).item() == pytest.approx((model(x)[:, 0] - x[:, 1] * 2).square().mean().item())


def test_saturating_activations_are_replaced_but_not_the_output_s():
    s = setup(mlp(4, 8, 8, 2, act=nn.Tanh, last=(nn.Tanh(),)))
    made = first("vanishing_gradient")(s).model
    assert [type(m).__name__ for m in made] == ["Linear", "ReLU", "Linear", "ReLU", "Linear", "Tanh"]


class Parallel(nn.Module):
    """Two layers side by side, then one after the other without anything between."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.d(self.c(torch.relu(self.a(x)) * torch.sigmoid(self.b(x))))


def test_activations_are_put_where_none_is():
    made = first("missing_nonlinearity").apply(setup(mlp(4, 8, 8, 2, act=nn.Identity)))
    assert made.words.startswith("ReLU put after 0, 2")
    bent = first("missing_nonlinearity")(setup(Parallel())).model
    assert isinstance(bent.c, nn.Sequential)
    assert isinstance(bent.a, nn.Linear)
    assert isinstance(bent.b, nn.Linear)
    assert first("missing_nonlinearity").apply(setup()) is None


def test_dead_rows_alone_are_drawn_anew():
    net = mlp(4, 8, 8, 2)
    with torch.no_grad():
        net[2].bias[:5] = -100.0
    s = setup(net)
    made = first("dead_relu")(s).model
    assert torch.equal(made[2].weight[5:], net[2].weight[5:])
    assert not torch.equal(made[2].weight[:5], net[2].weight[:5])
    assert (made[2].bias[:5] == 0).all()
    with torch.no_grad():
        hidden = made[:4](s.train[0])
    assert (hidden > 0).any(0).all()


def test_an_optimizer_of_all_parameters():
    net = mlp(4, 8, 2)
    other = mlp(4, 8, 2)
    for optimizer in (
        lambda m: torch.optim.SGD(m[2].parameters(), lr=0.1),
        lambda m: torch.optim.SGD(other.parameters(), lr=0.1),
    ):
        made = first("params_not_training")(setup(net, optimizer=optimizer))
        model = made.fresh()
        held = [id(p) for g in made.optimizer(model).param_groups for p in g["params"]]
        assert sorted(held) == sorted(map(id, model.parameters()))
    frozen = mlp(4, 8, 2)
    frozen[0].requires_grad_(False)
    made = named("params_not_training", "all parameters, frozen ones too")(setup(frozen))
    assert all(p.requires_grad for p in made.model.parameters())


def test_class_weights_are_scikit_learn_s_balanced_ones():
    from sklearn.utils.class_weight import compute_class_weight

    x, _ = rows()
    y = torch.zeros(60, dtype=torch.long)
    y[:4] = 1
    s = setup(pair=(x, y))
    made = first("class_imbalance")(s)
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=y.numpy())
    assert made.loss_fn.weight.tolist() == pytest.approx(expected)
    drawn = named("class_imbalance", "balanced rows")(s)
    assert torch.bincount(drawn.train[1]).tolist() == [30, 30]


def test_gradients_are_clipped_after_what_was_done_before():
    done = []
    s = setup().changed(before_step=lambda m: done.append(True))
    made = named("exploding_gradient", "clip at 1")(s)
    model = made.fresh()
    for p in model.parameters():
        p.grad = torch.full_like(p, 100.0)
    made.before_step(model)
    assert float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm()) == pytest.approx(1.0, rel=1e-4)
    assert done == [True]


def test_batches():
    s = setup(batch_size=60)
    assert first("batch_too_large")(s).batch_size == 32
    assert first("batch_too_small").apply(s) is None
    made = named("batch_too_small", "batch 32, root lr").apply(setup(batch_size=2))
    assert made.setup.optimizer(made.setup.fresh()).param_groups[0]["lr"] == pytest.approx(0.1 * 4)
    net = nn.Sequential(nn.Linear(4, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))
    swapped = named("batch_too_small", "GroupNorm")(setup(net, batch_size=2)).model
    assert isinstance(swapped[1], nn.GroupNorm)
    assert swapped[1].num_groups == 4


def test_regularisation_is_relaxed():
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.9), nn.Linear(8, 2))
    s = setup(net, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, weight_decay=1.0))
    made = fixes.candidates("over_regularised")[1](s)
    assert made.model[1].p == 0.1
    assert made.optimizer(made.fresh()).param_groups[0]["weight_decay"] == pytest.approx(0.01)
    assert fixes.of("over_regularised") is not None
    assert fixes.candidates("over_regularised")[0].apply(setup()) is None


def test_hidden_layers_are_widened_through_norms_convolutions_and_flattening():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 2, 1),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 1),
        nn.Linear(1, 2),
    )
    made = first("model_too_small").apply(setup(net))
    assert made.words == "hidden layers wider: 2 to 32, 1 to 32 units"
    assert made.setup.fresh()(rows()[0]).shape == (60, 2)
    linear = named("model_too_small", "a hidden layer").apply(setup(nn.Sequential(nn.Linear(4, 2))))
    assert linear.setup.fresh()(rows()[0]).shape == (60, 2)
    assert sum(isinstance(m, nn.ReLU) for m in linear.setup.model.modules()) == 1


def test_new_weights_are_seeded_and_recurrent_ones_orthogonal():
    rnn = nn.RNN(4, 16, batch_first=True)

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = rnn, nn.Linear(16, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    g = torch.Generator().manual_seed(0)
    x = torch.randn(30, 5, 4, generator=g)
    s = setup(Last(), pair=(x, (x[:, 0, 0] > 0).long()))
    made = named("vanishing_gradient", "orthogonal recurrent weights")(s)
    w = made.model.rnn.weight_hh_l0.detach()
    assert (w @ w.T).numpy() == pytest.approx(np.eye(16), abs=1e-5)
    gated = named("vanishing_gradient", "gated recurrent layers")(s)
    assert isinstance(gated.model.rnn, nn.GRU)
    assert gated.fresh()(x).shape == (30, 2)
    state = torch.get_rng_state()
    again = named("bad_init", "torch's initialisation")
    one, two = again(s).model.state_dict(), again(s).model.state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert torch.equal(torch.get_rng_state(), state)


def test_schedules():
    s = setup(epochs=10, schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.1))
    made = first("lr_decays_too_early")(s)
    optimizer = made.optimizer(made.fresh())
    schedule = made.schedule(optimizer)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * k / 10)) for k in range(10)])
    assert named("lr_decays_too_early", "no schedule")(s).schedule is None
    assert first("lr_decays_too_early").apply(setup()) is None
