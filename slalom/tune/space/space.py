"""A search space: names, what each may be, and which are in use beside which."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slalom.core.errors import BadValueError, StoreError, unknown_name
from slalom.tune.space.params import Categorical, Float, Int, Param, Value

Config = dict[str, Value]
KINDS: dict[str, type[Param]] = {kind.kind: kind for kind in (Float, Int, Categorical)}


def param_of(name: str, body: Any) -> Param | Value:
    """A parameter from plain data: `{"float": [low, high], "log": true}`, a list of choices; or a fixed value."""
    if isinstance(body, list):
        return Categorical(body)
    if not isinstance(body, Mapping):
        if body is None or isinstance(body, bool | int | float | str):
            return body
        raise BadValueError(f"space: {name} must be a parameter, a list of choices or a fixed value, got {body!r}")
    fields = dict(body)
    when = fields.pop("when", {})
    kind = fields.pop("kind", None)
    short = next((k for k in KINDS if k in fields), None)
    if kind is None and short is not None:
        ends = fields.pop(short)
        kind = short
        if short == "categorical":
            fields["choices"] = ends
        elif isinstance(ends, list) and len(ends) == 2:
            fields["low"], fields["high"] = ends
        else:
            raise BadValueError(f"space: {name}: {short} needs [low, high], got {ends!r}")
    if kind is None:
        wholes = all(isinstance(fields.get(k), int) for k in ("low", "high"))
        kind = "categorical" if "choices" in fields else "int" if wholes else "float"
    if kind not in KINDS:
        raise unknown_name("kind of parameter", str(kind), KINDS)
    try:
        made = KINDS[kind](**fields)
    except TypeError as error:
        raise BadValueError(
            f"space: {name}: {str(error).removeprefix(KINDS[kind].__name__ + '.__init__() ')}; write float = [low, high] "
            "or int = [low, high], with log = true where it is, or a list of choices"
        ) from None
    except BadValueError as error:
        raise BadValueError(f"space: {name}: {error}") from None
    return made.when(**when) if when else made


class Space(Mapping[str, Param]):
    """Parameters by name; `fixed` holds what does not vary.

    `Space({"lr": Float(1e-4, 1, log=True), "optimizer": Categorical(["sgd", "adam"]), "epochs": 20,
    "sgd.momentum": Float(0, .99)})`. A name `RULE.HYPER` is in use beside that optimizer only. Conditions may be nested; they
    name a parameter of the space and some of its choices. Errors: `BadValueError`, `UnknownNameError`.

    Samplers see every parameter at once, in use or not; `active` leaves out those that are not.

    >>> space = Space({"layers": Int(1, 2), "units2": Int(8, 64, log=True).when(layers=2)})
    >>> space.active({"layers": 1, "units2": 8})
    {'layers': 1}
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        made = {name: v if isinstance(v, Param) else param_of(name, v) for name, v in params.items()}
        self.params: dict[str, Param] = {k: v for k, v in made.items() if isinstance(v, Param)}
        self.fixed: Config = {k: v for k, v in made.items() if not isinstance(v, Param)}
        for name, param in self.params.items():
            rule, dot, _ = name.partition(".")
            chooser = self.params.get("optimizer")
            if dot and isinstance(chooser, Categorical) and "optimizer" not in param.condition:
                same = [c for c in chooser.choices if isinstance(c, str) and c.partition("(")[0].strip() == rule]
                if not same:
                    raise unknown_name(f"optimizer of the space, for {name},", rule, map(str, chooser.choices))
                self.params[name] = param.when(optimizer=same)
        if not self.params:
            raise BadValueError("space: nothing varies; give at least one Float, Int or Categorical")
        self.order = self._ordered()

    def _ordered(self) -> list[str]:
        """Names, each after those that its condition asks for."""
        done: list[str] = []
        for name, param in self.params.items():
            for parent, values in param.condition.items():
                if parent not in self.params and parent not in self.fixed:
                    raise unknown_name(f"parameter in the condition of {name}", parent, [*self.params, *self.fixed])
                for value in values if parent in self.params else ():
                    self.params[parent].check(f"space: {name}: when {parent}", value)
        while len(done) < len(self.params):
            ready = [
                n for n in self.params if n not in done and all(c in done or c in self.fixed for c in self.params[n].condition)
            ]
            if not ready:
                stuck = [n for n in self.params if n not in done]
                raise BadValueError(f"space: the conditions of {', '.join(stuck)} go round in a circle")
            done += ready
        return done

    def __getitem__(self, name: str) -> Param:
        return self.params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return f"<space of {', '.join(self.params)}>"

    def active(self, point: Mapping[str, Any]) -> Config:
        """The configuration at a point: what is in use there, with what is fixed."""
        config: Config = dict(self.fixed)
        for name in self.order:
            if all(parent in config and config[parent] in values for parent, values in self.params[name].condition.items()):
                config[name] = point[name]
        return {name: config[name] for name in [*self.fixed, *self.params] if name in config}

    def varying(self, config: Mapping[str, Any]) -> Config:
        """A configuration without what is fixed."""
        return {k: v for k, v in config.items() if k in self.params}

    def at(self, places: Mapping[str, float]) -> Config:
        """The point at places from 0 to 1."""
        return {name: param.at(places[name]) for name, param in self.params.items()}

    def random(self, seed: int, index: int) -> Config:
        """Point number `index` of the random search with that seed: the same in any order and after any resume."""
        draws = np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64))).random(len(self.params))
        return self.at(dict(zip(self.params, draws.tolist(), strict=True)))

    def filled(self, given: Mapping[str, Any], seed: int, index: int) -> Config:
        """A point with these values, checked; what is not given is drawn as by `random`."""
        for name, value in given.items():
            if name in self.fixed and self.fixed[name] == value:
                continue
            if name not in self.params:
                raise unknown_name("parameter of the space", name, self.params)
            self.params[name].check(name, value)
        drawn = self.random(seed, index)
        return {**drawn, **{k: v for k, v in given.items() if k in self.params}}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON and TOML alike."""
        return {**{k: p.to_dict() for k, p in self.params.items()}, **self.fixed}

    def describe(self) -> str:
        """A line for each parameter."""
        lines = []
        for name, param in self.params.items():
            when = " and ".join(f"{k} is {' or '.join(map(str, v))}" for k, v in param.condition.items())
            body = ", ".join(map(str, param.choices)) if isinstance(param, Categorical) else ""
            if isinstance(param, Float | Int):
                scale = {"near_one": ", log in 1 - x", "log": ", log"}.get(param.scale, "")
                body = f"{param.low:g} .. {param.high:g}{', powers of two' if getattr(param, 'powers', False) else scale}"
            lines.append(f"{name:<16} {body}" + (f"   (where {when})" if when else ""))
        return "\n".join(lines)


def from_toml(path: str | Path) -> Space:
    """The space in a TOML file: its table `space`, or its top level.

    `lr = {float = [1e-4, 1], log = true}`, `optimizer = ["sgd", "adam"]`, `"sgd.momentum" = {float = [0, 0.99]}`, `epochs = 20`.
    """
    try:
        body = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise StoreError(f"cannot read the space {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadValueError(f"the space {path} is not TOML: {error}") from error
    return Space(_flat(body.get("space", body)))


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """`[space.sgd] momentum = ...` is `sgd.momentum`, as TOML reads an unquoted `sgd.momentum = ...`."""
    out: dict[str, Any] = {}
    known = {"low", "high", "choices", "kind", *KINDS}
    for name, value in body.items():
        if isinstance(value, Mapping) and not known & value.keys():
            out |= {f"{name}.{k}": v for k, v in value.items()}
        else:
            out[name] = value
    return out


def as_space(given: Any) -> Space:
    """A space from a Space, a mapping, or the path of a TOML file."""
    if isinstance(given, Space):
        return given
    if isinstance(given, Mapping):
        return Space(given)
    if isinstance(given, str | Path):
        return from_toml(given)
    raise BadValueError(f"space must be a Space, a dict or the path of a .toml file, got {type(given).__name__}")
