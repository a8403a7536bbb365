"""The rules of a race: names, settings, rule objects and torch classes made into one form that JSON can hold."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.errors import BadValueError, unknown_name
from slalom.core.rule import REGISTRY, Rule, Settings, get_rule
from slalom.engines.lanes import TorchOptimizer

# The rules that a race compares unless told otherwise: each has a torch.optim twin to be checked against.
DEFAULT_RULES = (
    "sgd", "momentum", "nag", "adagrad", "adadelta", "rmsprop", "adam", "adamax", "adamw", "nadam", "radam",
)  # fmt: skip

# Classes given as objects: one from a notebook or inside a function cannot be imported by its name in this process.
_handed_in: dict[str, type[torch.optim.Optimizer]] = {}

RuleLike = str | Rule | Settings | type[torch.optim.Optimizer] | tuple[Any, Mapping[str, Any]]


@dataclass(frozen=True)
class Entrant:
    """A rule with fixed hypers (all but lr). `target`: a registry name, or `module:Class` of a torch optimizer."""

    target: str
    hypers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_torch(self) -> bool:
        return ":" in self.target

    @property
    def label(self) -> str:
        """What people read: `adam`, `adam(amsgrad=True)`, `torch.Adam`."""
        name = self.target
        if self.is_torch:
            name = TorchOptimizer(self._class()).name
        inner = ", ".join(f"{k}={v!r}" for k, v in self.hypers.items())
        return f"{name}({inner})" if inner else name

    def _class(self) -> type[torch.optim.Optimizer]:
        if self.target in _handed_in:
            return _handed_in[self.target]
        module, _, name = self.target.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise BadValueError(f"cannot find the optimizer class {name} in {module}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
            raise BadValueError(f"{self.target} is not a torch.optim.Optimizer class")
        return found

    def optimizer(self, lr: float | None = None) -> Settings | TorchOptimizer:
        """Checked settings, at this lr or the documented default."""
        hypers = dict(self.hypers) if lr is None else {**self.hypers, "lr": lr}
        if self.is_torch:
            return TorchOptimizer(self._class(), hypers)
        return get_rule(self.target)(**hypers)

    @property
    def default_lr(self) -> float:
        """The documented default, of the entrant's convention, that the grid is laid around."""
        if self.is_torch:
            parameter = inspect.signature(self._class()).parameters.get("lr")
            if parameter is None:
                raise BadValueError(f"{self.label} has no argument lr, so there is no grid to search")
            if parameter.default is parameter.empty:
                raise BadValueError(f"{self.label} has no default lr to lay a grid around; give lrs={{{self.label!r}: [...]}}")
            return float(parameter.default)
        return get_rule(self.target)(**self.hypers).values["lr"]


def _from_text(text: str) -> tuple[str, dict[str, Any]]:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Call):
            if tree.args or any(k.arg is None for k in tree.keywords):
                raise ValueError("write hypers as name=value")
            return ast.unparse(tree.func), {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}
    except (SyntaxError, ValueError) as error:
        raise BadValueError(f"cannot read the rule {text!r} ({error}); write adam, or adam(b2=0.99, amsgrad=True)") from error
    return text.strip(), {}


def entrant(given: RuleLike) -> Entrant:
    """One rule of a race from whatever names it; errors say what is accepted.

    >>> entrant("adam(amsgrad=True)").label
    'adam(amsgrad=True)'
    >>> import torch
    >>> entrant(torch.optim.Adam).label
    'torch.Adam'
    """
    hypers: Mapping[str, Any] = {}
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        given, hypers = given
    if isinstance(given, Settings):
        rule = given.rule
        defaults = rule(**given.options)
        changed = {k: v for k, v in given.values.items() if v != defaults.values[k] and k != "lr"}
        options = {k: v for k, v in given.options.items() if v != rule.options[k].default}
        made = Entrant(rule.name, {**options, **changed, **hypers})
    elif isinstance(given, Rule):
        made = Entrant(given.name, dict(hypers))
    elif isinstance(given, type) and issubclass(given, torch.optim.Optimizer):
        target = f"{given.__module__}:{given.__qualname__}"
        _handed_in[target] = given
        made = Entrant(target, dict(hypers))
    elif isinstance(given, str):
        name, written = _from_text(given)
        if name.startswith("torch."):
            short = name.rpartition(".")[2]
            if short not in _torch_names():
                raise unknown_name("torch optimizer", name, [f"torch.{k}" for k in _torch_names()])
            name = f"{getattr(torch.optim, short).__module__}:{short}"
        elif name not in REGISTRY:
            raise unknown_name("rule", name, REGISTRY)
        made = Entrant(name, {**written, **hypers})
    else:
        raise BadValueError(
            f"a rule is a registry name, a rule, its settings or a torch.optim class; got {given!r} ({type(given).__name__})"
        )
    if "lr" in made.hypers:
        raise BadValueError(f"{made.label}: give learning rates by lrs=, not inside the rule")
    made.optimizer(None if not made.is_torch else 1e-3)  # checks the hypers
    return made


def _torch_names() -> list[str]:
    base = torch.optim.Optimizer
    return [k for k, v in vars(torch.optim).items() if isinstance(v, type) and issubclass(v, base) and v is not base]


def entrants(given: Sequence[RuleLike] | RuleLike | None) -> list[Entrant]:
    """All rules of a race; the default set when none are given. Naming one twice is an error."""
    if given is None:
        given = DEFAULT_RULES
    if isinstance(given, str | Rule | Settings | type):
        given = [given]
    if not isinstance(given, Iterable):
        raise BadValueError(f"rules must be a rule or a list of rules, got {given!r}")
    made = [entrant(one) for one in cast("Sequence[RuleLike]", given)]
    if not made:
        raise BadValueError("rules is empty; name at least one, or leave it out for the default set")
    labels = [e.label for e in made]
    for label in labels:
        if labels.count(label) > 1:
            raise BadValueError(f"the rule {label} is named {labels.count(label)} times; name it once")
    return made
