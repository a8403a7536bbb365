"""A padded lane is the small model trained alone: against torch's own modules and optimizers, in float64."""

import copy
import itertools

import pytest
import torch
from torch import nn

import slalom
from slalom.engines.lanes.layout import Layout, initialise
from slalom.engines.lanes.native.each import own_row
from slalom.tune.lanes import MASKED, Architecture, embedded, mlp_of
from slalom.tune.lanes.architecture import SHARED, Frame
from slalom.tune.lanes.masked import taken_out
from slalom.tune.training.family import rowed

pytestmark = pytest.mark.usefixtures("one_thread")
IN, OUT, N, BATCH, STEPS = 6, 4, 48, 12, 60


def data(dtype=torch.float64):
    g = torch.Generator().manual_seed(7)
    return torch.randn(N, IN, generator=g, dtype=dtype), torch.randint(0, OUT, (N,), generator=g)


def batches():
    g = torch.Generator().manual_seed(3)
    return [torch.randperm(N, generator=g)[:BATCH] for _ in range(STEPS)]


def together(shapes, lanes, dtype=torch.float64):
    smalls = [initialise(lambda s=s: mlp_of(s, (IN,), OUT), lane.seed).to(dtype) for s, lane in zip(shapes, lanes, strict=True)]
    frame = Frame.of(shapes, IN, OUT)
    modules = [embedded(m, s, frame).to(dtype) for m, s in zip(smalls, shapes, strict=True)]
    x, y = data(dtype)
    return slalom.Lanes(modules, lanes, loss="cross_entropy", example=(x, y), mechanism=MASKED, dtype=dtype)


def apart(lanes, k, shape):
    return taken_out(lanes.weights(k), shape, mlp_of(shape, (IN,), OUT).to(lanes.dtype))


def difference(a, b):
    scale = max(float(q.detach().abs().max()) for q in b.parameters())
    return max(float((p - q).detach().abs().max()) for p, q in zip(a.parameters(), b.parameters(), strict=True)) / scale


OPTIMIZERS = {
    "sgd": (lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.01), {"lr": 0.05, "weight_decay": 0.01}),
    "momentum": (lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8), {"lr": 0.02, "momentum": 0.8}),
    "adam": (lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99)), {"lr": 0.01, "b1": 0.8, "b2": 0.99}),
    "adamw": (lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1), {"lr": 0.01, "weight_decay": 0.1}),
    "rmsprop": (lambda p: torch.optim.RMSprop(p, lr=0.003), {"lr": 0.003}),
}


def test_lanes_of_every_activation_width_depth_and_optimizer_equal_torch_alone():
    widths = [(3,), (40, 40), (5, 33, 7)]
    acts = itertools.cycle(SHARED)
    shapes = [Architecture(w, next(acts)) for w in widths for _ in OPTIMIZERS]
    lanes = [lane for _ in widths for n, (_, h) in OPTIMIZERS.items() for lane in slalom.lanes_of(n, **h)]
    lanes = [slalom.Lane(lane.optimizer, seed=i) for i, lane in enumerate(lanes)]
    assert {s.activation for s in shapes} == set(SHARED)
    many = together(shapes, lanes)
    x, y = data()
    loss, _ = many.epoch(x, y, batches())
    val = many.evaluate(x, y, [nn.functional.cross_entropy])
    for k, (shape, make) in enumerate(zip(shapes, [m for _ in widths for m, _ in OPTIMIZERS.values()], strict=True)):
        alone = initialise(lambda s=shape: mlp_of(s, (IN,), OUT), k).double()
        optimizer = make(alone.parameters())
        for t, index in enumerate(batches()):
            optimizer.zero_grad()
            value = nn.functional.cross_entropy(alone(x[index]), y[index])
            value.backward()
            optimizer.step()
            assert loss[t, k] == pytest.approx(value.item(), rel=1e-10)
        assert difference(apart(many, k, shape), alone) <= 1e-10, (k, shape)
        assert val[0, k] == pytest.approx(nn.functional.cross_entropy(alone(x), y).item(), rel=1e-10)


def test_dropout_clipping_l1_and_schedules_equal_the_model_alone():
    shapes = [Architecture((9, 9), "tanh", 0.4), Architecture((33,), "relu", 0.1), Architecture((4, 4, 4), "sigmoid", 0.0)]
    schedule = slalom.schedules.Cosine(total=STEPS)
    settings = [lane.optimizer for lane in slalom.lanes_of("adam", lr=[0.01, 0.02, 0.03])]
    lanes = [
        slalom.Lane(settings[0], 4, schedule, clip=0.5),
        slalom.Lane(settings[1], 5, None, penalty=slalom.optim.L1(0.01)),
        slalom.Lane(settings[2], 6, schedule),
    ]
    many = together(shapes, lanes)
    x, y = data()
    many.epoch(x, y, batches())
    for k, shape in enumerate(shapes):
        alone = slalom.Lanes(
            lambda s=shape: mlp_of(s, (IN,), OUT), [lanes[k]], loss="cross_entropy", example=(x, y), mechanism="solo",
            dtype=torch.float64,
        )  # fmt: skip
        alone.epoch(x, y, batches())
        assert difference(apart(many, k, shape), alone.module(0)) <= 1e-10


def test_survivors_and_neighbours_of_any_company_have_the_same_bits():
    acts = ["relu", "sigmoid", "gelu", "tanh", "silu", "elu"]
    shapes = [Architecture((5 + 9 * i,) * (1 + i % 3), a, 0.2 * (i % 2)) for i, a in enumerate(acts)]
    lanes = [slalom.Lane(o.optimizer, i) for i, o in enumerate(slalom.lanes_of("adam", lr=[0.01] * 5 + [1e30]))]
    x, y = data(torch.float32)
    every, few = together(shapes, lanes, torch.float32), together(shapes, lanes, torch.float32)
    first, second = batches()[:30], batches()[30:]
    every.epoch(x, y, [*first, *second])
    few.epoch(x, y, first)
    few = few.only([4, 1, 2])
    state = copy.deepcopy(few.state_dict())
    few.epoch(x, y, second)
    for place, k in enumerate([4, 1, 2]):
        for name, weight in every.weights(k).items():
            assert torch.equal(few.weights(place)[name], weight), (k, name)
    assert 5 in every.retired  # and harmed nobody
    wide = together(shapes, lanes, torch.float32).only([4, 1, 2])
    wide.load_state_dict(state)
    wide.epoch(x, y, second)
    assert torch.equal(wide.weights(1)["out.weight"], every.weights(1)["out.weight"])


def test_padding_stays_exactly_zero():
    shapes = [Architecture((3,), "sigmoid"), Architecture((40, 40), "softplus")]
    lanes = [slalom.Lane(o.optimizer, 1) for o in slalom.lanes_of("adamw", lr=[0.1, 0.1], weight_decay=0.1)]
    many = together(shapes, lanes)
    x, y = data()
    many.epoch(x, y, batches())
    held = many.weights(0)
    assert held["hidden.0.weight"][3:].abs().max() == 0
    assert held["out.weight"][:, 3:].abs().max() == 0
    assert held["hidden.1.weight"].abs().max() == 0
    assert held["hidden.1.bias"].abs().max() == 0


@pytest.mark.parametrize(
    ("widths", "activation", "dropout", "said"),
    [
        ((), "relu", 0, "at least one unit"),
        ((8, 0), "relu", 0, "at least one"),
        ((8,), "prelu", 0, "prelu"),
        ((8,), "relu", 1, "0, 1"),
    ],
)
def test_bad_architectures_are_refused(widths, activation, dropout, said):
    with pytest.raises((slalom.core.errors.BadValueError, slalom.core.errors.UnknownNameError), match=said):
        Architecture(widths, activation, dropout)


def test_modules_must_be_one_a_lane():
    two = slalom.lanes_of("sgd", lr=[1, 2])
    with pytest.raises(slalom.core.errors.BadValueError, match="1 modules for 2 lanes"):
        slalom.Lanes([nn.Linear(IN, OUT)], two, loss="cross_entropy", example=data())


def test_rows_of_different_chains_in_c_equal_torch_alone_and_keep_their_bits():
    """The faster way for the same lanes: each its own chain, at the start of a row; against torch, and any company."""
    widths = [(3,), (40, 40), (5, 33, 7)]
    shapes = [Architecture(w, a) for i, w in enumerate(widths) for a in SHARED[i::3]]
    names = itertools.cycle(OPTIMIZERS)
    chosen = [next(names) for _ in shapes]
    lanes = [slalom.Lane(slalom.lanes_of(n, **OPTIMIZERS[n][1])[0].optimizer, i) for i, n in enumerate(chosen)]
    x, y = data()
    smalls = [initialise(lambda s=s: mlp_of(s, (IN,), OUT), i).double() for i, s in enumerate(shapes)]
    modules, choice = rowed(shapes, smalls, "cross_entropy", x)
    many = slalom.Lanes(modules, lanes, loss="cross_entropy", example=(x, y), mechanism=choice, dtype=torch.float64)
    half = slalom.Lanes(modules, lanes, loss="cross_entropy", example=(x, y), mechanism=choice, dtype=torch.float64)
    loss, _ = many.epoch(x, y, batches())
    val = many.evaluate(x, y, [nn.functional.cross_entropy])
    for k, (shape, name) in enumerate(zip(shapes, chosen, strict=True)):
        alone = initialise(lambda s=shape: mlp_of(s, (IN,), OUT), k).double()
        optimizer = OPTIMIZERS[name][0](alone.parameters())
        for t, index in enumerate(batches()):
            optimizer.zero_grad()
            value = nn.functional.cross_entropy(alone(x[index]), y[index])
            value.backward()
            optimizer.step()
            assert loss[t, k] == pytest.approx(value.item(), rel=1e-10)
        made = own_row(mlp_of(shape, (IN,), OUT).double(), many.weights(k)["row"])
        assert difference(made, alone) <= 1e-10, (k, shape)
        assert val[0, k] == pytest.approx(nn.functional.cross_entropy(alone(x), y).item(), rel=1e-10)
    half.epoch(x, y, batches()[:30])
    half = half.only([7, 2, 11])
    half.epoch(x, y, [b.expand(3, -1) for b in batches()[30:]])  # a batch of its own for each: the same
    assert all(torch.equal(half.weights(i)["row"], many.weights(k)["row"]) for i, k in enumerate([7, 2, 11]))


def test_rows_drop_what_the_model_alone_drops():
    shapes = [Architecture((9, 9), "tanh", 0.4), Architecture((33,), "relu", 0.1)]
    lanes = [slalom.Lane(o.optimizer, 4) for o in slalom.lanes_of("adam", lr=[0.01, 0.02])]
    x, y = data()
    smalls = [initialise(lambda s=s: mlp_of(s, (IN,), OUT), 4).double() for s in shapes]
    modules, choice = rowed(shapes, smalls, "cross_entropy", x)
    many = slalom.Lanes(modules, lanes, loss="cross_entropy", example=(x, y), mechanism=choice, dtype=torch.float64)
    padded = together(shapes, lanes)
    many.epoch(x, y, batches())
    padded.epoch(x, y, batches())
    for k, shape in enumerate(shapes):
        made = own_row(mlp_of(shape, (IN,), OUT).double(), many.weights(k)["row"])
        assert difference(made, apart(padded, k, shape)) <= 1e-10


@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_a_row_has_the_same_bits_beside_a_longer_one_and_what_follows_it_is_let_be(name):
    """Also where the longer one is too long for the update's log, and with a clip, whose norm is the lane's own."""
    x, y = data()
    small, large = Architecture((7,), "tanh"), Architecture((400, 400), "relu")
    given = OPTIMIZERS[name][1]

    def trained(shapes):
        lanes = slalom.lanes_of(name, seed=[5] * len(shapes), clip=0.05, **given)
        smalls = [initialise(lambda s=s: mlp_of(s, (IN,), OUT), 5).double() for s in shapes]
        modules, choice = rowed(shapes, smalls, "cross_entropy", x)
        with torch.no_grad():
            modules[0].row[Layout.of(smalls[0]).length :] = 3.0
        made = slalom.Lanes(modules, lanes, loss="cross_entropy", example=(x, y), mechanism=choice, dtype=torch.float64)
        made.epoch(x, y, batches()[:8])
        return made.weights(0)["row"], Layout.of(smalls[0]).length

    (alone, length), (beside, _) = trained([small]), trained([small, large])
    assert torch.equal(beside[:length], alone[:length])
    assert torch.all(beside[length:] == 3.0)
