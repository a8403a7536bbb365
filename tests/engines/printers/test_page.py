"""Pages and the table of moments: true to the declarations, to torch, and to how the rules behave."""

from __future__ import annotations

import inspect

import pytest
import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.rule import REGISTRY, Rule, Settings
from slalom.engines.printers.moments import answers, moments_table
from slalom.engines.printers.page import build_page
from slalom.engines.printers.page_markdown import index_markdown, to_markdown
from slalom.engines.printers.page_text import columns_of, moments_text, to_text
from slalom.rules import adam, adamw, lion, rmsprop, sgd, windowed_adadelta
from tests.engines.kernels.lanes import name, variants

RULES = list(REGISTRY.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_page_says_all_that_is_declared(rule: Rule) -> None:
    page = build_page(rule)
    assert [h.name for h in page.hypers] == list(rule.hypers)
    assert [o.name for o in page.options] == list(rule.options)
    assert [s.name for s in page.states] == list(rule.states)
    for told in (to_text(page), to_markdown(page)):
        flat = " ".join(told.split())
        for words in (rule.doc, rule.source, rule.differs, *rule.hypers, *rule.options, *rule.states):
            assert " ".join(words.split()) in flat
        assert f"{page.bytes_per_parameter} bytes a parameter" in flat
        for h in rule.hypers.values():
            assert h.doc in flat or h.doc.split()[0] in flat  # a long line of a table wraps
    if rule.torch_name is not None:
        known = inspect.signature(getattr(torch.optim, rule.torch_name)).parameters
        assert all(h.torch is None or h.torch.split("[")[0] in known for h in page.hypers)
        assert next(h.torch for h in page.hypers if h.name == "lr") == "lr"
    else:
        assert all(h.torch is None for h in page.hypers)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_terminal_of_a_hundred_columns_is_enough(rule: Rule) -> None:
    lines = to_text(build_page(rule)).splitlines()
    assert max(map(columns_of, lines)) <= 100
    assert max(map(columns_of, moments_text(RULES).splitlines())) <= 100


def test_variants_are_those_that_change_the_formula() -> None:
    titles = [v.title for v in build_page(adam).variants]
    assert {"amsgrad=True", "bias_correction=False", "convention='tf'", "weight_decay > 0"} < set(titles)
    assert "convention='paper' (with amsgrad=True)" in titles  # alone it changes nothing
    titles = [v.title for v in build_page(sgd).variants]
    assert {"nesterov=True (with momentum > 0)", "momentum > 0", "weight_decay > 0"} <= set(titles)
    assert [v.title for v in build_page(adamw).variants][-1] == "weight_decay = 0"
    assert build_page(rmsprop, centered=True).formula.title == "centered=True"
    assert "changes defaults alone" in to_text(build_page(REGISTRY["adadelta"]))
    assert "  > g_t ← g_t + λ·θ_{t−1}" in to_text(build_page(sgd)).splitlines()


def test_bytes_are_those_of_the_roofline() -> None:
    wanted = {"sgd": 12, "momentum": 20, "adagrad": 20, "rmsprop": 20, "adadelta": 28, "adam": 28, "adamw": 28, "adamax": 28,
              "nadam": 28, "radam": 28, "lion": 20}  # fmt: skip
    assert {k: build_page(REGISTRY[k]).bytes_per_parameter for k in wanted} == wanted
    assert build_page(adam, amsgrad=True).bytes_per_parameter == 36
    assert build_page(rmsprop, centered=True, momentum=0.9).bytes_per_parameter == 44  # with the stable variance beside v
    assert build_page(windowed_adadelta, w=3).bytes_per_parameter == 12 + 8 * 3


def test_adams_symbols_and_torch_names() -> None:
    rows = {h.name: (h.symbol, h.torch) for h in build_page(adam).hypers}
    assert rows["b1"] == (r"\beta_1", "betas[0]")
    assert rows["eps"] == (r"\epsilon", "eps")
    assert next(h.torch for h in build_page(REGISTRY["adagrad"]).hypers if h.name == "exponent") is None


def test_the_index_links_every_rule() -> None:
    told = index_markdown(RULES)
    for rule in RULES:
        assert f"[{rule.name}]({rule.name}.md)" in told
    assert told.count("\n| ") == 2 * 2 + len(RULES) + len(moments_table(RULES))


def test_moments_of_known_rules() -> None:
    rows = {(m.rule, m.variant): m for m in moments_table(RULES)}
    assert rows["adam", ""].first == ("m_t = β₁·m_{t−1} + (1 − β₁)·g_t",)
    assert rows["adam", ""].second == ("v_t = β₂·v_{t−1} + (1 − β₂)·g_t²",)
    assert rows["sgd", ""].first == ("g_t",)
    assert rows["sgd", ""].second == ()
    assert rows["sgd", "momentum > 0"].step_degree == 1
    assert rows["adadelta", ""].other == ("E[Δ²]_t = ρ·E[Δ²]_{t−1} + (1 − ρ)·δ_t²",)
    assert rows["lion", ""].step_degree == 0
    assert rows["radam", ""].step_degree is None  # proportional to the gradient until the rectified step begins
    assert answers(REGISTRY["adagrad"](exponent=1.0))[1].degree == -1


def run(settings: Settings, gradients: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    p = torch.zeros(gradients.shape[1], dtype=torch.float64)
    s = settings.init(p)
    for t, g in enumerate(gradients, 1):
        p, s = settings.step(p, g, s, t)
    return p, {k: getattr(s, k) for k, d in settings.states.items() if not d.scalar}


@pytest.mark.parametrize("settings", [s for s in variants(printable=False) if not s.on["weight_decay"]], ids=name)
def test_states_answer_to_the_gradient_as_the_table_says(settings: Settings) -> None:
    rule = settings.rule
    tiny = {"eps": 1e-25} if "eps" in rule.hypers else {}  # small against every gradient, as the table assumes
    if "initial_accumulator_value" in rule.hypers:
        tiny["initial_accumulator_value"] = 0.0
    gates = {k: 0.5 if v else 0.0 for k, v in settings.on.items()}
    settings = rule(**settings.options, **gates, **tiny)
    gradients = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    known, step = answers(settings)
    p, states = run(settings, gradients)
    for k in (256.0, -1.0):
        p_k, states_k = run(settings, k * gradients)
        for state, answer in known.items():
            assert answer.degree is not None
            factor = answer.parity if k < 0 else k**answer.degree
            torch.testing.assert_close(states_k[state], factor * states[state], rtol=1e-6, atol=0.0)
        if step.degree is not None:
            torch.testing.assert_close(p_k, (step.parity if k < 0 else k**step.degree) * p, rtol=1e-6, atol=1e-12)


def test_lion_is_named_without_a_twin() -> None:
    assert "torch.optim has none" in to_text(build_page(lion))
