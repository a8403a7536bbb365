"""Rules printed as JavaScript do in a JavaScript engine what they do in Python."""

import json

import numpy as np
import pytest

import slalom.rules  # noqa: F401
from slalom.core.rule import REGISTRY
from slalom.engines.printers.js import RUNTIME, js_rule
from slalom.testing.cases import cases
from slalom.testing.problems import forced

STEPS, EVERY = 200, 10
PROBLEM = forced()
RUN = """
const {centre, pull, waves, start, cases} = INPUT;
const walk = ({rule, h}) => {
  const run = begin(rule, h, start), seen = [];
  for (let t = 0; t < waves.length; t++) {
    advance(rule, h, run, run.p.map((x, i) => pull[i] * (x - centre[i]) + waves[t][i]));
    if ((t + 1) % EVERY === 0) seen.push([...run.p]);
  }
  return seen;
};
RESULT(cases.map((c, i) => walk({rule: RULES[i], h: c})))
"""


def pushed():
    """The forced problem's numbers, so that both languages add the same waves."""
    n = len(PROBLEM.start)
    gradients = np.stack([PROBLEM.gradient(np.zeros(n), t) for t in range(1, STEPS + 1)])
    pull = PROBLEM.gradient(np.ones(n), 1) - gradients[0]
    centre = np.zeros(n)  # what is constant in the gradient stays in the waves
    return {"centre": centre.tolist(), "pull": pull.tolist(), "waves": gradients.tolist(), "start": PROBLEM.start.tolist()}


def by_numpy(settings, given):
    """The rule's own function on NumPy arrays: positions after every EVERY steps."""
    p, seen = np.array(given["start"]), []
    centre, pull, waves = (np.array(given[k]) for k in ("centre", "pull", "waves"))
    first = {}
    for name, state in settings.states.items():
        fill = settings.values[state.fill] if isinstance(state.fill, str) else state.fill
        shape = () if state.scalar else p.shape if state.window is None else (settings.options[state.window], *p.shape)
        first[name] = np.full(shape, float(fill))
    s, h = settings.rule.S(**{**dict.fromkeys(settings.rule.states), **first}), settings.hypers()
    with np.errstate(all="ignore"):
        for t in range(STEPS):
            p, s = settings.rule.update(p, pull * (p - centre) + waves[t], s, h, t + 1)
            if (t + 1) % EVERY == 0:
                seen.append(p)
    return np.stack(seen)


@pytest.fixture(scope="module")
def both(run_js):
    """Every rule's settings by name, their paths in Python, their paths in JavaScript."""
    settings = [
        case.settings for rule in REGISTRY.values() if rule.update.__module__.startswith("slalom.rules.") for case in cases(rule)
    ]
    given = pushed()
    data = {**given, "cases": [dict(s.values) for s in settings]}
    rules = ",\n".join(map(js_rule, settings))
    source = f"{RUNTIME}\nconst EVERY = {EVERY}, INPUT = {json.dumps(data)}, RULES = [{rules}];\n{RUN}"
    made = run_js(source)
    return [(s, by_numpy(s, given), np.array(path, dtype=float)) for s, path in zip(settings, made, strict=True)]


@pytest.mark.parametrize("name", sorted(n for n, r in REGISTRY.items() if r.update.__module__.startswith("slalom.rules.")))
def test_every_rule_walks_the_same_path(both, name):
    mine = [(s, here, there) for s, here, there in both if s.rule.name == name]
    assert mine
    for settings, here, there in mine:
        assert np.isfinite(here).all(), settings
        assert np.abs(here[-1] - here[0]).max() > 0, settings
        scale = np.maximum(np.abs(here), 1.0)
        assert (np.abs(here - there) / scale).max() <= 1e-10, (settings.rule.name, settings.values, settings.options)


def test_words_treat_what_is_not_finite_as_torch_does(run_js):
    words = "MAXIMUM(NaN, 1), MAXIMUM(1, NaN), MINIMUM(NaN, 1), MINIMUM(1, NaN), SIGN(NaN), SIGN(-2), SIGN(0)"
    source = f"{RUNTIME}RESULT([{words}].map(String))"
    assert run_js(source) == ["NaN", "NaN", "NaN", "NaN", "NaN", "-1", "0"]


def test_a_hyper_is_an_argument_and_an_option_is_not(run_js):
    text = js_rule(REGISTRY["sgd"](momentum=0.9))
    walk = "const run = begin(R, h, [1, 2]); for (let i = 0; i < 2; i++) advance(R, h, run, [1, 0]); return run.p;"
    got = run_js(f"{RUNTIME} const R = {text}; const walk = (h) => {{ {walk} }};"
                 "RESULT([0, 0.5].map((momentum) => walk({lr: 0.5, momentum, dampening: 0, weight_decay: 0})))")  # fmt: skip
    assert got == [[0.0, 2.0], [-0.25, 2.0]]  # by hand: -(0.5 + 0.5), and -(0.5 + 0.75)
