"""The same rules elsewhere: torch.optim, and optax where its definition agrees."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from slalom.core.errors import MissingExtraError
from slalom.core.rule import Settings
from slalom.testing.problems import Problem
from slalom.testing.trajectory import Path

# Rules of which torch has no class, but has the numbers.
TORCH_FORMS: dict[str, tuple[str, dict[str, Any]]] = {"momentum": ("SGD", {}), "nag": ("SGD", {"nesterov": True})}


def torch_arguments(settings: Settings) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """torch.optim's class and arguments for these settings; None where torch cannot express them."""
    rule = settings.rule
    name, fixed = TORCH_FORMS.get(rule.name, (rule.torch_name, {}))
    if name is None:
        return None
    cls: type[torch.optim.Optimizer] = getattr(torch.optim, name)
    known = inspect.signature(cls).parameters
    arguments: dict[str, Any] = dict(fixed)
    parts: dict[str, dict[int, float]] = {}
    for k, hyper in rule.hypers.items():
        match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", hyper.torch or k)
        assert match, f"{rule.name}: {k} has an unreadable torch name {hyper.torch!r}"
        if match[1] not in known:
            if settings.values[k] != hyper.default:
                return None
        elif match[2] is not None:
            parts.setdefault(match[1], {})[int(match[2])] = settings.values[k]
        else:
            arguments[match[1]] = settings.values[k]
    for k, option in rule.options.items():
        if k in known:
            arguments[k] = settings.options[k]
        elif settings.options[k] != option.default:
            return None
    arguments |= {k: tuple(v[i] for i in sorted(v)) for k, v in parts.items()}
    if arguments.get("nesterov") and arguments["momentum"] == 0:
        return None  # torch.optim.SGD refuses it
    return cls, arguments


def torch_defaults(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments under default settings, and torch's own defaults of the same."""
    made = torch_arguments(settings)
    assert made is not None
    known = inspect.signature(made[0]).parameters
    return made[1], {k: known[k].default for k in made[1]}


def run_torch(settings: Settings, problem: Problem, lrs: Sequence[float]) -> tuple[Path, Mapping[str, Any]] | None:
    """torch.optim's trajectory, in its plain loop, and its state of the parameter."""
    made = torch_arguments(settings)
    if made is None:
        return None
    cls, arguments = made
    with float64():
        p = torch.nn.Parameter(torch.tensor(problem.start))
        optimizer: Any = cls([p], **arguments, foreach=False)  # type: ignore[call-arg]
        path = [problem.start]
        for t, lr in enumerate(lrs, 1):
            optimizer.param_groups[0]["lr"] = lr
            p.grad = torch.from_numpy(problem.gradient(p.detach().numpy(), t))
            optimizer.step()
            path.append(p.detach().numpy().copy())
    return np.array(path), optimizer.state[p]


@contextmanager
def float64() -> Iterator[None]:
    """float64 as torch's default: torch.optim keeps its own scalars (NAdam's product) in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def run_optax(settings: Settings, problem: Problem, lrs: Sequence[float]) -> Path | None:
    """optax's trajectory in float64; None where optax defines the rule otherwise. Raises MissingExtraError without optax."""
    form = OPTAX_FORMS.get(settings.rule.name)
    if form is None:
        return None
    try:
        jax, optax = (importlib.import_module(name) for name in ("jax", "optax"))
    except ImportError as error:
        raise MissingExtraError("optax is not installed: pip install 'slalom[test]'") from error
    with jax.enable_x64(True):
        table = jax.numpy.asarray(lrs)
        h = {**settings.values, **settings.options, "lr": lambda count: table[count]}
        made = form(optax, h)
        if made is None:
            return None
        wd = h.get("weight_decay", 0.0)
        if wd and h.get("decoupled_weight_decay", False):  # after the step, which leaves optax negated
            rates = table if h.get("convention") != "paper" or "schedule" not in h else jax.numpy.full_like(table, h["schedule"])
            made = optax.chain(made, optax.add_decayed_weights(lambda count: -rates[count] * wd))
        elif wd:
            made = optax.chain(optax.add_decayed_weights(wd), made)
        x = jax.numpy.asarray(problem.start)
        state = made.init(x)
        update = jax.jit(made.update)
        path = [problem.start]
        for t in range(1, len(lrs) + 1):
            g = jax.numpy.asarray(problem.gradient(np.asarray(x), t))
            change, state = update(g, state, x)
            x = x + change
            path.append(np.asarray(x))
        return np.array(path)


def _momentum(optax: Any, h: Any) -> Any:
    nesterov = h.get("nesterov", False)
    same = h.get("convention", "torch") != "paper" and h["dampening"] == 0
    return optax.sgd(h["lr"], h["momentum"] or None, nesterov) if same else None


def _nag(optax: Any, h: Any) -> Any:
    return optax.sgd(h["lr"], h["momentum"], nesterov=True) if h["convention"] == "torch" else None


def _adagrad(optax: Any, h: Any) -> Any:
    same = h["convention"] == "tf" and h["exponent"] == 0.5 and h["lr_decay"] == 0
    return optax.adagrad(h["lr"], h["initial_accumulator_value"], h["eps"]) if same else None


def _adadelta(optax: Any, h: Any) -> Any:
    same = h["correct_units"] and not h["lr_inside"]
    return optax.adadelta(h["lr"], h["rho"], h["eps"]) if same else None


def _rmsprop(optax: Any, h: Any) -> Any:
    inside = h["convention"] != "torch"
    if not inside and h["momentum"]:
        return None  # optax keeps lr inside the velocity wherever eps is
    return optax.rmsprop(
        h["lr"], h["alpha"], h["eps"], h["initial_accumulator_value"], eps_in_sqrt=inside, centered=h["centered"],
        momentum=h["momentum"] or None,
    )  # fmt: skip


def _adam(optax: Any, h: Any) -> Any:
    same = h["convention"] != "tf" and not h["amsgrad"] and h.get("bias_correction", True)
    return optax.adam(h["lr"], h["b1"], h["b2"], h["eps"]) if same else None


def _adamax(optax: Any, h: Any) -> Any:
    return optax.adamax(h["lr"], h["b1"], h["b2"], h["eps"]) if h["convention"] == "torch" else None


def _lp_adam(optax: Any, h: Any) -> Any:
    return optax.adam(h["lr"], h["b1"], h["b2"] ** 2, h["eps"]) if h["p"] == 2 else None


def _radam(optax: Any, h: Any) -> Any:
    same = h["convention"] == "paper" and h["eps"] > 0
    return optax.radam(h["lr"], h["b1"], h["b2"], h["eps"], threshold=4.0) if same else None


def _lion(optax: Any, h: Any) -> Any:
    return optax.lion(h["lr"], h["b1"], h["b2"], weight_decay=0.0)


# Each gives optax's transformation, without its decay, where its definition agrees (`lr` arrives as a schedule), else None;
# `run_optax` adds the decay: coupled before it, decoupled after it, as optax.adamw and lion are chained. NAdam is not here:
# optax keeps mu constant. The windowed Adadelta exists nowhere else.
OPTAX_FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "sgd": _momentum, "momentum": _momentum, "nag": _nag, "adagrad": _adagrad, "adadelta": _adadelta, "rmsprop": _rmsprop,
    "adam": _adam, "adamw": _adam, "adamax": _adamax, "lp_adam": _lp_adam, "radam": _radam, "lion": _lion,
}  # fmt: skip
