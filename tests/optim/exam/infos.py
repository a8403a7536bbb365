"""Our classes as torch registers its own for its own exam: one `OptimizerInfo` each, made from torch's where torch has the rule.

`torch.testing._internal.common_optimizers` takes seconds to import, so nothing of it is touched before a test runs.
"""

from __future__ import annotations

import importlib
import re
import types
import warnings
from functools import cache
from typing import Any

import torch

import slalom.optim
from slalom.engines.optimizer import RuleOptimizer

NAMES = [n for n in slalom.optim.__all__ if getattr(getattr(slalom.optim, n), "rule", None) is not None]
TWINS = [n for n in NAMES if getattr(slalom.optim, n).rule.torch_name]

# Inputs of the rules that torch lacks, and those that torch's entries leave out.
LIKE = {"Momentum": "SGD", "NAG": "SGD", "Lion": "Adam", "LpAdam": "Adam", "WindowedAdadelta": "Adadelta"}
MORE: dict[str, list[dict[str, Any]]] = {
    "Momentum": [{"momentum": 0.5, "dampening": 0.5}, {"convention": "paper", "weight_decay": 0.1}],
    "NAG": [{"momentum": 0.5}, {"convention": "tf", "weight_decay": 0.1}],
    "Lion": [{"betas": (0.5, 0.9)}],
    "LpAdam": [{"p": 2.5}],
    "WindowedAdadelta": [{"w": 3}],
    "Adagrad": [{"exponent": 1.0, "initial_accumulator_value": 0.1}, {"convention": "tf"}],
    "Adadelta": [{"eps": 1e-3}],
    "RMSprop": [{"convention": "tf"}, {"convention": "paper", "centered": True}],
    "Adam": [{"convention": "tf"}, {"betas": (torch.tensor(0.5), 0.9)}],
    "AdamW": [{"amsgrad": True}],
}
WRONG: dict[str, dict[str, Any]] = {
    "WindowedAdadelta": {"w": 0},
    "LpAdam": {"p": 0.5},
    "Lion": {"betas": (0.9, float("nan"))},
    "NAG": {"momentum": 1.5},
    "Momentum": {"convention": "keras"},
}


def class_of(name: str) -> type[RuleOptimizer]:
    """Our class of that name."""
    made: type[RuleOptimizer] = getattr(slalom.optim, name)
    return made


@cache
def metadata() -> types.ModuleType:
    """torch's own records of its optimizers; it needs expecttest, and would like hypothesis too, which we do without."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        return importlib.import_module("torch.testing._internal.common_optimizers")


@cache
def infos() -> dict[str, Any]:
    """Our `optim_db`: an OptimizerInfo a class, by name."""
    theirs = metadata()
    by_name = {info.name: info for info in theirs.optim_db}

    def make(name: str) -> Any:
        cls = class_of(name)
        known = {a.name for a in cls._arguments}
        twin = by_name[LIKE.get(name, name)]

        def inputs(device: str, dtype: torch.dtype | None = None) -> list[Any]:
            made = [i for i in twin.optim_inputs_func(device, dtype) if set(i.kwargs) <= known]
            return made + [theirs.OptimizerInput(params=None, kwargs=dict(k), desc=str(k)) for k in MORE.get(name, [])]

        def errors(device: str, dtype: torch.dtype) -> list[Any]:
            made = [_ours(cls, e) for e in twin.optim_error_inputs_func(device, dtype)]
            if name in WRONG:
                made.append(_ours(cls, theirs.ErrorOptimizerInput(theirs.OptimizerInput(None, WRONG[name]))))
            return [e for e in made if e is not None]

        def _ours(cls: type[RuleOptimizer], error: Any) -> Any:
            """The same wrong input, with what we say of it; None where it is right for us, or has no meaning."""
            given = error.optimizer_error_input
            if not given.kwargs:
                return error  # of params and groups: torch's own words, from torch's own base class
            if not set(given.kwargs) <= known:
                return None
            wrong = [k for k in given.kwargs if k != "lr" or len(given.kwargs) == 1]
            if "foreach" in wrong:
                wrong = ["foreach"]
            elif isinstance(given.kwargs.get("betas"), tuple) and any(map(torch.is_tensor, given.kwargs["betas"])):
                return None  # a float and a tensor side by side: allowed here
            said = rf"{cls.__name__}: {re.escape(wrong[0])}(\[\d\])? must be .+, got "
            return theirs.ErrorOptimizerInput(given, error_on=error.error_on, error_type=ValueError, error_regex=said)

        return theirs.OptimizerInfo(
            cls,
            optim_inputs_func=inputs,
            optim_error_inputs_func=errors,
            scheduler_inputs=by_name["SGD"].scheduler_inputs,  # the longest list that torch has
            supported_impls=("differentiable",),  # of torch's flags; foreach and fused are ours to choose
            not_og_supported_flags=("differentiable", "maximize", "capturable"),
            supports_complex=True,
        )

    return {name: make(name) for name in NAMES}
