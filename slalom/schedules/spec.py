"""Schedules by name: `cosine`, `step:factor=.5,every=5`, `warmup:5,cosine`."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slalom.core.checks import whole
from slalom.core.errors import BadValueError, unknown_name
from slalom.schedules.base import Schedule
from slalom.schedules.constant import Constant
from slalom.schedules.cosine import Cosine, CosineRestarts
from slalom.schedules.custom import Custom
from slalom.schedules.cycles import CyclesMomentum, OneCycle, Triangular
from slalom.schedules.exponential import Annealing, ExponentialDecay
from slalom.schedules.inverse import InverseTimeDecay
from slalom.schedules.plateau import Plateau
from slalom.schedules.polynomial import PolynomialDecay
from slalom.schedules.step import StepDecay
from slalom.schedules.warmup import Warmup, WarmupStableDecay


@dataclass(frozen=True)
class Entry:
    """How a schedule is written: its class, and the argument that a bare number is."""

    cls: type[Schedule]
    first: str

    @property
    def over(self) -> bool:
        """Whether it ends with the run."""
        return "total" in self.cls.bounds

    @property
    def durations(self) -> list[str]:
        """Arguments in epochs."""
        return [k for k in self.cls.durations if k != "total"]

    @property
    def arguments(self) -> list[str]:
        """All that may be written, the main one first."""
        momenta = ["momenta"] * issubclass(self.cls, CyclesMomentum)
        each = [k for k in self.cls.bounds if k not in ("total", self.first)]
        return [self.first, *each, *self.cls.words, *momenta]


SCHEDULES: dict[str, Entry] = {
    "constant": Entry(Constant, "value"),
    "step": Entry(StepDecay, "every"),
    "exponential": Entry(ExponentialDecay, "gamma"),
    "annealing": Entry(Annealing, "final"),
    "inverse": Entry(InverseTimeDecay, "k"),
    "polynomial": Entry(PolynomialDecay, "power"),
    "cosine": Entry(Cosine, "final"),
    "restarts": Entry(CosineRestarts, "T0"),
    "triangular": Entry(Triangular, "up"),
    "onecycle": Entry(OneCycle, "rise"),
    "wsd": Entry(WarmupStableDecay, "decay"),
    "plateau": Entry(Plateau, "patience"),
    "warmup": Entry(Warmup, "steps"),
}

_DURATION = re.compile(r"(.+?)\s*(epochs?|steps?)?")


def names() -> dict[str, str]:
    """The schedules that have a name, each with one line on what it does and how it is written.

    >>> print(names()["step"])
    Multiplied by `factor` after each `every` steps: halved every 5 by default. step:every=5,factor=0.5 (every in epochs)
    """
    return {name: " ".join(described(name)) for name in SCHEDULES}


def described(name: str) -> tuple[str, str]:
    """A schedule's sentence, and how it is written with its defaults."""
    entry = SCHEDULES[name]
    return (inspect.getdoc(entry.cls) or "").splitlines()[0], _usage(name, entry)


def _usage(name: str, entry: Entry) -> str:
    if name == "warmup":
        return "warmup:5 or warmup:5,cosine (in epochs; 200steps: in steps)"
    form = f"{name}:{','.join(f'{key}={value}' for key, value in defaults(name).items())}"
    return form + (f" ({', '.join(entry.durations)} in epochs)" if entry.durations else "")


def defaults(name: str) -> dict[str, str]:
    """Every argument of a schedule that has a default, as it is written in text.

    >>> defaults("step")
    {'every': '5', 'factor': '0.5'}
    """
    entry = SCHEDULES[name]
    parameters = inspect.signature(entry.cls).parameters
    given = {key: parameters[key].default for key in entry.arguments}
    return {k: _written(v) for k, v in given.items() if v is not None and v is not inspect.Parameter.empty}


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return "/".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"


def resolve(spec: str | Schedule | Callable[[int], float] | None, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The schedule of a run of `total_steps` steps: the factor on the learning rate at a step counted from 0.

    `spec`: None for a constant 1; a schedule; a function of the step, whose factors are checked; or text: a name, then
    `:` and arguments with commas between them - `cosine`, `cosine:final=.01`, `step:factor=.5,every=5`,
    `onecycle:shape=linear,momenta=off`, `triangular:4,mode=exp_range` - where one bare value is the main argument
    (`exponential:.95`). Durations are in epochs, or in steps when written `200steps`. `warmup:5,cosine` climbs for 5 epochs
    and gives the rest of the run to what follows; a plateau after it multiplies it. Cosine, polynomial, annealing, onecycle
    and wsd end with the run.

    Errors: `UnknownNameError` for a name or argument, `BadValueError` for a value out of its range.

    >>> schedule = resolve("warmup:1,cosine", total_steps=40, steps_per_epoch=10)
    >>> schedule(10), schedule(40)
    (1.0, 0.0)
    """
    for name, value in (("total_steps", total_steps), ("steps_per_epoch", steps_per_epoch)):
        whole(value, name, 1)
    if spec is None:
        return Constant()
    if isinstance(spec, Schedule):
        return spec
    if isinstance(spec, str):
        return _built(_calls(spec), spec, total_steps, steps_per_epoch)
    if callable(spec):
        custom = Custom(spec)
        for step in (0, total_steps - 1):  # a wrong function fails before the run, not in it
            custom(step)
        return custom
    raise BadValueError(f"a schedule is one of {', '.join(SCHEDULES)}, a function of the step or None, got {spec!r}")


Call = tuple[str, list[str]]


def _built(calls: list[Call], text: str, total: float, steps_per_epoch: int) -> Schedule:
    """The schedule that the calls describe for a run of `total` steps."""
    (name, arguments), *rest = calls
    entry = SCHEDULES[name]
    given = _given(name, entry, arguments, steps_per_epoch)
    if name != "warmup":
        if rest:
            raise BadValueError(f"schedule {text!r}: only warmup is followed by another schedule, as in 'warmup:5,cosine'")
        return entry.cls(**given, **({"total": total} if entry.over else {}))
    if "steps" not in given:
        raise BadValueError(f"schedule {text!r}: warmup needs its length in epochs, as in 'warmup:5,cosine'")
    if given["steps"] >= total:
        raise BadValueError(
            f"schedule {text!r}: a warm-up of {given['steps']:g} steps must be shorter than the {total:g} steps there are "
            f"({steps_per_epoch} an epoch); shorten it or train longer"
        )
    then = _built(rest, text, total - given["steps"], steps_per_epoch) if rest else Constant()
    if isinstance(then, Plateau):  # it has no step of its own to begin at
        return dataclasses.replace(then, base=Warmup(**given, then=then.base))
    return Warmup(**given, then=then)


def _calls(text: str) -> list[Call]:
    """`a:1,b=2,c` as [("a", ["1", "b=2"]), ("c", [])]: a word before a colon, or a word alone, starts a schedule."""
    calls: list[Call] = []
    for token in text.split(","):
        head, colon, first = (part.strip() for part in token.partition(":"))
        if colon or not ("=" in token or (calls and re.match(r"\s*[-+.\d]", token))):
            if head not in SCHEDULES:
                raise unknown_name("schedule", head, SCHEDULES)
            calls.append((head, [first] if colon else []))
        elif calls:
            calls[-1][1].append(token.strip())
        else:
            raise BadValueError(f"schedule {text!r} must start with a name: {', '.join(SCHEDULES)}")
    return calls


def _given(name: str, entry: Entry, arguments: list[str], steps_per_epoch: int) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = (part.strip() for part in argument.partition("="))
        if not equals:
            key, value = entry.first, key
        if key not in entry.arguments:
            raise unknown_name(f"argument of schedule {name}", key, entry.arguments)
        if key in given:
            raise BadValueError(f"schedule {name}: {key} is given twice")
        if key in entry.cls.words:
            given[key] = _word(name, key, value, entry.cls.words[key])
        elif key == "momenta":
            given[key] = None if value == "off" else tuple(_number(name, key, v, None) for v in value.split("/"))
        else:
            given[key] = _number(name, key, value, steps_per_epoch if key in entry.durations else None)
    for key in entry.durations:
        default = inspect.signature(entry.cls).parameters[key].default
        if key not in given and isinstance(default, float):  # in epochs, as all that is written
            given[key] = default * steps_per_epoch
    return given


def _word(name: str, key: str, text: str, allowed: tuple[Any, ...]) -> Any:
    by_text = {_written(word): word for word in allowed}
    if text not in by_text:
        raise BadValueError(f"schedule {name}: {key} must be one of {', '.join(by_text)}, got {text!r}")
    return by_text[text]


def _number(name: str, key: str, text: str, steps_per_epoch: int | None) -> float:
    unit = None
    if steps_per_epoch is not None and (match := _DURATION.fullmatch(text)):
        text, unit = match.groups()
    try:
        value = float(text)
    except ValueError:
        needed = "a number of epochs, or of steps as in 200steps" if steps_per_epoch is not None else "a number"
        raise BadValueError(f"schedule {name}: {key} must be {needed}, got {text!r}") from None
    return value if steps_per_epoch is None or (unit or "").startswith("step") else value * steps_per_epoch
