"""The settings a rule is tried at, generated from its declaration: every option, every hyper, every convention."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError
from slalom.core.rule import Choice, Hyper, Rule, Settings


@dataclass(frozen=True)
class Case:
    """A rule with some of its settings given; the rest are defaults."""

    rule: Rule
    given: Mapping[str, Any]

    def __str__(self) -> str:
        return ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.given.items()) or "defaults"

    @property
    def settings(self) -> Settings:
        return self.rule(**self.given)


def other(hyper: Hyper, value: float | None = None) -> float:
    """A second sensible value: visibly different from `value` (the default), within the bounds.

    >>> other(Hyper(0.999, "b", ge=0, lt=1)), other(Hyper(1e-8, "e", ge=0)), other(Hyper(0.0, "w", ge=0))
    (0.998, 0.001, 0.1)
    """
    value = hyper.default if value is None else value
    top = hyper.lt if hyper.lt is not None else hyper.le
    if value == 0:
        made = 0.1
    elif abs(value) < 1e-5:
        made = 1e-3
    elif top == 1 and value >= 0.5:
        made = round(1 - 2 * (1 - value), 12) if value < 1 else 0.9
    else:
        made = 1.5 * value
    if not hyper.admits(made) or made == value:
        low = hyper.ge if hyper.ge is not None else hyper.gt if hyper.gt is not None else value - 1
        high = top if top is not None else value + 1
        made = (low + high) / 2 if (low + high) / 2 != value else (low + 3 * high) / 4
    return made


def all_changed(rule: Rule, options: Mapping[str, Any]) -> dict[str, float]:
    """Every hyper at its other value, under these options; what an option excludes stays as it is."""
    chosen = [o for k, o in rule.options.items() if isinstance(o, Choice) and options.get(k, o.default) != o.default]
    excluded = {o.excludes for o in chosen}
    convention = options.get("convention", rule.options["convention"].default if "convention" in rule.options else "")
    plain = {k: h.by_convention.get(convention, h.default) for k, h in rule.hypers.items()}
    return {k: plain[k] if k in excluded else other(h, plain[k]) for k, h in rule.hypers.items()}


def option_sets(rule: Rule) -> Iterator[dict[str, Any]]:
    """Every combination of option values that means something (what an option needs is there); defaults left out."""
    values = [o.values if isinstance(o, Choice) else (o.default, max(o.ge, 3)) for o in rule.options.values()]
    for combination in itertools.product(*values):
        chosen = dict(zip(rule.options, combination, strict=True))
        given = {k: v for k, v in chosen.items() if v != rule.options[k].default}
        if _allowed(rule, {**given, **all_changed(rule, given)}):
            yield given


def cases(rule: Rule) -> list[Case]:
    """Defaults and all hypers changed under every combination of options; each hyper changed under each convention."""
    made: list[dict[str, Any]] = []
    for options in option_sets(rule):
        made += [options, {**options, **all_changed(rule, options)}]
    for convention in conventions(rule):
        changed = all_changed(rule, convention)
        made += [{**convention, name: changed[name]} for name in rule.hypers]
    tried = [Case(rule, given) for given in made if _allowed(rule, given)]
    # An option that does nothing here (only_with) makes no case of its own.
    distinct = {(s.program, tuple(s.values.items())): case for case in reversed(tried) for s in [case.settings]}
    return [case for case in tried if distinct.get((case.settings.program, tuple(case.settings.values.items()))) is case]


def conventions(rule: Rule) -> list[dict[str, Any]]:
    """The conventions as given settings, the default one as an empty dict; `[{}]` for a rule that knows none."""
    option = rule.options.get("convention")
    if not isinstance(option, Choice):
        return [{}]
    return [{} if v == option.default else {"convention": v} for v in option.values]


def _allowed(rule: Rule, given: Mapping[str, Any]) -> bool:
    try:
        rule(**given)
    except BadValueError:
        return False
    return True
