"""Lanes against plain torch training loops, against each other, and against themselves alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import slalom.rules  # noqa: F401
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lane, Lanes, TorchOptimizer, lanes_of
from tests.engines.lanes.models import MODELS, RANDOM_MODELS, Residual, dropping, mlp

ALL = MODELS | RANDOM_MODELS
X = torch.randn(200, 16, generator=torch.Generator().manual_seed(1))
Y = torch.randint(0, 5, (200,), generator=torch.Generator().manual_seed(2))


def some_batches(steps: int, lanes: int = 0, size: int = 20) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    return [torch.randint(0, len(X), (lanes, size) if lanes else (size,), generator=g) for _ in range(steps)]


def make(model, lanes, dtype=torch.float64, **options) -> Lanes:
    return Lanes(model, lanes, loss="cross_entropy", example=(X[:20], Y[:20]), dtype=dtype, **options)


def solo_torch(model, optimizer, seed, batches, dtype, clip=None, schedule=None):
    """The loop that everybody writes, with torch alone."""
    torch.manual_seed(seed)
    module = model().to(dtype)
    stepper = optimizer(module.parameters())
    scheduler = torch.optim.lr_scheduler.LambdaLR(stepper, schedule) if schedule else None
    losses = []
    for index in batches:
        loss = nn.functional.cross_entropy(module(X[index].to(dtype)), Y[index])
        stepper.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        stepper.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    return module, np.array(losses)


def mixed_lanes() -> list[Lane]:
    return [
        *lanes_of("adam", lr=[1e-3, 1e-2], seed=[0, 1]),
        *lanes_of("sgd", lr=[0.1, 0.02], seed=[1, 2], momentum=[0.9, 0.5]),
        *lanes_of("rmsprop", lr=[1e-3], seed=[3]),
    ]


TWINS = [
    lambda p: torch.optim.Adam(p, lr=1e-3),
    lambda p: torch.optim.Adam(p, lr=1e-2),
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.5),
    lambda p: torch.optim.RMSprop(p, lr=1e-3),
]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_each_lane_is_the_torch_run_alone(name: str, dtype: torch.dtype, tolerance: float) -> None:
    model, mechanism = MODELS[name]
    batches = some_batches(200 if name == "mlp" else 60, lanes=5)
    specs = mixed_lanes()
    lanes = make(model, specs, dtype)
    assert lanes.choice.name == mechanism
    losses, _ = lanes.epoch(X, Y, batches)
    for k, twin in enumerate(TWINS):
        module, alone = solo_torch(model, twin, specs[k].seed, [b[k] for b in batches], dtype)
        np.testing.assert_allclose(losses[:, k], alone, rtol=tolerance, atol=tolerance)
        for key, value in module.state_dict().items():
            scale = float(value.abs().max()) if value.numel() else 0.0
            torch.testing.assert_close(lanes.weights(k)[key].to(value.dtype), value, rtol=tolerance, atol=tolerance * scale)
        module.eval()
        with torch.no_grad():
            torch.testing.assert_close(lanes.predict(X)[k], module(X.to(dtype)), rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(
    ("name", "mechanism"), [*((k, "auto") for k in ALL), *((k, "stacked") for k in ("mlp", "normed", "dropping"))]
)
def test_a_lane_has_the_same_bits_in_any_company(name: str, mechanism: str) -> None:
    model, _ = ALL[name]
    specs = mixed_lanes()
    batches = some_batches(12, lanes=5)
    together = make(model, specs, torch.float32, mechanism=mechanism)
    losses, norms = together.epoch(X, Y, batches)
    for chosen in ([2], [0, 3], [4, 1, 0]):
        fewer = make(model, [specs[i] for i in chosen], torch.float32, mechanism=mechanism)
        loss, norm = fewer.epoch(X, Y, [b[chosen] for b in batches])
        assert np.array_equal(loss, losses[:, chosen])
        assert np.array_equal(norm, norms[:, chosen])
        assert torch.equal(fewer.predict(X), together.predict(X)[chosen])


@pytest.mark.parametrize("name", ["mlp", "normed", "dropping", "residual"])
def test_mechanisms_agree(name: str) -> None:
    model, _ = ALL[name]
    batches = some_batches(15)
    others = ("stacked",) if name != "residual" else ()
    ways = ("auto", "traced", "vmap", "solo", *others)
    runs = {m: make(model, mixed_lanes(), mechanism=m).epoch(X, Y, batches)[0] for m in ways}
    for way in ways:
        np.testing.assert_allclose(runs[way], runs["solo"], rtol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "residual", "gru"])
def test_a_lane_that_turns_non_finite_retires_alone(name: str) -> None:
    model, _ = ALL[name]
    healthy = lanes_of("sgd", lr=[0.01, 0.02, 0.03], seed=[0, 1, 2])
    doomed = lanes_of("sgd", lr=1e38, seed=7)
    batches = some_batches(10)
    clean = make(model, healthy, torch.float32)
    loss, norm = clean.epoch(X, Y, batches)
    mixed = make(model, [*healthy[:2], *doomed, healthy[2]], torch.float32)
    losses, norms = mixed.epoch(X, Y, batches)
    keep = [0, 1, 3]
    assert np.array_equal(losses[:, keep], loss)
    assert np.array_equal(norms[:, keep], norm)
    for k, j in enumerate(keep):
        for key, value in clean.weights(k).items():
            assert torch.equal(mixed.weights(j)[key], value)
    (number,) = mixed.retired
    out = mixed.retired[number]
    assert number == 2
    assert 1 <= out.step <= 5
    assert out.last_finite_step == out.step - 1
    assert np.isnan(losses[out.step :, 2]).all()
    assert all(torch.isfinite(v).all() for v in mixed.weights(2).values())
    # The state that is kept is that of the last finite step, as a run that stops there has it.
    short = make(model, doomed, torch.float32)
    short.epoch(X, Y, batches[: out.last_finite_step]) if out.last_finite_step else None
    for key, value in short.weights(0).items():
        assert torch.equal(mixed.weights(2)[key], value)


def test_a_nan_in_one_lanes_own_batch_leaves_the_others_alone() -> None:
    x = X.clone()
    x[7] = float("nan")
    specs = lanes_of("adam", lr=[1e-2, 1e-2, 1e-2], seed=[0, 1, 2])
    good = [torch.arange(20, 40).expand(3, 20).contiguous() for _ in range(6)]
    bad = [b.clone() for b in good]
    bad[3][1, 0] = 7
    (clean, dirty) = (make(mlp, specs, torch.float32) for _ in range(2))
    expected, _ = clean.epoch(x, Y, good)
    got, _ = dirty.epoch(x, Y, bad)
    assert np.array_equal(got[:, [0, 2]], expected[:, [0, 2]])
    assert dirty.retired[1].step == 4
    assert dirty.retired[1].reason == "loss is nan"


@pytest.mark.parametrize("clip", [0.05, 0.5])
def test_clipping_is_torchs(clip: float) -> None:
    lanes = make(mlp, lanes_of("sgd", lr=[0.1, 0.5], clip=clip) + lanes_of(torch.optim.SGD, lr=0.5, clip=clip))
    batches = some_batches(20)
    losses, norms = lanes.epoch(X, Y, batches)
    _, alone = solo_torch(mlp, lambda p: torch.optim.SGD(p, lr=0.5), 0, batches, torch.float64, clip=clip)
    np.testing.assert_allclose(losses[:, 1], alone, rtol=1e-12)
    np.testing.assert_allclose(losses[:, 2], alone, rtol=1e-12)
    assert norms.max() > clip  # the curve shows the gradient as it was


def test_schedules_are_a_lanes_own() -> None:
    schedule = lambda step: 0.5 ** (step // 4)  # noqa: E731
    specs = [*lanes_of("adam", lr=0.02, schedule=schedule), *lanes_of("adam", lr=0.02)]
    specs += lanes_of(torch.optim.Adam, lr=0.02, schedule=schedule)
    batches = some_batches(20)
    losses, _ = make(mlp, specs).epoch(X, Y, batches)
    _, scheduled = solo_torch(mlp, lambda p: torch.optim.Adam(p, lr=0.02), 0, batches, torch.float64, schedule=schedule)
    _, constant = solo_torch(mlp, lambda p: torch.optim.Adam(p, lr=0.02), 0, batches, torch.float64)
    np.testing.assert_allclose(losses, np.stack([scheduled, constant, scheduled], 1), rtol=1e-10)


def test_any_torch_optimizer_is_a_lane() -> None:
    line_search = TorchOptimizer(torch.optim.LBFGS, {"lr": 0.1, "max_iter": 3})
    specs = [Lane(TorchOptimizer(torch.optim.ASGD, {"lr": 0.05})), Lane(line_search)]
    specs += lanes_of("adam", lr=1e-2)
    batches = some_batches(8)
    losses, _ = make(mlp, specs).epoch(X, Y, batches)
    _, asgd = solo_torch(mlp, lambda p: torch.optim.ASGD(p, lr=0.05), 0, batches, torch.float64)
    np.testing.assert_allclose(losses[:, 0], asgd, rtol=1e-12)
    torch.manual_seed(0)
    module = mlp().double()
    lbfgs = torch.optim.LBFGS(module.parameters(), lr=0.1, max_iter=3)
    for t, index in enumerate(batches):

        def closure(index: torch.Tensor = index) -> torch.Tensor:
            lbfgs.zero_grad()
            loss = nn.functional.cross_entropy(module(X[index].double()), Y[index])
            loss.backward()
            return loss

        assert lbfgs.step(closure).item() == pytest.approx(losses[t, 1], rel=1e-10)


@pytest.mark.parametrize("name", ALL)
def test_state_goes_on_to_the_bit(name: str, tmp_path) -> None:
    model, _ = ALL[name]
    specs = [*mixed_lanes(), *lanes_of("nadam", lr=1e-2), *lanes_of(torch.optim.Adam, lr=1e-2), *lanes_of("sgd", lr=1e38)]
    batches = some_batches(10)
    whole = make(model, specs, torch.float32, chunk=3)
    losses, _ = whole.epoch(X, Y, batches)
    first = make(model, specs, torch.float32, chunk=3)
    first.epoch(X, Y, batches[:6])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = make(model, specs, torch.float32, chunk=3)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert second.t == 6
    assert second.retired == first.retired
    rest, _ = second.epoch(X, Y, batches[6:])
    assert np.array_equal(rest, losses[6:], equal_nan=True)


def test_a_state_of_other_lanes_is_refused() -> None:
    saved = make(mlp, mixed_lanes()).state_dict()
    with pytest.raises(BadValueError, match="the state is of 5 lanes"):
        make(mlp, mixed_lanes()[:2]).load_state_dict(saved)


def test_own_loss_is_batched() -> None:
    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1)

    lanes = Lanes(mlp, lanes_of("adam", lr=[1e-3, 1e-2]), loss=loss, example=(X[:20], Y[:20]), dtype=torch.float64)
    batches = some_batches(5)
    losses, _ = lanes.epoch(X, Y, batches)
    torch.manual_seed(0)
    module = mlp().double()
    with torch.no_grad():
        expected = loss(module(X[batches[0]].double()), Y[batches[0]])
    assert losses[0, 0] == pytest.approx(expected.item(), rel=1e-12)


def test_a_module_is_copied_and_left_alone() -> None:
    module = mlp()
    before = copy.deepcopy(module.state_dict())
    lanes = make(module, lanes_of("sgd", lr=[0.1, 0.1], seed=[0, 1]))
    losses, _ = lanes.epoch(X, Y, some_batches(3))
    assert np.array_equal(losses[:, 0], losses[:, 1])  # one initialisation, whatever the seed
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_the_callers_generator_and_threads_are_untouched() -> None:
    torch.manual_seed(5)
    threads, expected = torch.get_num_threads(), torch.get_rng_state()
    make(Residual, mixed_lanes()).epoch(X, Y, some_batches(2))
    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.get_num_threads() == threads


def test_dropout_masks_differ_by_lane_step_and_seed() -> None:
    specs = lanes_of("sgd", lr=[0.0, 0.0, 0.0], seed=[4, 4, 5])
    losses, _ = make(dropping, specs).epoch(X, Y, [torch.arange(50)] * 4)
    assert np.array_equal(losses[:, 0], losses[:, 1])
    assert len(set(losses[:, 0])) == 4
    assert not np.isclose(losses[:, 0], losses[:, 2]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": []}, "no lanes to train"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64, got torch.float16"),
        ({"mechanism": "magic"}, "mechanism must be auto, native, stacked, traced, vmap, solo; got 'magic'"),
        ({"model": nn.Flatten()}, "no parameter that requires a gradient"),
        ({"model": Residual, "mechanism": "stacked"}, "this model cannot be stacked: Residual has no stacked form"),
        ({"model": lambda: 3}, "must return a torch.nn.Module, got int"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments: dict, message: str) -> None:
    given = {"model": mlp, "lanes": lanes_of("adam"), "dtype": torch.float32, **arguments}
    with pytest.raises(BadValueError, match=message):
        make(given.pop("model"), given.pop("lanes"), given.pop("dtype"), **given)


def test_hypers_are_checked_by_lane() -> None:
    with pytest.raises(BadValueError, match=r"adam: b2 must be in \[0, 1\), got 1.0 \(lane 1\)"):
        lanes_of("adam", b2=[0.9, 1.0])
    with pytest.raises(BadValueError, match=r"b2 has 3 values for 2 lanes|lr has 2 values for 3 lanes"):
        lanes_of("adam", lr=[0.1, 0.2], b2=[0.9, 0.8, 0.7])
