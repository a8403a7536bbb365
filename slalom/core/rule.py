"""The contract of an update rule: a pure function with its hypers, options and states declared as data.

    @rule(source=..., differs=..., lr=Hyper(1e-3, r"\\alpha", ge=0), m=State("exp_avg"), nesterov=Switch(False, ...))
    def name(p, g, s, h, t):
        ...
        return p, s._replace(m=m)

- `p`, `g`: parameter and gradient; `s`: states; `h`: hypers and options by name; `t`: the step, counted from 1.
- The body is a list of assignments, `if` on options only, and one `return`. Arithmetic, `**` and the words of
  `slalom.core.ops` make the elementwise language that the printers read (LaTeX, C).
- A value hyper may be a float, or a tensor with one value a lane (under `torch.vmap`). An option is fixed for a program.
- A hyper named `schedule` is the schedule's factor on lr at this step: engines that scale lr by a schedule set it too.
- `h.on.NAME` is true where the gated hyper NAME is not zero to begin with: what costs a state or a pass is left out
  when it is off.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from slalom.core.errors import BadValueError, unknown_name

Update = Callable[..., Any]


@dataclass(frozen=True)
class Hyper:
    """A hyperparameter that is a number: default, symbol (LaTeX), bounds, one line of meaning.

    `gate=True` lets a rule leave out what this hyper scales when it is 0 (`h.on.NAME`). `by_convention` holds defaults
    that differ under a convention. `torch` is torch.optim's argument where its name differs, e.g. `"betas[0]"`.

    >>> Hyper(0.9, r"\\beta_1", ge=0, lt=1).allowed
    '[0, 1)'
    """

    default: float
    symbol: str
    doc: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    gate: bool = False
    by_convention: Mapping[str, float] = field(default_factory=dict)
    torch: str | None = None

    @property
    def allowed(self) -> str:
        """The range in interval notation."""
        low = f"[{self.ge:g}" if self.ge is not None else f"({self.gt:g}" if self.gt is not None else "(-inf"
        high = f"{self.le:g}]" if self.le is not None else f"{self.lt:g})" if self.lt is not None else "inf)"
        return f"{low}, {high}"

    def admits(self, value: float) -> bool:
        """Whether a number is finite and within the bounds."""
        return (
            math.isfinite(value)
            and (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )


@dataclass(frozen=True)
class Choice:
    """An option fixed for a program: one of a few values, the first being the default (`bool`, `str` or `int`).

    `needs`: the switch or gated hyper without which another value than the default would do nothing; that is an error.
    `only_with`: the same without the error, where the value may rightly be given in advance. `excludes`: the hyper that
    must be 0 beside another value than the default.
    """

    values: tuple[Any, ...]
    doc: str = ""
    needs: str | None = None
    only_with: str | None = None
    excludes: str | None = None

    @property
    def default(self) -> Any:
        return self.values[0]

    @property
    def allowed(self) -> str:
        """The values, as they are written in Python."""
        return "one of " + ", ".join(map(repr, self.values))

    def admits(self, value: Any) -> bool:
        """Whether it is one of the values (`True` is not 1 here)."""
        return any(type(value) is type(v) and value == v for v in self.values)


def switch(
    default: bool, doc: str = "", needs: str | None = None, only_with: str | None = None, excludes: str | None = None
) -> Choice:
    """An option that is on or off."""
    return Choice((default, not default), doc, needs, only_with, excludes)


@dataclass(frozen=True)
class Count:
    """An option that is a whole number and fixes a shape, such as a window's length."""

    default: int
    symbol: str
    doc: str = ""
    ge: int = 1

    @property
    def allowed(self) -> str:
        return f"a whole number >= {self.ge}"

    def admits(self, value: Any) -> bool:
        """Whether it is a whole number that is large enough."""
        return isinstance(value, int) and not isinstance(value, bool) and value >= self.ge


Option = Choice | Count


@dataclass(frozen=True)
class State:
    """What a rule remembers, shaped like the parameter unless said otherwise.

    `torch`: its key in torch.optim's state dict. `fill`: the first value, a number or the name of the hyper that holds
    it. `when`: a switch or gated hyper without which the state does not exist. `scalar`: one number a parameter, of
    float64, that depends on hypers and step alone. `window`: the Count whose value is the length of a leading axis.
    `derived`: its value from the other states (`s`), for a state dict of torch's, which lacks it.
    """

    torch: str | None = None
    symbol: str | None = None
    fill: float | str = 0.0
    when: str | None = None
    scalar: bool = False
    window: str | None = None
    derived: Callable[[Any], Any] | None = None


zeros = State()


@dataclass(frozen=True)
class Settings:
    """A rule with a value for every hyper and option, checked."""

    rule: Rule
    values: Mapping[str, float]
    options: Mapping[str, Any]
    on: Mapping[str, bool]

    @cached_property
    def program(self) -> tuple[Any, ...]:
        """What two lanes must share to run as one program: the rule, its gates, its options that do something."""
        flags = {**self.options, **self.on}
        idle = {k for k, o in self.rule.options.items() if isinstance(o, Choice) and o.only_with and not flags[o.only_with]}
        return (self.rule.name, *sorted((k, v) for k, v in self.options.items() if k not in idle), *sorted(self.on.items()))

    @cached_property
    def states(self) -> dict[str, State]:
        """The states that exist under these options and gates."""
        flags = {**self.options, **self.on}
        return {k: s for k, s in self.rule.states.items() if s.when is None or flags[s.when]}

    def hypers(self, values: Mapping[str, Any] | None = None) -> Any:
        """The `h` of the rule: these values (or the given ones, e.g. one a lane), options, and `on`."""
        on = self.rule.On(**self.on) if self.on else None
        return self.rule.H(**(self.values if values is None else values), **self.options, on=on)

    def init(self, p: torch.Tensor, values: Mapping[str, Any] | None = None) -> Any:
        """The `s` of the rule before the first step; states that do not exist are None."""
        values = self.values if values is None else values
        made: dict[str, Any] = dict.fromkeys(self.rule.states)
        for name, state in self.states.items():
            fill = values[state.fill] if isinstance(state.fill, str) else state.fill
            if state.scalar:
                made[name] = torch.as_tensor(fill, dtype=torch.float64, device=p.device).clone()
            elif state.window is not None:
                made[name] = torch.zeros(self.options[state.window], *p.shape, dtype=p.dtype, device=p.device) + fill
            elif isinstance(fill, torch.Tensor):
                made[name] = torch.zeros_like(p) + fill
            else:
                made[name] = torch.full_like(p, fill) if fill else torch.zeros_like(p)
            if made[name].dtype != p.dtype and not state.scalar:
                made[name] = made[name].to(p.dtype)
        return self.rule.S(**made)

    def step(self, p: torch.Tensor, g: torch.Tensor, s: Any, t: Any, values: Mapping[str, Any] | None = None) -> Any:
        """One step of the reference path: `(new p, new s)`; nothing is changed in place."""
        new_p, new_s = self.rule.update(p, g, s, self.hypers(values), t)
        if p.dim() == 0:  # a parameter without axes takes part in type promotion like any float64 coefficient
            new_p = new_p.to(p.dtype)
            new_s = new_s._replace(**{k: getattr(new_s, k).to(getattr(s, k).dtype) for k in self.states})
        return new_p, new_s


class Rule:
    """An update rule and its declaration; call it for settings: `rule(lr=0.1)`."""

    def __init__(
        self, update: Update, doc: str, source: str, differs: str, torch_name: str | None, declared: Mapping[str, Any]
    ) -> None:
        self.update = update
        self.name: str = update.__name__
        self.doc = doc
        self.source = source
        self.differs = differs
        self.torch_name = torch_name
        self.hypers = {k: v for k, v in declared.items() if isinstance(v, Hyper)}
        self.options: dict[str, Option] = {k: v for k, v in declared.items() if isinstance(v, Choice | Count)}
        self.states = {k: v for k, v in declared.items() if isinstance(v, State)}
        if len(self.hypers) + len(self.options) + len(self.states) != len(declared):
            raise TypeError(f"{self.name}: declare hypers with Hyper, options with Choice, switch or Count, states with State")
        self.gates = [k for k, v in self.hypers.items() if v.gate]
        self.H: Any = namedtuple("H", [*self.hypers, *self.options, "on"])  # type: ignore[misc]
        self.S: Any = namedtuple("S", list(self.states))  # type: ignore[misc]
        self.On: Any = namedtuple("On", self.gates)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"<rule {self.name}>"

    def __call__(self, *, lane: int | None = None, gates: Mapping[str, bool] | None = None, **given: Any) -> Settings:
        """Settings of this rule: defaults, then what is given, checked against the declared bounds.

        `lane` is named in errors. `gates` forces a gate open (lanes share a program when one of them needs it).

        >>> from slalom.rules import adam
        >>> adam(lr=0.01).values["lr"]
        0.01
        >>> adam(b2=1.0, lane=7)
        Traceback (most recent call last):
        slalom.core.errors.BadValueError: adam: b2 must be in [0, 1), got 1.0 (lane 7)
        """
        where = "" if lane is None else f" (lane {lane})"
        unknown = [k for k in given if k not in self.hypers and k not in self.options]
        if unknown:
            raise unknown_name(f"hyper of {self.name}", unknown[0], [*self.hypers, *self.options])
        options = {k: given.get(k, o.default) for k, o in self.options.items()}
        for name, value in options.items():
            if not self.options[name].admits(value):
                allowed = self.options[name].allowed
                raise BadValueError(f"{self.name}: {name} must be {allowed}, got {value!r}{where}")
        convention = options.get("convention", "")
        values: dict[str, float] = {}
        for name, hyper in self.hypers.items():
            value = given.get(name, hyper.by_convention.get(convention, hyper.default))
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadValueError(f"{self.name}: {name} must be a number in {hyper.allowed}, got {value!r}{where}")
            if not hyper.admits(value):
                raise BadValueError(f"{self.name}: {name} must be in {hyper.allowed}, got {value!r}{where}")
            values[name] = float(value)
        on = {k: values[k] != 0 or bool(gates and gates.get(k)) for k in self.gates}
        for name, option in self.options.items():
            if isinstance(option, Choice) and options[name] != option.default:
                self._together(name, option, {**values, **options}, on, where)
        return Settings(self, values, options, on)

    def _together(self, name: str, option: Choice, told: Mapping[str, Any], on: Mapping[str, bool], where: str) -> None:
        """Raises BadValueError where an option's value lacks what it needs, or stands beside what it excludes."""
        needs, excludes = option.needs, option.excludes
        if needs is not None and not {**told, **on}[needs]:
            raise BadValueError(
                f"{self.name}: {name}={told[name]!r} does nothing without {needs}, got {needs}={told[needs]!r}{where}; "
                f"set {needs} too or leave {name} out"
            )
        if excludes is not None and told[excludes] != 0:
            raise BadValueError(f"{self.name}: {excludes} must be 0 with {name}={told[name]!r}, got {told[excludes]!r}{where}")


REGISTRY: dict[str, Rule] = {}


def rule(*, source: str, differs: str = "", torch_name: str | None = None, **declared: Any) -> Callable[[Update], Rule]:
    """Declare an update rule and register it under its function's name; see this module's description.

    The rule's one-sentence description is the module's docstring. `torch_name` is torch.optim's class where it has one.
    """

    def make(update: Update) -> Rule:
        import sys

        doc = update.__doc__ or sys.modules[update.__module__].__doc__ or ""
        made = Rule(update, doc.strip(), source, differs, torch_name, declared)
        if made.name in REGISTRY and REGISTRY[made.name].update.__module__ != update.__module__:
            raise BadValueError(f"rule {made.name!r} is already declared in {REGISTRY[made.name].update.__module__}")
        REGISTRY[made.name] = made
        return made

    return make


def get_rule(name: str) -> Rule:
    """The rule of that name; the error names the nearest ones."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise unknown_name("rule", name, REGISTRY) from None
