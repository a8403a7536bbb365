"""A rule's page of documentation, generated from its declaration and its tree, so that it cannot drift from either."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Choice, Rule, Settings
from slalom.engines.printers.latex import latex, text
from slalom.engines.printers.moments import Moments, moments
from slalom.engines.printers.symbols import word


@dataclass(frozen=True)
class Formula:
    """The update under some options: what is set, its lines as LaTeX and as text."""

    title: str
    latex: tuple[str, ...]
    text: tuple[str, ...]


@dataclass(frozen=True)
class HyperRow:
    """A hyper: `by_convention` maps a convention to its default where that differs; `torch` is torch.optim's name."""

    name: str
    symbol: str
    default: float
    by_convention: dict[str, float]
    allowed: str
    doc: str
    torch: str | None


@dataclass(frozen=True)
class OptionRow:
    """An option; `needs` names what must be on for it, `changes_formula` is False where it moves defaults alone."""

    name: str
    default: Any
    allowed: str
    doc: str
    needs: str | None
    changes_formula: bool


@dataclass(frozen=True)
class StateRow:
    """A state: `torch` is its key in torch.optim's state dict, `when` the option or gate that it exists under."""

    name: str
    symbol: str
    torch: str | None
    start: str
    when: str | None
    shape: str


@dataclass(frozen=True)
class RulePage:
    """All that a rule's page says.

    `formula` is the update under the options asked for, `variants` those that single options and gates make of it;
    `bytes_per_parameter` what a step must move at least in float32: 12 and 8 a state.
    """

    name: str
    description: str
    torch_name: str | None
    formula: Formula
    variants: tuple[Formula, ...]
    hypers: tuple[HyperRow, ...]
    options: tuple[OptionRow, ...]
    states: tuple[StateRow, ...]
    moments: Moments
    bytes_per_parameter: int
    source: str
    differs: str


def build_page(rule: Rule, **options: Any) -> RulePage:
    """The page of a rule; `options` (and hypers) choose the main formula, the rest is as declared.

    >>> from slalom.rules import adam
    >>> page = build_page(adam)
    >>> page.bytes_per_parameter, page.formula.text[0]
    (28, 'm_t = β₁·m_{t−1} + (1 − β₁)·g_t')
    """
    base = rule(**options)
    variants = [*_option_variants(rule, options), *_gate_variants(rule, options)]
    changed = {name for name, _ in variants}
    return RulePage(
        name=rule.name,
        description=rule.doc,
        torch_name=rule.torch_name,
        formula=_formula(base, _title(options)),
        variants=tuple(f for _, f in variants),
        hypers=tuple(
            HyperRow(k, h.symbol, h.default, dict(h.by_convention), h.allowed, h.doc, _torch_argument(rule, k))
            for k, h in rule.hypers.items()
        ),
        options=tuple(
            OptionRow(k, o.default, o.allowed, o.doc, getattr(o, "needs", None), not isinstance(o, Choice) or k in changed)
            for k, o in rule.options.items()
        ),
        states=tuple(_state_row(rule, k) for k in rule.states),
        moments=moments(base),
        bytes_per_parameter=bytes_per_parameter(base),
        source=rule.source,
        differs=rule.differs,
    )


def bytes_per_parameter(settings: Settings) -> int:
    """The bytes a float32 step must move at least: read p and g, write p, read and write every state."""
    total = 12
    for state in settings.states.values():
        if not state.scalar:
            total += 8 * (int(settings.options[state.window]) if state.window is not None else 1)
    return total


def _torch_argument(rule: Rule, hyper: str) -> str | None:
    """torch.optim's name for a hyper, e.g. `betas[0]`; None where it has no such argument."""
    if rule.torch_name is None:
        return None
    name = rule.hypers[hyper].torch or hyper
    return name if name.split("[")[0] in inspect.signature(getattr(torch.optim, rule.torch_name)).parameters else None


def _formula(settings: Settings, title: str) -> Formula:
    return Formula(title, tuple(latex(settings)), tuple(text(settings)))


def _title(given: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in given.items()) or "default"


def _option_variants(rule: Rule, given: dict[str, Any]) -> list[tuple[str, Formula]]:
    """What each other value of each option makes of the formula, with what must be on beside it for that to show."""
    base = rule(**given)
    found = []
    for name, option in rule.options.items():
        if not isinstance(option, Choice):
            continue
        for value in option.values:
            if value == base.options[name]:
                continue
            for beside, words in _contexts(rule, base, name):
                try:
                    without, with_it = rule(**{**given, **beside}), rule(**{**given, **beside, name: value})
                except BadValueError:  # it needs something that is off here
                    continue
                if text(without) != text(with_it):
                    title = f"{name}={value!r}" + (f" (with {words})" if words else "")
                    found.append((name, _formula(with_it, title)))
                    break
    return found


def _contexts(rule: Rule, base: Settings, name: str) -> list[tuple[dict[str, Any], str]]:
    """Nothing; each gate that is off, opened; each other option, changed: the first that shows a difference counts."""
    contexts: list[tuple[dict[str, Any], str]] = [({}, "")]
    contexts += [({gate: _open(rule, gate)}, f"{gate} > 0") for gate in rule.gates if not base.on[gate]]
    for other, option in rule.options.items():
        if other != name and isinstance(option, Choice):
            contexts += [({other: v}, f"{other}={v!r}") for v in option.values if v != base.options[other]]
    return contexts


def _gate_variants(rule: Rule, given: dict[str, Any]) -> list[tuple[str, Formula]]:
    base = rule(**given)
    found = []
    for gate in rule.gates:
        value, title = (0.0, f"{gate} = 0") if base.on[gate] else (_open(rule, gate), f"{gate} > 0")
        try:
            found.append((gate, _formula(rule(**{**given, gate: value}), title)))
        except BadValueError:  # an option asked for needs it
            continue
    return found


def _open(rule: Rule, gate: str) -> float:
    """A value that opens a gate."""
    return next(v for v in (0.1, 1.0, -0.1) if rule.hypers[gate].admits(v))


def _state_row(rule: Rule, name: str) -> StateRow:
    state = rule.states[name]
    start = state.fill if isinstance(state.fill, str) else f"{state.fill:g}"
    shape = "one number" if state.scalar else "as the parameter" if state.window is None else f"{state.window} parameters"
    return StateRow(name, state.symbol or word(name), state.torch, start, state.when, shape)
