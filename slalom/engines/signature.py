"""A rule's declaration read as the constructor of a torch optimizer: names, order, defaults, documentation.

Where torch.optim has the rule, the names and their order are torch's, read from torch's own class, so that `betas`,
`alpha` or `initial_accumulator_value` stand where a user expects them; what torch lacks follows as keywords.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from slalom.core.rule import Rule
from slalom.engines.sparse.modes import MODES


@dataclass(frozen=True)
class EngineArgument:
    """What the optimizer does for every rule: default, meaning, and which values are allowed."""

    default: Any
    doc: str
    allowed: str = "True or False"
    admits: Callable[[Any], bool] = lambda value: isinstance(value, bool)


_STATES = (torch.float64, torch.float32, torch.bfloat16)


def _is_norm(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0)


ENGINE = {
    "maximize": EngineArgument(False, "climb instead of descend: the rule sees the negated gradient"),
    "differentiable": EngineArgument(
        False, "let autograd run through the step (the states are then replaced, not changed in place)"
    ),
    "clip_grad_norm": EngineArgument(
        None,
        "the largest L2 norm of all the optimizer's gradients together, after unscaling; larger ones are shrunk to it within "
        "the step, as torch.nn.utils.clip_grad_norm_ does (1e-6 added to the norm), but p.grad stays as it is. The norm before "
        "clipping is then `optimizer.grad_norm`; inf only measures it. The same for every group. As in torch, a norm of NaN "
        "makes the step NaN, an infinite one makes it 0 (NaN where the gradient is infinite): GradScaler leaves such steps out",
        "a number in (0, inf] or None",
        _is_norm,
    ),
    "state_dtype": EngineArgument(
        None,
        "how the states are stored: as the parameter, but as torch.float32 where that has 16 bits (torch keeps them in 16 bits, "
        "in which a slow average stands still: with b2 = 0.999, once a step changes it by less than 1 in 256), or as told. "
        "All 16-bit numbers are computed on in float32",
        "one of None, torch.float64, torch.float32, torch.bfloat16 (float16 cannot hold the squares of small gradients)",
        lambda value: value is None or (isinstance(value, torch.dtype) and value in _STATES),
    ),
    "stochastic_rounding": EngineArgument(
        False,
        "what is stored as torch.bfloat16, parameters and states, is rounded up or down by chance so that its mean is exact, and "
        "small steps add up where rounding to the nearest loses them. The seed is drawn once from torch's generator, kept in "
        "the group as 'rounding_seed' and in state dicts: torch.manual_seed repeats a run, a loaded one goes on exactly, the "
        "number of threads changes nothing. Replicas of a model (DDP) need the same seed on every process",
    ),
    "sparse": EngineArgument(
        None,
        "what a sparse gradient does to the rows it does not touch: 'lazy' leaves them as they are (rows count their own "
        "steps; decay shrinks touched rows only), 'dense-equivalent' lets them catch up with the dense run (see `follow` and "
        "`catch_up`), None: an error",
        f"one of {', '.join(map(repr, MODES))}",
        lambda value: value is None or (isinstance(value, str) and value in MODES),
    ),
}
# What steers torch's own implementation. Slalom chooses its path itself, so only torch's "leave it to you" is taken.
IMPLEMENTATION: dict[str, Any] = {"foreach": None, "fused": None, "capturable": False}


@dataclass(frozen=True)
class Argument:
    """One argument of the constructor, and key of a parameter group, after `params`.

    `names` holds the rule's hypers behind it: one, several for a tuple such as `betas`, none for what is not a hyper.
    """

    name: str
    default: Any
    names: tuple[str, ...] = ()
    is_option: bool = False
    keyword_only: bool = True
    is_tuple: bool = False

    def split(self, value: Any) -> dict[str, Any]:
        """The value by hyper; a tuple of the wrong length is the caller's to notice (`fits`)."""
        return dict(zip(self.names, value if self.is_tuple else (value,), strict=True))

    def fits(self, value: Any) -> bool:
        """Whether the value has one entry a hyper."""
        return not self.is_tuple or (isinstance(value, tuple | list) and len(value) == len(self.names))

    def label(self, hyper: str) -> str:
        """The hyper as a user of this argument writes it: `betas[1]`."""
        return f"{self.name}[{self.names.index(hyper)}]" if self.is_tuple else self.name


def _hyper_arguments(rule: Rule) -> dict[str, Argument]:
    grouped: dict[str, dict[int, str]] = {}
    tuples = set()
    for name, hyper in rule.hypers.items():
        match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", hyper.torch or name)
        if match is None:
            raise TypeError(f"{rule.name}: {name} has torch={hyper.torch!r}; write a name or name[index]")
        argument, index = match.groups()
        grouped.setdefault(argument, {})[int(index or 0)] = name
        if index is not None:
            tuples.add(argument)
    made = {}
    for argument, by_index in grouped.items():
        names = tuple(by_index[i] for i in sorted(by_index))
        values = tuple(rule.hypers[n].default for n in names)
        is_tuple = argument in tuples
        made[argument] = Argument(argument, values if is_tuple else values[0], names, keyword_only=False, is_tuple=is_tuple)
    return made


@cache
def arguments(rule: Rule) -> tuple[Argument, ...]:
    """The constructor's arguments after `params`, in order: torch's first where torch has the rule.

    >>> from slalom.rules import adam
    >>> [a.name for a in arguments(adam)][:5]
    ['lr', 'betas', 'eps', 'weight_decay', 'amsgrad']
    """
    own = _hyper_arguments(rule)
    own |= {name: Argument(name, option.default, is_option=True) for name, option in rule.options.items()}
    own |= {name: Argument(name, e.default) for name, e in ENGINE.items()}
    twin = getattr(torch.optim, rule.torch_name, None) if rule.torch_name else None
    if twin is None:
        return tuple(sorted(own.values(), key=lambda a: a.keyword_only))
    ordered = []
    for name, parameter in list(inspect.signature(twin).parameters.items())[1:]:
        found = own.pop(name, None)
        if found is None and name in IMPLEMENTATION:
            found = Argument(name, IMPLEMENTATION[name])
        if found is not None:
            keyword_only = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            ordered.append(_replace(found, keyword_only=keyword_only))
    return (*ordered, *(_replace(a, keyword_only=True) for a in own.values()))


def _replace(argument: Argument, *, keyword_only: bool) -> Argument:
    a = argument
    return Argument(a.name, a.default, a.names, a.is_option, keyword_only, a.is_tuple)


def signature(rule: Rule) -> inspect.Signature:
    """The signature of `__init__`, `self` included; defaults that a convention changes show their plain value."""
    kind = inspect.Parameter
    made = [kind("self", kind.POSITIONAL_OR_KEYWORD), kind("params", kind.POSITIONAL_OR_KEYWORD)]
    for a in arguments(rule):
        how = kind.KEYWORD_ONLY if a.keyword_only else kind.POSITIONAL_OR_KEYWORD
        made.append(kind(a.name, how, default=a.default))
    return inspect.Signature(made)


def docstring(rule: Rule, name: str, module: str) -> str:
    """The optimizer's documentation, from the declaration alone."""
    lines = [rule.doc, "", "Arguments after `params` (parameters, (name, parameter) pairs, or groups as dicts):", ""]
    for a in arguments(rule):
        lines += _describe(rule, a)
    lines += ["", "Hypers may be tensors of one element; they are read anew at every step.", ""]
    lines += [f"Source: {rule.source}"]
    lines += [f"How libraries differ: {rule.differs}"] if rule.differs else []
    lines += [
        "Raises BadValueError (a ValueError) for a value outside its range and for a sparse gradient without `sparse=`.",
        "",
    ]
    if module != "__main__":
        lines.append(f">>> from {module} import {name}")
    lines += [
        ">>> weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))",
        f">>> optimizer = {name}([weights], lr=0.01)",
        ">>> before = weights.square().sum()",
        ">>> before.backward()",
        ">>> optimizer.step()",
        ">>> bool(weights.square().sum() < before)",
        "True",
    ]
    lines.insert(lines.index(">>> weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))"), ">>> import torch")
    return "\n".join(lines)


def _describe(rule: Rule, a: Argument) -> Iterable[str]:
    shown = f"- {a.name} = {a.default!r}"
    if a.names:
        for name in a.names:
            h = rule.hypers[name]
            text = f"{a.label(name)}, ${h.symbol}$ in {h.allowed}" if a.is_tuple else f"${h.symbol}$ in {h.allowed}"
            text += f": {h.doc}" if h.doc else ""
            if h.by_convention:
                text += "; default " + ", ".join(f"{v:g} under {c!r}" for c, v in h.by_convention.items())
            yield f"  {text}" if a.is_tuple and name != a.names[0] else f"{shown}, {text}"
    elif a.is_option:
        option = rule.options[a.name]
        yield f"{shown}, {option.allowed}" + (f": {option.doc}" if option.doc else "")
    elif a.name in ENGINE:
        yield f"{shown}: {ENGINE[a.name].doc}"
    else:
        yield f"{shown}: taken for torch's sake at this value only; Slalom chooses its own path"
