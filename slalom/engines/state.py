"""What an optimizer remembers of a parameter: made from the rule's declaration, checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines.device import PLAIN
from slalom.engines.kernels.storage import HALVES
from slalom.engines.sharded import elementwise, fitted, is_spread, local, spread_like

ParameterState = dict[str, torch.Tensor]


def state_key(rule: Rule, name: str) -> str:
    """The key of a state in a state dict: torch's where torch has one."""
    return rule.states[name].torch or name


def count_dtype() -> torch.dtype:
    """The dtype in which torch counts steps."""
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def stored_as(p: torch.Tensor, chosen: torch.dtype | None = None) -> torch.dtype:
    """The real dtype in which what is remembered of a parameter is stored: the chosen one, else its own, 16 bits as 32.

    torch keeps the states of a bfloat16 parameter in bfloat16, whose 8 bits are too few for a slow average: with
    b2 = 0.999, v stands still once a step would change it by less than 1 in 256.
    """
    if chosen is not None:
        if p.is_complex() and chosen in HALVES:
            raise BadValueError(
                f"state_dtype={chosen} has no complex twin for a parameter of {p.dtype}; leave it out (None) for "
                "complex parameters"
            )
        return chosen
    own = p.dtype.to_real()
    return torch.float32 if own in HALVES else own


class Fresh:
    """What a group's parameters lack before their first step, found out once for all of them.

    `dtype`: the group's `state_dtype`.
    """

    def __init__(self, settings: Settings, values: Mapping[str, Any], dtype: torch.dtype | None) -> None:
        self._given = (settings, values, dtype)
        self._count = count_dtype()
        fills = {
            state_key(settings.rule, k): values[s.fill] if isinstance(s.fill, str) else s.fill for k, s in settings.states.items()
        }
        simple = not any(s.scalar or s.window for s in settings.states.values()) and {float, int}.issuperset(
            map(type, fills.values())
        )
        self._fills = fills if simple else None
        self._has = {"step", *fills}.issubset

    def complete(self, state: dict[str, Any], p: torch.Tensor) -> None:
        """Adds what the state lacks: all of it at a first gradient, or what a gate has switched on since."""
        settings, values, dtype = self._given
        if state:
            if not self._has(state):
                complete(state, settings, values, p, dtype)
        elif self._fills is None or type(p) not in PLAIN or not p.is_floating_point():
            complete(state, settings, values, p, dtype)
        else:  # the same in the fewest calls: there may be thousands of parameters
            state["step"] = torch.zeros((), dtype=self._count)
            stored = stored_as(p, dtype)
            for key, fill in self._fills.items():
                state[key] = torch.full_like(p, fill, dtype=stored) if fill else torch.zeros_like(p, dtype=stored)


def complete(
    state: dict[str, Any],
    settings: Settings,
    values: Mapping[str, Any],
    p: torch.Tensor,
    dtype: torch.dtype | None = None,
) -> None:
    """Adds what the state lacks: all of it at a first gradient, or what a gate has switched on since.

    `dtype`: the `state_dtype` of the parameter's group.
    """
    if "step" not in state:
        state["step"] = torch.zeros((), dtype=count_dtype())
    missing = [name for name in settings.states if state_key(settings.rule, name) not in state]
    if not missing:
        return
    spread = is_spread(p) and elementwise(settings)  # otherwise the rule makes DTensors itself
    part = local(p.detach()) if spread else p.detach()
    like = torch.view_as_real(part.resolve_conj()) if p.is_complex() else part
    stored = stored_as(p, dtype)
    if like.dtype != stored:
        like = torch.empty_like(like, dtype=stored)
    fresh = settings.init(like, values)
    for name in missing:
        made = getattr(fresh, name)
        if p.is_complex() and not settings.rule.states[name].scalar:
            made = torch.view_as_complex(made if made.stride(-1) == 1 else made.contiguous())
        if spread and not settings.rule.states[name].scalar:
            made = spread_like(made, p, settings.rule.states[name].window is not None)
        state[state_key(settings.rule, name)] = made


def values_of(rule: Rule, state: Mapping[str, torch.Tensor]) -> Any:
    """The rule's `s`: complex states as pairs of real numbers, states that do not exist as None."""

    def read(name: str) -> torch.Tensor | None:
        value = state.get(state_key(rule, name))
        return torch.view_as_real(value) if value is not None and value.is_complex() else value

    return rule.S(**{name: read(name) for name in rule.states})


def shape_of(settings: Settings, name: str, p: torch.Tensor) -> tuple[int, ...]:
    """The shape a state has for this parameter."""
    state = settings.rule.states[name]
    if state.scalar:
        return ()
    return tuple(p.shape) if state.window is None else (settings.options[state.window], *p.shape)


def checked(
    loaded: Mapping[str, Any], settings: Settings, p: torch.Tensor, where: str, dtype: torch.dtype | None = None
) -> ParameterState:
    """A copy of a loaded state, on the parameter's device and stored as `stored_as(p, dtype)`; raises when it does not fit.

    Floating types are converted into one another, as torch does. torch.optim.SGD keeps no count of steps; for a rule
    to which only the first step is special (no state yet), the count is then 1.
    """
    rule = settings.rule
    given = {k: v for k, v in loaded.items() if v is not None}
    if not given:
        return {}
    if "step" not in given and not counts_steps(settings):
        given["step"] = 1.0
    known = {state_key(rule, name) for name in rule.states} | {"step"}
    derived = {state_key(rule, n): how for n in settings.states if (how := getattr(rule.states[n], "derived", None))}
    # A state behind a gate (a hyper that is 0 or not) may rightly be absent: the gate may have opened since.
    needed = {state_key(rule, n) for n in settings.states if rule.states[n].when not in rule.gates} | {"step"}
    needed -= set(derived)
    missing, surplus = sorted(needed - set(given)), sorted(set(given) - known)
    if missing or surplus:
        said = [f"missing {', '.join(missing)}"] * bool(missing) + [f"surplus {', '.join(surplus)}"] * bool(surplus)
        raise BadValueError(
            f"{rule.name}: the loaded state of {where} does not fit: {'; '.join(said)} (known: "
            f"{', '.join(sorted(known))}); load it into the rule that wrote it"
        )
    made = {"step": torch.as_tensor(given.pop("step")).detach().to("cpu", count_dtype()).clone()}
    for name, declared in rule.states.items():
        key = state_key(rule, name)
        if key not in given:
            continue
        value = given[key]
        value = value if isinstance(value, torch.Tensor) else torch.as_tensor(value, dtype=torch.float64)
        expected = shape_of(settings, name, p)
        if tuple(value.shape) != expected:
            raise BadValueError(
                f"{rule.name}: the loaded {key} of {where} has shape {tuple(value.shape)}, but needs {expected}; "
                "the model or its parameters' order has changed"
            )
        real = torch.float64 if declared.scalar else stored_as(p, dtype)
        real = real.to_complex() if p.is_complex() and not declared.scalar else real
        if value.is_complex() != real.is_complex or not (value.is_floating_point() or value.is_complex()):
            raise BadValueError(f"{rule.name}: the loaded {key} of {where} is {value.dtype}, but needs {real}")
        if not declared.scalar:
            value = fitted(value.detach(), p, declared.window is not None)
        made[key] = value.detach().to(device=p.device, dtype=real, copy=True)
    for key, how in derived.items():
        if key not in made:  # torch has no such state, but what it has determines it
            value = how(values_of(rule, made))
            made[key] = torch.view_as_complex(value) if p.is_complex() else value
    return made


def counts_steps(settings: Settings) -> bool:
    """Whether a step after the first depends on how many came before (tried on two numbers)."""
    p, g = torch.tensor([0.5, -2.0], dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64)
    (p2, s2), (p9, s9) = (settings.step(p, g, settings.init(p), t) for t in (2, 999))
    pairs = zip((p2, *s2), (p9, *s9), strict=True)
    return any(early is not None and not torch.equal(early, late) for early, late in pairs)
