"""Slices, planes, lines and sharpness of small networks, against what torch, scikit-learn and whole Hessians say."""

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from slalom.core.errors import BadDataError, BadValueError
from slalom.data import load
from slalom.engines.lanes.layout import Layout
from slalom.landscape.networks import interpolation, loss_slice, sharpness, trajectory_plane
from slalom.landscape.networks.directions import filter_normalised, principal_plane


def network(seed=0, width=6):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 3))


@pytest.fixture(scope="module")
def iris():
    return load("iris")


def loss_with(model, row, x, y):
    """By hand: a copy of the model with these parameters, run by itself."""
    own = copy.deepcopy(model).eval()
    nn.utils.vector_to_parameters(row.to(torch.float32), own.parameters())
    with torch.no_grad():
        return nn.functional.cross_entropy(own(x), y).item()


def test_a_slice_is_the_loss_of_the_moved_network(iris):
    model = nn.Sequential(network(), nn.Dropout(0.5))  # in evaluation mode it does nothing
    made = loss_slice(model, iris, points=5, span=0.8)
    assert len(made.planes) == 2
    row = nn.utils.parameters_to_vector(model.parameters()).detach()
    layout = Layout.of(model)
    for k, plane in enumerate(made.planes):
        one, two = (filter_normalised(layout, row, 2 * k + i) for i in (0, 1))
        for i, j in ((0, 0), (1, 3), (4, 2)):
            wanted = loss_with(model, row + plane.x[j] * one + plane.y[i] * two, iris.train.x, iris.train.y)
            assert plane.losses[i, j] == pytest.approx(wanted, rel=1e-5)
        assert plane.losses[2, 2] == pytest.approx(made.centre, rel=1e-6)
    assert not np.allclose(made.planes[0].losses, made.planes[1].losses)
    few = loss_slice(model, iris, points=3, planes=1, rows=10)
    assert few.about == "iris, train, 10 samples"
    own = loss_slice(model, (iris.val.x, iris.val.y), points=3, planes=1)
    val = loss_slice(model, iris, points=3, planes=1, part="val")
    assert np.array_equal(own.planes[0].losses, val.planes[0].losses)


@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.ReLU(), nn.Linear(9, 3)), "cross_entropy"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 7, bias=False), nn.Linear(7, 3)), "mse"),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(32, 3)), "cross_entropy"),
        (lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(36, 3)), "cross_entropy"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), "cross_entropy"),
    ],
    ids=["mlp", "no bias", "convolution first", "norm first", "linear"],
)
def test_a_plane_of_many_points_and_samples_is_right_everywhere(make, loss):
    """More points than one call takes, more samples than stay in the cache; biases move too."""
    torch.manual_seed(2)
    model, x = make().eval(), torch.randn(301, 1, 6, 6)
    y = torch.randint(0, 3, (301,)) if loss == "cross_entropy" else torch.randn(301, 3)
    made = loss_slice(model, (x, y), points=9, planes=1, span=0.7, vectors="norm", loss=loss).planes[0]
    layout, own = Layout.of(model), copy.deepcopy(model).double()
    row = nn.utils.parameters_to_vector(model.parameters()).detach()
    one, two = (filter_normalised(layout, row, i, "norm").double() for i in (0, 1))
    for i in range(9):
        for j in range(9):
            nn.utils.vector_to_parameters(row.double() + made.x[j] * one + made.y[i] * two, own.parameters())
            with torch.no_grad():
                out = own(x.double())
                wanted = (
                    nn.functional.cross_entropy(out, y) if loss == "cross_entropy" else nn.functional.mse_loss(out, y.double())
                )
            assert made.losses[i, j] == pytest.approx(wanted.item(), rel=2e-6)


def test_every_filter_is_as_long_as_the_networks_own():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))
    row, layout = nn.utils.parameters_to_vector(model.parameters()).detach(), Layout.of(model)
    parts = {k: v[0] for k, v in layout.split(filter_normalised(layout, row, 3)[None]).items()}
    own = dict(model.named_parameters())
    for name in ("0.weight", "3.weight"):
        torch.testing.assert_close(parts[name].flatten(1).norm(dim=1), own[name].flatten(1).norm(dim=1).detach())
    assert not any(parts[name].any() for name in ("0.bias", "1.weight", "1.bias", "3.bias"))
    moved = {k: v[0] for k, v in layout.split(filter_normalised(layout, row, 3, "norm")[None]).items()}
    assert moved["3.bias"].norm() == pytest.approx(own["3.bias"].norm().item(), rel=1e-5)
    assert not torch.equal(filter_normalised(layout, row, 3), filter_normalised(layout, row, 4))


def test_a_slice_does_not_see_a_rescaling_of_layers():
    # ReLU: twice the first layer and half the second is the same function; filter normalisation keeps the picture too.
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].weight *= 4
        other[2].weight /= 4
    pictures = [loss_slice(m, "iris", points=7, planes=1).planes[0].losses for m in (model, other)]
    np.testing.assert_allclose(*pictures, rtol=1e-4)


def test_the_plane_is_that_of_pca():
    points = np.random.default_rng(0).normal(size=(40, 2)) @ np.random.default_rng(1).normal(size=(2, 9)) * 3
    points += np.random.default_rng(2).normal(size=points.shape) + 5
    ours, theirs = principal_plane(torch.from_numpy(points)), PCA(2).fit(points)
    np.testing.assert_allclose(ours.kept, theirs.explained_variance_ratio_, rtol=1e-10)
    found = ours.project(torch.from_numpy(points)).numpy()
    wanted = theirs.transform(points)
    np.testing.assert_allclose(found * np.sign((found * wanted).sum(0)), wanted, atol=1e-9)
    torch.testing.assert_close(ours.axes @ ours.axes.T, torch.eye(2, dtype=torch.float64))


def test_runs_in_their_plane(iris):
    made = trajectory_plane("mlp:6", iris, ["sgd", "adam"], lr={"sgd": 0.3, "adam": 0.02}, epochs=10, batch_size=16, points=9)
    (plane,) = made.planes
    assert [t.label for t in plane.traces] == ["sgd 0.3", "adam 0.02"]
    assert np.array_equal(plane.traces[0].points[0], plane.traces[1].points[0])  # one start
    assert plane.traces[0].losses[0] == plane.traces[1].losses[0]
    assert all(t.losses[-1] < 0.7 * t.losses[0] for t in plane.traces)
    assert plane.traces[0].steps[0] == 0
    assert plane.traces[0].steps[-1] == 10 * math.ceil(len(iris.train) / 16)
    assert 0.5 < sum(plane.kept) <= 1
    assert f"{sum(plane.kept):.0%} of the variance kept" in plane.words
    for axis, i in ((plane.x, 0), (plane.y, 1)):
        every = np.concatenate([t.points[:, i] for t in plane.traces])
        assert axis[0] < every.min()
        assert axis[-1] > every.max()
    diverged = trajectory_plane("mlp:6", iris, ["sgd", "momentum"], lr={"sgd": 0.1, "momentum": 1e30}, epochs=3, points=3)
    assert [t.rule for t in diverged.planes[0].traces] == ["sgd"]
    assert "momentum turned non-finite at step" in diverged.notes[0]


def test_between_two_networks(iris):
    model, width = network(width=6), 6
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(iris.train.x), iris.train.y).backward()
        optimizer.step()
    order = torch.arange(width).flip(0)  # the same function, its hidden units in another order
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].weight.copy_(model[0].weight[order])
        other[0].bias.copy_(model[0].bias[order])
        other[2].weight.copy_(model[2].weight[:, order])
    made = interpolation(model, model.state_dict(), other, iris, points=11, beyond=0.5)
    ends = made.train[np.isin(made.at, (0, 1))]
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)
    assert made.barrier > 0.1
    a, b = (nn.utils.parameters_to_vector(m.parameters()).detach() for m in (model, other))
    for k in (0, 4, len(made.at) - 1):
        wanted = loss_with(model, a + made.at[k] * (b - a), iris.train.x, iris.train.y)
        assert made.train[k] == pytest.approx(wanted, rel=1e-4)
        wanted = loss_with(model, a + made.at[k] * (b - a), iris.val.x, iris.val.y)
        assert made.val[k] == pytest.approx(wanted, rel=1e-4)
    assert interpolation(model, model, model, iris, points=5).barrier == 0
    far = network(5)
    line = interpolation(model, model, far, iris, points=5, beyond=0)
    c = nn.utils.parameters_to_vector(far.parameters()).detach()
    assert line.train[1] == pytest.approx(loss_with(model, 0.75 * a + 0.25 * c, iris.train.x, iris.train.y), rel=1e-4)
    assert line.train[-1] == pytest.approx(loss_with(model, c, iris.train.x, iris.train.y), rel=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_sharpness_against_the_whole_hessian(iris, seed):
    model = network(seed, width=3).double()
    with torch.no_grad():
        for p in model.parameters():
            p *= 2  # away from the start, so that the Hessian has eigenvalues of both signs
    x, y = iris.train.x.double(), iris.train.y
    row = nn.utils.parameters_to_vector(model.parameters()).detach()
    names = dict(model.named_parameters())

    def f(row):
        parts = torch.split(row, [p.numel() for p in names.values()])
        given = {k: v.view_as(p) for (k, p), v in zip(names.items(), parts, strict=True)}
        return nn.functional.cross_entropy(torch.func.functional_call(model, given, (x,)), y)

    hessian = torch.autograd.functional.hessian(f, row)
    values = torch.linalg.eigvalsh(hessian)
    assert values[0] < -1e-6
    made = sharpness(model, iris, samples=400, iterations=2000, tolerance=1e-7, eigenvalues=3, seed=seed)
    assert made.converged
    assert made.parameters == len(row)
    assert made.top == pytest.approx(values[-1].item(), rel=1e-6)
    assert made.dominant == pytest.approx(values[values.abs().argmax()].item(), rel=1e-6)
    assert made.dominant < 0 or seed  # seed 0 is a saddle that is steeper downwards
    assert made.eigenvalues == pytest.approx(tuple(values.flip(0)[:3].tolist()), rel=1e-6)
    off = hessian - torch.diag(torch.diagonal(hessian))
    assert made.trace_se == pytest.approx(math.sqrt(2 * float((off**2).sum()) / 400), rel=0.25)  # its variance in closed form
    assert abs(made.trace - values.sum().item()) < 4 * made.trace_se
    assert made.edge == pytest.approx(2 / made.top)
    assert made.loss == pytest.approx(f(row).item(), rel=1e-12)


def test_gradient_descent_leaves_beyond_the_edge():
    # At lr just below 2 / top it comes back to the minimum of a quadratic, just above it does not.
    x = torch.tensor([[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]])
    line = nn.Linear(2, 1, bias=False)
    edge = sharpness(line, (x, torch.zeros(3, 1)), samples=2, tolerance=1e-10, iterations=10_000).edge
    for share, grows in ((0.99, False), (1.01, True)):
        w = torch.tensor([0.3, 1.0], dtype=torch.float64)
        for _ in range(2000):
            w = w - share * edge * 2 / 3 * x.double().T @ (x.double() @ w)
        assert (w.norm() > 1) == grows


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda m: loss_slice(lambda: m, "iris"), BadValueError, "model must be a trained torch.nn.Module"),
        (lambda m: loss_slice(m, "iris", points=2), BadValueError, r"points must be a whole number in 3..401, got 2"),
        (lambda m: loss_slice(m, "iris", span=0), BadValueError, "span must be"),
        (lambda m: loss_slice(m, "iris", part="all"), BadValueError, "part must be"),
        (lambda m: loss_slice(m, "iris", rows=10**6), BadValueError, "rows must be"),
        (lambda m: loss_slice(m, "iris", vectors="both"), BadValueError, "vectors must be"),
        (lambda m: loss_slice(m, "digits"), BadValueError, "cannot take a batch"),
        (lambda m: loss_slice(m, (torch.zeros(0, 4), torch.zeros(0))), BadDataError, "at least one"),
        (lambda m: interpolation(m, {}, m, "iris"), BadValueError, "weights must hold 0.weight"),
        (lambda m: sharpness(m, "iris", samples=1), BadValueError, "samples must be"),
        (lambda m: sharpness(m, "iris", tolerance=0.0), BadValueError, "tolerance must be"),
        (lambda m: trajectory_plane("mlp:4", "iris", ["lion"]), BadValueError, "picked by hand for lion; give lr="),
        (lambda m: trajectory_plane("mlp:4", "iris", ["sgd"], lr=1e30, epochs=2), BadDataError, "every run turned non-finite"),
    ],
)
def test_errors(call, error, said):
    with pytest.raises(error, match=said):
        call(network())


def test_a_network_that_diverged_is_refused():
    model = network()
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    with pytest.raises(BadValueError, match="not all finite"):
        loss_slice(model, "iris")
