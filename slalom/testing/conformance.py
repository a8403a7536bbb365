"""What every update rule must do, checked from its declaration alone; for the shipped rules and for anyone's own.

    for check in conformance(my_rule, reference=my_reference):
        check()

`pytest.mark.parametrize("check", conformance(my_rule), ids=str)` makes a test of each.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadValueError, SlalomError
from slalom.core.rule import Choice, Hyper, Rule, Settings
from slalom.testing import lanes as _lanes
from slalom.testing.cases import Case, all_changed, cases, option_sets, other
from slalom.testing.problems import forced
from slalom.testing.references import REFERENCES, Reference
from slalom.testing.trajectory import agree, deviation, learning_rates, run
from slalom.testing.twins import OPTAX_FORMS, run_optax, run_torch, torch_arguments, torch_defaults

STEPS = 100
TOLERANCE = 1e-12
PROBLEM = forced()

# Option values whose numbers are rightly those of the default.
COINCIDE = {("adagrad", "convention", "paper"): "Duchi et al. put delta outside the root, as torch does"}


@dataclass(frozen=True)
class Check:
    """One thing to hold, named; call it: AssertionError says what does not."""

    name: str
    body: Callable[[], None]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        self.body()


def conformance(rule: Rule, reference: Reference | None = None) -> list[Check]:
    """Every check for a rule.

    `reference`: the rule in NumPy (see `slalom.testing.references`); the shipped one by default, none if there is none.
    torch.optim is the twin where the rule names its class, optax where the shipped table knows it to agree.

    >>> from slalom.rules import lion
    >>> checks = conformance(lion)
    >>> str(checks[0])
    'lion-reference[defaults]'
    >>> checks[0]()
    """
    if not isinstance(rule, Rule):
        raise BadValueError(f"conformance takes a rule, as @rule makes it or slalom.rules holds it, got {rule!r}")
    reference = reference or REFERENCES.get(rule.name)
    return [Check(f"{rule.name}-{name}", body) for name, body in _checks(rule, reference)]


def _checks(rule: Rule, reference: Reference | None) -> Iterator[tuple[str, Callable[[], None]]]:
    tried = cases(rule)
    if reference is not None:
        for case in tried:
            yield f"reference[{case}]", partial(check_reference, case, reference)
    if torch_arguments(rule()) is not None:
        yield "torch-defaults", partial(check_torch_defaults, rule)
        for case in tried:
            if torch_arguments(case.settings) is not None:
                yield f"torch[{case}]", partial(check_torch, case)
    if rule.name in OPTAX_FORMS:
        for options in option_sets(rule):
            for given in (options, {**options, **all_changed(rule, options)}):
                if _meets_optax(Case(rule, given)):
                    yield f"optax[{Case(rule, given)}]", partial(check_optax, Case(rule, given))
    for options in option_sets(rule):
        case = Case(rule, {**options, **all_changed(rule, options)})
        label = Case(rule, options)
        yield f"round-trip[{label}]", partial(check_round_trip, case)
        yield f"dtype[{label}]", partial(_lanes.check_dtype, case)
        yield f"lanes[{label}]", partial(_lanes.check_lanes, rule, options)
    for name, hyper in rule.hypers.items():
        yield f"bounds[{name}]", partial(check_bounds, rule, name, hyper)
        yield f"used[{name}]", partial(check_used, rule, name)
    for name, option in rule.options.items():
        yield f"bounds[{name}]", partial(check_option, rule, name)
        for value in option.values[1:] if isinstance(option, Choice) else (option.default + 1,):
            yield f"used[{name}={value}]", partial(check_used, rule, name, value)


def check_reference(case: Case, reference: Reference) -> None:
    """The rule against its reference over 100 steps with a change of lr."""
    settings = case.settings
    lrs = learning_rates(settings.values["lr"], STEPS)
    rest = {k: v for k, v in {**settings.values, **settings.options}.items() if k != "lr"}
    wanted = reference(PROBLEM.start, PROBLEM.gradient, lrs, **rest)
    agree(run(settings, PROBLEM, STEPS)[0], wanted, TOLERANCE, f"{case.rule.name}({case}) against its reference")


def check_torch_defaults(rule: Rule) -> None:
    """The declared defaults are torch's."""
    if rule.torch_name is None:
        return
    ours, theirs = torch_defaults(rule())
    wrong = {k: (ours[k], theirs[k]) for k in ours if ours[k] != theirs[k]}
    assert not wrong, f"{rule.name}: defaults (ours, torch's) differ: {wrong}"


def check_torch(case: Case) -> None:
    """Trajectory and states against torch.optim."""
    settings = case.settings
    lrs = learning_rates(settings.values["lr"], STEPS)
    theirs = run_torch(settings, PROBLEM, lrs)
    assert theirs is not None, f"{case.rule.name}({case}): torch cannot express it"
    path, state = run(settings, PROBLEM, STEPS)
    what = f"{case.rule.name}({case}) against torch.optim"
    agree(path, theirs[0], TOLERANCE, what)
    for name, declared in settings.states.items():
        if declared.torch is not None:
            assert declared.torch in theirs[1], f"{what}: torch keeps no {declared.torch!r}, only {sorted(theirs[1])}"
            a, b = (np.atleast_1d(x.numpy()) for x in (state[name], theirs[1][declared.torch]))
            off = np.abs(a - b).max() / (np.abs(b).max() or 1.0)
            assert off <= TOLERANCE, f"{what}: state {name} ({declared.torch}) is off by {off:.3g}"


def check_optax(case: Case) -> None:
    """Trajectory against optax, where optax defines the rule alike."""
    lrs = learning_rates(case.settings.values["lr"], STEPS)
    theirs = run_optax(case.settings, PROBLEM, lrs)
    assert theirs is not None, f"{case.rule.name}({case}): optax defines it otherwise"
    agree(run(case.settings, PROBLEM, STEPS)[0], theirs, TOLERANCE, f"{case.rule.name}({case}) against optax")


def check_round_trip(case: Case) -> None:
    """Parameter and states saved and loaded mid-run continue to the same bits."""
    settings = case.settings
    rule, half, steps = case.rule, 20, 40
    p = torch.tensor(PROBLEM.start)
    s = settings.init(p)
    kept: dict[str, Any] = {}
    for t in range(1, steps + 1):
        p, s = settings.step(p, torch.from_numpy(PROBLEM.gradient(p.numpy(), t)), s, t)
        if t == half:
            kept = {"p": p, **{k: getattr(s, k) for k in settings.states}}
    file = io.BytesIO()
    torch.save(kept, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    q = loaded.pop("p")
    again = rule.S(**{**dict.fromkeys(rule.states), **loaded})
    for t in range(half + 1, steps + 1):
        q, again = settings.step(q, torch.from_numpy(PROBLEM.gradient(q.numpy(), t)), again, t)
    assert torch.equal(p, q), f"{rule.name}({case}): continues elsewhere after its states were saved and loaded"
    for k in settings.states:
        assert torch.equal(getattr(s, k), getattr(again, k)), f"{rule.name}({case}): state {k} continues elsewhere"


def check_bounds(rule: Rule, name: str, hyper: Hyper) -> None:
    """The declared bounds: accepted at a closed end and inside, refused at an open end and outside, with a full message."""
    low, high = (hyper.ge, hyper.gt), (hyper.le, hyper.lt)
    good: list[float] = [hyper.default, other(hyper)]
    bad: list[Any] = [float("nan"), float("inf"), float("-inf"), True, "0.1", None]
    for (closed, opened), outward in ((low, -np.inf), (high, np.inf)):
        if closed is not None:
            good.append(float(closed))
            bad.append(float(np.nextafter(closed, outward)))
        elif opened is not None:
            good.append(float(np.nextafter(opened, -outward)))
            bad += [float(opened), float(np.nextafter(opened, outward))]
        else:
            good.append(float(np.copysign(1e30, outward)))
    for value in good:
        given: dict[str, Any] = {name: value}
        assert rule(**given).values[name] == value, f"{rule.name}: {name}={value} is changed on the way in"
    for value in bad:
        _refused(rule, name, value, hyper.allowed)


def check_option(rule: Rule, name: str) -> None:
    """An option takes its declared values alone."""
    option = rule.options[name]
    bad: list[Any] = [None, "no such value", 1.5, -1]
    if isinstance(option, Choice):
        bad += [int(v) for v in option.values if isinstance(v, bool)]  # 1 is not True
    else:
        bad += [option.ge - 1, True, float(option.default)]
    for value in bad:
        _refused(rule, name, value, option.allowed)
    said = _error(rule, {f"{name}_": 1})
    assert said is not None, f"{rule.name}: {name}_ is unknown, yet taken"
    assert name in said, f"{rule.name}: the error for an unknown name does not suggest {name!r}: {said}"


def _refused(rule: Rule, name: str, value: Any, allowed: str) -> None:
    said = _error(rule, {name: value, "lane": 7})
    assert said is not None, f"{rule.name}: {name}={value!r} is outside {allowed}, yet taken"
    for part in (rule.name, name, allowed, repr(value), "(lane 7)"):
        assert part in said, f"{rule.name}: the error for {name}={value!r} does not name {part!r}: {said}"


def _error(rule: Rule, given: dict[str, Any]) -> str | None:
    try:
        rule(**given)
    except SlalomError as error:
        return str(error)
    return None


def check_used(rule: Rule, name: str, value: Any = None) -> None:
    """Changing a hyper or option changes the trajectory under some settings (or, declared to coincide, under none)."""
    largest = 0.0
    for given in _bases(rule):
        plain = {k: v for k, v in given.items() if k != name}
        changed = {**plain, name: all_changed(rule, plain)[name] if value is None else value}
        pair = [_settings(rule, plain), _settings(rule, changed)]
        if pair[0] is not None and pair[1] is not None:
            a, b = (run(s, PROBLEM, 20)[0] for s in pair if s is not None)
            largest = max(largest, deviation(b, a))
            if largest > 1e-9 and (rule.name, name, value) not in COINCIDE:
                return
    reason = COINCIDE.get((rule.name, name, value))
    what = f"{name}={value}" if value is not None else name
    if reason is not None:
        assert largest == 0, f"{rule.name}: {what} should change nothing ({reason}), but moves the path by {largest:g}"
    else:
        raise AssertionError(f"{rule.name}: {what} changes nothing ({largest:g} at most)")


def _bases(rule: Rule) -> Iterator[dict[str, Any]]:
    for options in option_sets(rule):
        yield options
        yield {**options, **all_changed(rule, options)}


def _settings(rule: Rule, given: Mapping[str, Any]) -> Settings | None:
    try:
        return rule(**given)
    except BadValueError:  # the option lacks what it needs
        return None


def _meets_optax(case: Case) -> bool:
    settings = _settings(case.rule, case.given)
    return settings is not None and OPTAX_FORMS[case.rule.name](_Anything(), {**settings.values, **settings.options}) is not None


class _Anything:
    """Stands for optax while asking whether a form applies, so that collecting checks does not import it."""

    def __getattr__(self, name: str) -> Callable[..., str]:
        return lambda *args, **kwargs: name
