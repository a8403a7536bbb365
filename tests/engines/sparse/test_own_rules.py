"""Rules of a user's own whose body is outside the elementwise language."""

import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import REGISTRY, Hyper, rule, zeros
from slalom.engines.optimizer import optimizer_class
from tests.engines.kernels.odd_rule import odd
from tests.engines.sparse.twins import difference, gradients, run, table


@pytest.fixture
def registered():
    known = set(REGISTRY)
    yield
    for name in set(REGISTRY) - known:
        del REGISTRY[name]


@pytest.mark.parametrize("mode", ["lazy", "dense-equivalent"])
def test_a_rule_that_cannot_be_read_is_stepped_by_itself(registered, mode):
    @rule(source="here", lr=Hyper(0.1, "l", ge=0), mu=Hyper(0.9, "m", ge=0), v=zeros)
    def soft(p, g, s, h, t):
        """Momentum whose step is bounded."""
        v = h.mu * s.v + g
        return p - h.lr * torch.tanh(v) / t, s._replace(v=v)

    cls = optimizer_class(soft)
    p, q = table(), table()
    a, b = cls([p], sparse=mode), cls([q])
    grads = list(gradients(9))
    if mode == "lazy":
        grads = [g + torch.ones_like(q).detach().to_sparse(1) for g in grads]
    run(a, p, grads, dense=False).catch_up()
    assert difference(a, p, run(b, q, grads, dense=True), q) <= 1e-10


@pytest.mark.parametrize("mode", ["lazy", "dense-equivalent"])
def test_a_rule_whose_rows_depend_on_one_another_is_refused(registered, mode):
    @rule(source="here", lr=Hyper(0.1, "l", ge=0))
    def whole(p, g, s, h, t):
        """A step of length lr."""
        return p - h.lr * g / g.norm(), s

    p = table()
    with pytest.raises(BadValueError, match=r"Whole: a step of whole on one row depends on the others, so rows cannot"):
        run(optimizer_class(whole)([p], sparse=mode), p, gradients(1), dense=False)


@pytest.mark.parametrize("mode", ["lazy", "dense-equivalent"])
def test_the_corners_of_the_language(registered, mode):
    cls = optimizer_class(odd)
    p, q = table(), table()
    a, b = cls([p], sparse=mode, lr=0.001), cls([q], lr=0.001)
    grads = list(gradients(12))
    if mode == "lazy":
        grads = [g + torch.ones_like(q).detach().to_sparse(1) for g in grads]
    run(a, p, grads, dense=False).catch_up()
    assert difference(a, p, run(b, q, grads, dense=True), q) <= 1e-10
