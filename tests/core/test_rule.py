"""The rule contract: bounds, options, conventions, gates, states, registry, and what is said when one is wrong."""

import pytest
import torch

import slalom.rules  # registers them
from slalom.core import BadValueError, Choice, Count, Hyper, State, UnknownNameError, get_rule, rule, switch, zeros
from slalom.core.rule import REGISTRY, Rule


@pytest.mark.parametrize(
    ("hyper", "text", "inside", "outside"),
    [
        (Hyper(0.9, "b", ge=0, lt=1), "[0, 1)", (0, 0.5, 1 - 1e-16), (-1e-300, 1.0, 2)),
        (Hyper(0.5, "b", gt=0, le=1), "(0, 1]", (1e-300, 1.0), (0.0, -0.0, 1.0000000001)),
        (Hyper(0.0, "b"), "(-inf, inf)", (-1e300, 1e300), ()),
        (Hyper(1.0, "b", ge=1), "[1, inf)", (1, 1e9), (0.999,)),
        (Hyper(-1.0, "b", lt=0), "(-inf, 0)", (-1e-9,), (0.0,)),
    ],
)
def test_hyper_bounds(hyper, text, inside, outside):
    assert hyper.allowed == text
    assert all(hyper.admits(v) for v in inside)
    assert not any(hyper.admits(v) for v in (*outside, float("nan"), float("inf"), float("-inf")))


def test_options_admit_their_values_alone():
    assert Choice((False, True)).admits(True)
    assert not Choice((False, True)).admits(1)
    assert not Choice((1, 2)).admits(True)
    assert Choice(("a", "b")).allowed == "one of 'a', 'b'"
    assert switch(True).default is True
    assert not switch(False).default
    assert Count(10, "w").admits(1)
    assert not any(Count(10, "w", ge=2).admits(v) for v in (1, 2.0, True, "3", None))


def update(p, g, s, h, t):
    return p - h.lr * g, s


def made(**declared):
    return Rule(update, "a rule", "nowhere", "", None, {"lr": Hyper(0.1, "a", ge=0), **declared})


def test_settings_are_defaults_then_what_is_given():
    r = made(
        b=Hyper(0.5, "b", by_convention={"tf": 0.25}),
        flag=switch(False),
        convention=Choice(("torch", "tf")),
        w=Count(3, "w"),
    )
    assert r().values == {"lr": 0.1, "b": 0.5}
    assert r(convention="tf").values["b"] == 0.25
    assert r(convention="tf", b=0.75).values["b"] == 0.75
    assert r(lr=1).values["lr"] == 1.0
    assert isinstance(r(lr=1).values["lr"], float)
    assert r(w=5).options == {"flag": False, "convention": "torch", "w": 5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": -1}, r"update: lr must be in \[0, inf\), got -1"),
        ({"lr": True}, r"update: lr must be a number in \[0, inf\), got True"),
        ({"lr": "0.1"}, "got '0.1'"),
        ({"lr": float("nan"), "lane": 3}, r"got nan \(lane 3\)"),
        ({"flag": 1}, "update: flag must be one of False, True, got 1"),
        ({"w": 0, "lane": 0}, r"update: w must be a whole number >= 1, got 0 \(lane 0\)"),
        ({"twice": True}, r"update: twice=True does nothing without flag, got flag=False; set flag too"),
        ({"extra": True}, r"update: extra=True does nothing without decay, got decay=0.0"),
    ],
)
def test_wrong_values_are_named(given, message):
    r = made(
        flag=switch(False), w=Count(3, "w"), decay=Hyper(0.0, "d", ge=0, gate=True),
        twice=switch(False, needs="flag"), extra=switch(False, needs="decay"),
    )  # fmt: skip
    with pytest.raises(BadValueError, match=message):
        r(**given)
    assert r(twice=True, flag=True, extra=True, decay=0.1)


def test_unknown_names_are_met_with_the_nearest():
    with pytest.raises(UnknownNameError, match="there is no hyper of update 'lrr'; did you mean 'lr'"):
        made()(lrr=1)
    with pytest.raises(UnknownNameError, match="there is no rule 'adm'; did you mean 'adam'"):
        get_rule("adm")
    with pytest.raises(LookupError):
        get_rule("nothing like it")


def test_gates_decide_states_and_programs():
    r = made(mu=Hyper(0.0, "m", ge=0, gate=True), v=State("buf", when="mu"), n=zeros)
    assert list(r().states) == ["n"]
    assert list(r(mu=0.5).states) == ["v", "n"]
    assert r().program != r(mu=0.5).program
    assert r(gates={"mu": True}).program == r(mu=0.5).program
    assert r().program == r(lr=5.0).program
    assert r().init(torch.ones(2)).v is None
    assert r(mu=0.5).hypers().on.mu is True


def test_states_are_made_as_declared():
    r = made(
        start=Hyper(0.25, "s"), w=Count(4, "w"), a=zeros, b=State(fill="start"), c=State(scalar=True, fill=1.0),
        d=State(window="w"),
    )  # fmt: skip
    p = torch.ones(2, 3, dtype=torch.bfloat16)
    s = r(start=0.5).init(p)
    assert s.a.dtype == s.b.dtype == s.d.dtype == torch.bfloat16
    assert (s.a == 0).all()
    assert (s.b == 0.5).all()
    assert s.c.dtype == torch.float64
    assert s.c.shape == ()
    assert s.c == 1
    assert s.d.shape == (4, 2, 3)
    strided = torch.ones(3, 2).t()
    assert r().init(strided).a.stride() == strided.stride()


def test_a_step_changes_nothing_in_place():
    r = get_rule("adam")(amsgrad=True, weight_decay=0.1)
    p, g = torch.ones(3), torch.tensor([1.0, -2.0, 0.0])
    s = r.init(p)
    r.step(p, g, s, 1)
    assert (p == 1).all()
    assert g.tolist() == [1, -2, 0]
    assert all((x == 0).all() for x in s)


def test_a_step_is_differentiable():
    r = get_rule("adam")()
    p = torch.ones(3, dtype=torch.float64, requires_grad=True)
    g = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, g: r.step(p, g, r.init(p.detach()), 3)[0], (p, g))


def test_declarations_are_checked():
    with pytest.raises(TypeError, match="declare hypers with Hyper"):
        made(x=3)


def test_registration_and_its_clash():
    before = dict(REGISTRY)
    try:

        @rule(source="here", lr=Hyper(0.1, "a"))
        def lonely(p, g, s, h, t):
            """One line."""
            return p - h.lr * g, s

        assert get_rule("lonely") is lonely
        assert lonely.doc == "One line."
        assert repr(lonely) == "<rule lonely>"

        def adam(p, g, s, h, t):
            return p, s

        with pytest.raises(BadValueError, match=r"'adam' is already declared in slalom\.rules\.adam"):
            rule(source="here", lr=Hyper(0.1, "a"))(adam)
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)


def test_every_shipped_rule_is_documented():
    for name in slalom.rules.__all__:
        r = get_rule(name)
        assert r.name == name
        assert r.doc.endswith(".")
        assert "\n" not in r.doc
        assert r.source
        assert r.differs
        assert all(h.doc and h.symbol for h in r.hypers.values()), name
        assert all(o.doc for o in r.options.values()), name
        assert r.torch_name is None or hasattr(torch.optim, r.torch_name)
