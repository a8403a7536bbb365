"""The reader of rules: what it folds, what it hoists, and what it refuses, naming rule and line."""

from __future__ import annotations

import linecache
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.rule import REGISTRY, Rule
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.nodes import G0, P0, Prev, Step
from slalom.engines.printers.tree import LanguageError, inlined, program, reads
from slalom.rules import adam, nadam, rmsprop, sgd
from tests.engines.kernels.odd_rule import odd

HEAD = """
from slalom.core.ops import sqrt, where, exp
from slalom.core.rule import Hyper, State, rule, switch, zeros
@rule(source="a test", lr=Hyper(0.1, "x", ge=0, gate=True), on_off=switch(False), m=zeros, k=State(scalar=True),
      u=State(when="on_off"))
def tested(p, g, s, h, t):
"""
LINE = HEAD.count("\n") + 1  # of the body's first line


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Rule:
    path = tmp_path / "tested.py"
    path.write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    module = ModuleType("a_rule_under_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    linecache.checkcache()
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    made = REGISTRY.pop("tested")
    return made


@pytest.mark.parametrize(
    ("body", "offset", "message"),
    [
        ("for k in range(3):\n    p = p - g\nreturn p, s", 0, "a line must be"),
        ("p -= g\nreturn p, s", 0, "a line must be"),
        ("a, b = p, g\nreturn a, s", 0, "a line must be"),
        ("p = p - g\np = p @ g\nreturn p, s", 1, "`p @ g` is outside the elementwise language"),
        ("return p.sum(), s", 0, r"`p.sum\(...\)` is not a word of the language: sqrt, exp"),
        ("return p - h.nothing, s", 0, "h.nothing is not a declared hyper"),
        ("return p - s.nothing, s", 0, "s.nothing is not a declared state"),
        ("return p - q, s", 0, "'q' has no value here"),
        ("return p * s.u, s", 0, "state 'u' does not exist under these options"),
        ("if h.lr > 0:\n    p = p - g\nreturn p, s", 0, r"`if h.lr` must test options"),
        ("if t == 1:\n    p = p - g\nreturn p, s", 0, r"`if t` must test options"),
        ("if h.on.m:\n    p = p - g\nreturn p, s", 0, "h.on.m: 'm' is not a hyper declared with gate=True"),
        ("return p * (g > 0), s", 0, "a comparison may only be the condition of `where`"),
        ("p = where(g, p, 0)\nreturn p, s", 0, "the condition of `where` must be a comparison"),
        ("p = sqrt(p, g)\nreturn p, s", 0, "sqrt takes 1 arguments, got 2"),
        ("t = 3\nreturn p, s", 0, "'t' may not be assigned to"),
        ("return p", 0, "the return must be"),
        ("return p, s._replace(q=g)", 0, "'q' is not a declared state"),
        ("return p, s._replace(k=g)", 0, "scalar state 'k' must depend on hypers"),
        ("p = p - g", -1, "the last line must be `return p, s._replace"),
    ],
)
def test_what_is_outside_the_language_is_refused_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, offset: int, message: str
) -> None:
    rule = written(tmp_path, monkeypatch, body)
    with pytest.raises(LanguageError, match=f"rule tested, line {LINE + offset}: {message}"):
        program(rule())


def test_a_rule_without_source_is_refused() -> None:
    exec(HEAD + "    return p, s", {"__name__": __name__})
    with pytest.raises(LanguageError, match="tested: its source cannot be read"):
        program(REGISTRY.pop("tested")())


def test_the_language_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        '"""Docstring."""\nif h.on_off or not h.on.lr:\n    u = s.u\nelif h.on_off == True:\n    pass\nelse:\n    u = s.u\n'
        "c = where(t <= 2, -h.lr, exp(-t) / 3) if not h.on_off else 0\nm = s.m * c - 2 * -g\n"
        "return p - m**2 * 0.5, s._replace(m=m, u=u, k=s.k + c)"
    )
    made = program(written(tmp_path, monkeypatch, body)())
    assert [a.target.name for a in made.assigns] == ["c", "m", "p", "k"]
    assert made.host(made.assigns[0].target)
    assert not made.host(made.assigns[1].target)
    assert made.element_states == ["m"]
    assert made.scalar_states == ["k"]
    tape = HostTape(made, [made.states["k"]])
    assert tape.run({"lr": 0.1}, 3, {"k": 2.0})[0] == pytest.approx(2 + math.exp(-3) / 3, rel=1e-15)
    assert tape.run({"lr": np.array([0.1, 0.2])}, 1, {"k": 2.0})[0].tolist() == [1.9, 1.8]


def test_options_fold_and_absent_states_vanish() -> None:
    assert set(program(sgd()).states) == set()
    assert [a.target.name for a in program(sgd()).assigns] == ["p"]
    assert list(program(adam(amsgrad=True)).states) == ["m", "v", "u"]
    assert set(program(rmsprop(centered=True)).states) == {"v", "m", "d"}
    made = program(adam())
    assert Prev("u") not in {leaf for a in made.assigns for leaf in reads(made, a.value)}
    assert {G0, Prev("v"), Step()} <= reads(made, made.p)
    assert P0 in reads(made, made.p)


def test_what_the_host_computes_is_what_the_rule_computes() -> None:
    settings = nadam()
    made = program(settings)
    s = settings.init(torch.zeros(1, dtype=torch.float64))
    tape = HostTape(made, [made.states["mu_product"]])
    told = 1.0
    for t in range(1, 6):
        _, s = settings.step(torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64), s, t)
        told = float(tape.run(settings.values, t, {"mu_product": told})[0])
        assert told == pytest.approx(float(s.mu_product), rel=1e-15)


@pytest.mark.parametrize("rule", list(REGISTRY.values()), ids=lambda r: r.name)
def test_every_rule_is_in_the_language(rule: Rule) -> None:
    made = program(rule())
    assert made.name == rule.name
    assert set(made.states) == set(rule().states)


def test_a_choice_on_the_host_lets_nothing_through_from_the_other_side() -> None:
    made = program(odd())
    tape = HostTape(made, [made.assigns[0].target])
    assert float(tape.run(odd().values, 0.5, {"k": 2.0})[0]) == 0.25  # 1 / (t - 0.5) is infinite there
    assert tape.run(odd().values, np.array([0.5, 2.5]), {"k": 2.0})[0].tolist() == [0.25, 0.5]


HELPED = """
def helped(p, x, h):
    if h.on.lr:
        p = p * (1 - h.lr * x)
    inner = 2 * p
    return p, inner

def bad(p, g):
    return p @ g, g
"""


def test_a_helper_is_read_as_if_its_body_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HEAD", HELPED + HEAD)
    line = HEAD.count("\n") + 1
    rule = written(tmp_path, monkeypatch, "p, g = helped(p, h.lr, h)\nreturn p - h.lr * g, s._replace(m=g)")
    plain = written(tmp_path, monkeypatch, "p = p * (1 - h.lr * h.lr)\ng = 2 * p\nreturn p - h.lr * g, s._replace(m=g)")
    assert program(rule()).assigns[0].value == program(plain()).assigns[0].value
    one, two = (r.update for r in (rule, plain))
    settings, p = rule(), torch.tensor([1.0, 2.0])
    assert torch.equal(one(p, p, settings.init(p), settings.hypers(), 1)[0], two(p, p, settings.init(p), settings.hypers(), 1)[0])
    made = inlined(program(rule()), program(rule()).p)
    assert made == inlined(program(plain()), program(plain()).p)
    for body, message in [
        ("p, g = bad(p, g)\nreturn p, s", "in bad: `p @ g` is outside"),
        ("p, g = bad(p)\nreturn p, s", "bad takes 2 arguments, got 1"),
        ("p, g = helped(p, g, g)\nreturn p, s", "helped takes the rule's own 'h', got `g`"),
        ("a, b, c = bad(p, g)\nreturn p, s", "bad must end in a `return` of 3 values|in bad"),
        ("p, g = nowhere(p, g)\nreturn p, s", "a line must be"),
    ]:
        with pytest.raises(LanguageError, match=f"rule tested, line {line}: .*({message})"):
            program(written(tmp_path, monkeypatch, body)())
