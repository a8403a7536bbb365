"""Every surface is what its name says: minima, slopes, rotation; and your own function becomes one."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.landscape.surfaces import names, own_surface, surface, surfaces

EVERY = surfaces()
ids = [s.name for s in EVERY]


def test_the_ten_are_there():
    assert {"saddle", "monkey_saddle", "beale", "long_valley", "noisy_moons", "rosenbrock", "himmelblau", "rastrigin", "booth",
            "quadratic"} <= set(names())  # fmt: skip


# Written a second time, with NumPy alone, at a point; from the literature's formulas.
BY_HAND = {
    "saddle": lambda x, y: x * x - y * y,
    "monkey_saddle": lambda x, y: ((x + 1j * y) ** 3).real,
    "beale": lambda x, y: sum((c - x * (1 - y**k)) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
    "long_valley": lambda x, y: 4 * x * x + 2 * math.exp(-y * y / 4),
    "rosenbrock": lambda x, y: optimize.rosen([x, y]),
    "himmelblau": lambda x, y: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    "rastrigin": lambda x, y: sum(10 + v * v - 10 * math.cos(2 * math.pi * v) for v in (x, y)),
    "booth": lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
    "quadratic": lambda x, y: np.array([x, y]) @ np.diag([1, 1000]) @ np.array([x, y]) / 2,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_heights(name):
    for x, y in np.random.default_rng(1).uniform(-2, 2, (5, 2)):
        assert float(surface(name)(x, y)) == pytest.approx(BY_HAND[name](x, y), rel=1e-12)


def test_noisy_moons_are_a_logistic_regression():
    from sklearn.datasets import make_moons
    from sklearn.linear_model import LogisticRegression

    x, label = make_moons(400, noise=0.25, random_state=0)
    moons = surface("noisy_moons")
    t = 2 * label - 1
    for w in ((-2.2, 2.0), (30.0, -80.0)):  # the second: where a naive softplus overflows
        assert float(moons(*w)) == pytest.approx(np.logaddexp(0, -t * (x @ np.array(w))).mean(), rel=1e-12)
    fitted = LogisticRegression(C=1e10, fit_intercept=False, tol=1e-10).fit(x, label).coef_[0]
    assert moons.minima[0] == pytest.approx(tuple(fitted), abs=1e-4)
    batches = moons.batches(150, seed=3)
    assert batches.shape == (150, 6)
    one, slope = moons.slopes(np.array([[0.5, -1.0]]), batches[0])
    at = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    rows = torch.from_numpy((x * t[:, None])[batches[0]])
    loss = torch.nn.functional.softplus(-(rows @ at)).mean()
    assert one[0] == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(slope[0], torch.autograd.grad(loss, at)[0], rtol=1e-12)


@pytest.mark.parametrize("s", EVERY, ids=ids)
@pytest.mark.parametrize("angle", [0, 45, 200])
def test_slopes_and_known_points(s, angle):
    turned = s.rotated(angle)
    points = np.random.default_rng(2).normal(size=(4, 2))
    height, slope = turned.slopes(points)
    at = torch.tensor(points, requires_grad=True)
    wanted = turned(at[:, 0], at[:, 1])
    np.testing.assert_allclose(height, wanted.detach(), rtol=1e-12)
    np.testing.assert_allclose(slope, torch.autograd.grad(wanted.sum(), at)[0], rtol=1e-9, atol=1e-9)
    for point in (*turned.minima, *turned.saddles):
        assert np.abs(turned.slopes(np.array([point]))[1]).max() < 1e-6
    for point in turned.minima:
        around = np.array(point) + 1e-3 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, 1]])
        assert (turned.slopes(around)[0] > turned.slopes(np.array([point]))[0]).all()


@pytest.mark.parametrize("s", EVERY, ids=ids)
def test_rotation_turns_against_the_clock_around_the_middle(s):
    turned, (mx, my) = s.rotated(90), s.centre
    x, y = s.start
    assert turned.start == pytest.approx((mx - (y - my), my + (x - mx)))
    assert float(turned(*turned.start)) == pytest.approx(float(s(*s.start)), rel=1e-12)
    back = turned.rotated(-45).rotated(-45)
    assert back.start == pytest.approx(s.start, abs=1e-12)
    assert back.angle == 0
    x0, x1, y0, y1 = s.box
    assert x1 - x0 == pytest.approx(y1 - y0)  # a square, or a turn would not look like one
    assert x0 < s.start[0] < x1
    assert y0 < s.start[1] < y1
    assert not s.arrived(*s.start)


def test_your_own_as_a_formula():
    mine = own_surface(lambda x, y: (x - 1) ** 2 + 4 * y**2, name="mine", minima=((1.0, 0.0),))
    assert mine.text == "(x - 1)² + 4 y²"
    assert mine.printable
    assert not mine.arrived(-1.0, 1.0)
    assert mine.arrived(1.0, 0.001)
    assert surface(mine, 30).angle == 30


def test_your_own_by_torch():
    def well(x, y):
        return torch.tanh(x) ** 2 + torch.special.expit(y) * y

    mine = surface(well, rotate=45)
    assert not mine.printable
    assert mine.text == "well(x, y)"
    points = np.random.default_rng(0).normal(size=(3, 2))
    height, slope = mine.slopes(points)
    step = 1e-6
    for k in range(2):
        ahead, behind = points.copy(), points.copy()
        ahead[:, k] += step
        behind[:, k] -= step
        np.testing.assert_allclose(slope[:, k], (mine.slopes(ahead)[0] - mine.slopes(behind)[0]) / (2 * step), atol=1e-8)
    assert mine.grid(7)[2].shape == (7, 7)
    assert float(mine(points[0, 0], points[0, 1])) == pytest.approx(height[0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: surface("beal"), "did you mean 'beale'"),
        (lambda: surface(3), "a surface is a name"),
        (lambda: surface("beale", rotate=math.nan), "must be a number of degrees in \\(-inf, inf\\), got nan"),
        (lambda: surface("no.such.module:f"), "cannot import the surface no.such.module:f"),
        (lambda: own_surface(lambda x: x), "takes 1"),
        (lambda: own_surface(lambda x, y: x.no_such()), "failed on tensors"),
        (lambda: own_surface(lambda x, y: torch.stack([x, y]).sum()), "must give 2 numbers"),
        (lambda: own_surface(lambda x, y: 1 / (x + 1) + 0 * y), "is inf; give a start"),
        (lambda: own_surface(lambda x, y: x + y, box=(1, 0, 0, 1)), "x0 < x1"),
        (lambda: own_surface(lambda x, y: x + y, start=(math.inf, 0)), "two finite numbers"),
    ],
)
def test_errors(make, said):
    with pytest.raises((BadValueError, UnknownNameError), match=said):
        make()
