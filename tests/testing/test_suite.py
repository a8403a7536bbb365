"""The suite itself: it must find planted faults, and its problems and references must be what they say."""

import numpy as np
import pytest
import torch

from slalom.core.rule import REGISTRY, Choice, Hyper, Rule, State, switch
from slalom.rules import adam, nag
from slalom.testing import Case, cases, conformance, zoo
from slalom.testing.cases import other
from slalom.testing.references import REFERENCES
from slalom.testing.trajectory import agree, deviation
from slalom.testing.twins import run_optax, run_torch, torch_arguments


def planted(update, torch_name=None, **declared):
    made = {
        "lr": Hyper(1e-3, "a", ge=0),
        "b1": Hyper(0.9, "b", ge=0, lt=1, torch="betas[0]"),
        "b2": Hyper(0.999, "c", ge=0, lt=1, torch="betas[1]"),
        "eps": Hyper(1e-8, "e", ge=0),
        "m": State("exp_avg"),
        "v": State("exp_avg_sq"),
    }
    return Rule(update, "planted", "none", "", torch_name, {**made, **declared})


def good(p, g, s, h, t):
    m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    p = p - h.lr * (m / (1 - h.b1**t)) / ((v / (1 - h.b2**t)) ** 0.5 + h.eps)
    return p, s._replace(m=m, v=v)


def reference(x, gradient, lrs, **settings):
    plain = {"weight_decay": 0, "decoupled_weight_decay": False, "amsgrad": False, "bias_correction": True}
    return REFERENCES["adam"](x, gradient, lrs, convention="torch", **plain, **settings)


def failures(rule):
    failed = []
    for check in conformance(rule, reference):
        try:
            check()
        except Exception:
            failed.append(str(check).split("-", 1)[1].split("[")[0])
    return set(failed)


def test_a_right_rule_of_anyones_passes():
    assert failures(planted(good, "Adam")) == set()


def off_by_1e_9(p, g, s, h, t):
    m = (h.b1 + 1e-9) * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    p = p - h.lr * (m / (1 - h.b1**t)) / ((v / (1 - h.b2**t)) ** 0.5 + h.eps)
    return p, s._replace(m=m, v=v)


def eps_inside(p, g, s, h, t):
    m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    p = p - h.lr * (m / (1 - h.b1**t)) / (v / (1 - h.b2**t) + h.eps) ** 0.5
    return p, s._replace(m=m, v=v)


def state_off(p, g, s, h, t):
    q, s = good(p, g, s, h, t)
    return q, s._replace(v=s.v * (1 + 1e-9))


def widened(p, g, s, h, t):
    q, s = good(p, g, s, h, t)
    return q.double(), s


def mixes_lanes(p, g, s, h, t):
    g = g * (1 + 1e-6 * h.lr)  # as a norm over the lanes would
    return good(p, g, s, h, t)


class Remembers:
    """A rule with a memory outside its states."""

    __name__ = "remembers"
    __module__ = __name__
    __doc__ = None

    def __init__(self):
        self.calls = 0

    def __call__(self, p, g, s, h, t):
        self.calls += 1
        return good(p, g * (1 + 1e-3 * (self.calls % 7)), s, h, t)


def ignores_eps(p, g, s, h, t):
    return good(p, g, s, h._replace(eps=1e-8), t)


@pytest.mark.parametrize(
    ("update", "found"),
    [
        (off_by_1e_9, {"reference", "torch"}),
        (eps_inside, {"reference", "torch"}),
        (state_off, {"reference", "torch"}),
        (widened, {"dtype"}),
        (mixes_lanes, {"reference", "torch"}),
        (Remembers(), {"reference", "torch", "round-trip", "lanes"}),
        (ignores_eps, {"reference", "torch", "used"}),
    ],
)
def test_planted_faults_are_found(update, found):
    assert found <= failures(planted(update, "Adam"))


def test_a_wrong_default_and_an_ignored_option_are_found():
    assert "torch-defaults" in failures(planted(good, "Adam", eps=Hyper(1e-7, "e", ge=0)))
    told = [str(c) for c in conformance(planted(good, amsgrad=switch(False))) if "used[amsgrad" in str(c)]
    assert told
    check = next(c for c in conformance(planted(good, amsgrad=switch(False))) if "used[amsgrad" in str(c))
    with pytest.raises(AssertionError, match="amsgrad=True changes nothing"):
        check()


def test_lanes_that_share_a_statistic_are_found():
    from slalom.testing.lanes import check_lanes

    def rounds(p, g, s, h, t):  # float32 somewhere in the middle
        return good(p, g.float().double(), s, h._replace(lr=h.lr), t) if isinstance(h.lr, float) else good(p, g, s, h, t)

    with pytest.raises(AssertionError, match="lane 0 of"):
        check_lanes(planted(rounds), {})


def test_cases_cover_the_declaration():
    for rule in REGISTRY.values():
        if not rule.update.__module__.startswith("slalom.rules"):
            continue
        tried = [c.settings for c in cases(rule)]
        for name, hyper in rule.hypers.items():
            assert len({s.values[name] for s in tried}) >= 2, (rule, name)
            assert all(hyper.admits(s.values[name]) for s in tried)
        for name, option in rule.options.items():
            seen = {s.options[name] for s in tried}
            assert seen >= set(option.values) if isinstance(option, Choice) else len(seen) == 2


def test_every_shipped_rule_has_a_reference_and_torch_rules_a_twin():
    import slalom.rules

    assert set(slalom.rules.__all__) == set(REFERENCES)
    for name in slalom.rules.__all__:
        rule = REGISTRY[name]
        covered = sum(torch_arguments(c.settings) is not None for c in cases(rule))
        assert (covered >= 1 + len(rule.hypers) - 3) == (rule.torch_name is not None or name in ("momentum", "nag"))


def test_twins_say_when_they_do_not_exist():
    problem = zoo()["forced"]
    assert run_torch(adam(convention="tf"), problem, [0.1]) is None
    assert run_optax(adam(amsgrad=True), problem, [0.1]) is None
    assert torch_arguments(nag(momentum=0.0)) is None


@pytest.mark.parametrize("problem", [p for k, p in zoo().items() if k != "forced"], ids=lambda p: p.name)
def test_problems_gradients_are_those_of_their_values(problem):
    h = 1e-6
    for x in (problem.start, problem.start + 0.3):
        slope = [(problem.value(x + h * e) - problem.value(x - h * e)) / (2 * h) for e in np.eye(len(x))]
        assert np.abs(np.array(slope) - problem.gradient(x, 1)).max() < 1e-6 * max(1.0, np.abs(slope).max())
    assert np.abs(problem.gradient(problem.minimiser, 1)).max() < 1e-12
    near = [problem.value(problem.minimiser + 1e-3 * e) for e in np.eye(len(problem.start))]
    assert min(near) > problem.value(problem.minimiser)


def test_references_do_not_read_the_rules():
    import ast
    import pathlib

    import slalom.testing.references as package

    for file in pathlib.Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(n.startswith(("slalom.rules", "slalom.core", "torch")) for n in names), file


def test_agreement_names_the_step_and_never_passes_nan():
    a = np.ones((5, 2))
    b = a.copy()
    b[3, 1] += 1e-6
    agree(a, a, 0.0, "same")
    with pytest.raises(AssertionError, match="first at step 3"):
        agree(a, b, 1e-9, "other")
    assert np.isnan(deviation(np.full((2, 1), np.nan), np.ones((2, 1))))
    with pytest.raises(AssertionError):
        agree(np.full((2, 1), np.nan), np.full((2, 1), np.nan), 1.0, "nan")
    # a fault of the size of the way, hidden behind a large start, is seen
    assert deviation(np.array([[1e6], [1e6 + 1.0]]), np.array([[1e6], [1e6 + 1.1]])) > 0.05


def test_other_values_stay_inside():
    for hyper in (Hyper(0.0, "x", ge=0, le=0.05), Hyper(1.0, "x", ge=0, le=1), Hyper(0.5, "x", gt=0, lt=0.6), Hyper(-1.0, "x"),
                  Hyper(1.0, "x", ge=1), Hyper(0.0, "x", le=0)):  # fmt: skip
        assert hyper.admits(other(hyper)), hyper
        assert other(hyper) != hyper.default


def test_a_case_is_named_by_what_is_given():
    assert str(Case(adam, {})) == "defaults"
    assert str(Case(adam, {"b1": 0.8, "amsgrad": True})) == "b1=0.8,amsgrad=True"
    assert torch.get_default_dtype() == torch.float32
