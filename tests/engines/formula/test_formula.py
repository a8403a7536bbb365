"""A function's tree says what the function says, and its derivative is torch's."""

import math

import numpy as np
import pytest
import torch

from slalom.core.ops import absolute, cos, exp, log, maximum, minimum, sign, sin, sqrt, where
from slalom.engines.formula import Tape, derivative, text, traced
from slalom.engines.printers.tree import LanguageError


def every_word(x, y):
    a = sqrt(x**2 + 1) * exp(-y / 3) + log(2 + cos(x * y)) / (3 - sin(y))
    return a + maximum(x, y) * minimum(x, 2 * y) - absolute(x - 0.3) + sign(y) * x**3 + where(x < y, x**2, -(y**-2))


CASES = {
    "beale": lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
    "every word": every_word,
    "a loop and a helper": lambda x, y: sum(math.comb(4, k) * x**k * (1 - y) ** (4 - k) for k in range(5)),
    "only x": lambda x, y: 3 - x / 7,
    "a constant": lambda x, y: 5.0,
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes_are_torchs(name):
    f = CASES[name]
    points = np.random.default_rng(0).normal(size=(50, 2))
    tree = traced(f, "xy")
    value, dx, dy = Tape([tree, derivative(tree, "x"), derivative(tree, "y")])({"x": points[:, 0], "y": points[:, 1]})
    at = torch.tensor(points, requires_grad=True)
    wanted = torch.as_tensor(f(at[:, 0], at[:, 1]), dtype=torch.float64).expand(50)
    slope = torch.autograd.grad(wanted.sum(), at)[0].numpy() if wanted.requires_grad else np.zeros((50, 2))
    np.testing.assert_allclose(np.broadcast_to(value, 50), wanted.detach(), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(np.stack([np.broadcast_to(v, 50) for v in (dx, dy)], 1), slope, rtol=1e-11, atol=1e-12)


def test_a_tape_computes_each_part_once():
    tape = Tape([traced(lambda x, y: (x + y) ** 2 + exp(x + y), "xy"), traced(lambda x, y: x + y, "xy")])
    assert len(tape.entries) == len(set(tape.entries)) == 7  # x, y, x + y, 2, its square, its exponential, their sum
    assert all(part < k for k, parts in enumerate(tape.parts) for part in parts)


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x, y: x - (y - 1), "x - (y - 1)"),
        (lambda x, y: -(x + y) * 2, "-(x + y) · 2"),
        (lambda x, y: x / (y * 2) + (x / y) * 2, "x / (y · 2) + x / y · 2"),
        (lambda x, y: (x**2) ** y + x ** (y + 1), "(x²)^y + x^(y + 1)"),
        (lambda x, y: x - -3 * maximum(x, 0.25), "x - (-3 max(x, 0.25))"),
    ],
)
def test_text_keeps_the_order_of_operations(f, said):
    assert text(traced(f, "xy")) == said


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x, y: x if x > 0 else y, "use where"),
        (lambda x, y: np.tanh(x), "`tanh` is not a word"),
        (lambda x, y: np.stack([x, y]).sum(), "not a word"),
        (lambda x, y: math.sqrt(x), "cannot be read"),
        (lambda x, y: [x, y], "names and numbers"),
        (lambda x: x, "cannot be read"),
    ],
)
def test_what_is_no_formula_is_said(f, said):
    with pytest.raises(LanguageError, match=said):
        traced(f, "xy")
