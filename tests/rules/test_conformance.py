"""Every shipped rule through the conformance suite: references, twins, states, dtypes, bounds, lanes, nothing ignored."""

import pytest

import slalom.rules
from slalom.core.rule import REGISTRY
from slalom.testing import conformance

SHIPPED = [REGISTRY[name] for name in slalom.rules.__all__]


@pytest.mark.parametrize("check", [c for rule in SHIPPED for c in conformance(rule)], ids=str)
def test_conformance(check):
    check()
