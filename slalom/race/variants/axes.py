"""The arguments of `slalom.race` that make variants: each one value, or a list of them, an axis of the race.

A variant is a plain dict of settings, as it stands in the plan; what is off is left out, but for what a model or a rule may
have of its own (`dropout`, `batch_norm`, `weight_decay`), where off is said.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from slalom.core.checks import number
from slalom.core.errors import BadValueError
from slalom.core.penalty import Penalty
from slalom.nets import EarlyStopping
from slalom.nets.activations import entry
from slalom.nets.augmentation import Augment
from slalom.race.variants.augment import augment_text

Settings = dict[str, Any]
_SUBGRADIENT = re.compile(r"subgradient\((.+)\)")


def _activation(value: Any) -> Settings:
    if value is None:
        return {}
    entry(value)
    return {"activation": value}


def _batch_norm(value: Any) -> Settings:
    if not isinstance(value, bool | np.bool_):
        raise BadValueError(f"batch_norm must be True or False, got {value!r}")
    return {"batch_norm": bool(value)}


def _width(value: Any) -> Settings:
    if value is None:
        return {}
    factor = number(value, "width", "(0, inf)", kind="a factor on the model's hidden layers")
    return {} if factor == 1 else {"width": factor}


def _dropout(value: Any) -> Settings:
    return {} if value is None else {"dropout": number(value, "dropout", "[0, 1)")}


def _penalty(name: str, value: Penalty) -> Settings:
    if value.params is not None:
        raise BadValueError(f"{name}: a race penalises all weights but biases, norms and PReLU slopes; leave out params=")
    made: Settings = {k: float(v) for k, v in (("l1", value.l1), ("l2", value.l2)) if v}
    return made | ({"l1_method": value.method} if "l1" in made and value.method != "proximal" else {})


def _l1(value: Any) -> Settings:
    if isinstance(value, Penalty):
        return _penalty("l1", value)
    found = _SUBGRADIENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        try:
            return _penalty("l1", Penalty(l1=float(found[1]), method="subgradient"))
        except ValueError:
            raise BadValueError(f"l1 must be a number, or such as subgradient(0.01), got {value!r}") from None
    return {"l1": strength} if (strength := number(value or 0.0, "l1", "[0, inf)")) else {}


def _l2(value: Any) -> Settings:
    if isinstance(value, Penalty):
        return _penalty("l2", value)
    return {"l2": strength} if (strength := number(value or 0.0, "l2", "[0, inf)")) else {}


def _elastic_net(value: Any) -> Settings:
    if value is None or value == 0:
        return {}
    if isinstance(value, Penalty):
        return _penalty("elastic_net", value)
    if not isinstance(value, tuple) or len(value) != 2:
        raise BadValueError(f"elastic_net must be a pair (l1, l2), or a list of such pairs, got {value!r}")
    return {**_l1(value[0]), **_l2(value[1])}


def _weight_decay(value: Any) -> Settings:
    return {} if value is None else {"weight_decay": number(value, "weight_decay", "[0, inf)")}


def _augment(value: Any) -> Settings:
    return {"augment": text} if (text := augment_text(value)) else {}


def _label_smoothing(value: Any) -> Settings:
    return {"label_smoothing": share} if (share := number(value or 0.0, "label_smoothing", "[0, 1)")) else {}


def _early_stopping(value: Any) -> Settings:
    if value is None or value is False or (isinstance(value, int) and not isinstance(value, bool) and value == 0):
        return {}
    stopping = value if isinstance(value, EarlyStopping) else EarlyStopping(value)
    made: Settings = {"patience": stopping.patience}
    made |= {"min_delta": float(stopping.min_delta)} if stopping.min_delta else {}
    made |= {"higher_is_better": True} if stopping.higher_is_better else {}
    return {"early_stopping": made | ({} if stopping.restore else {"restore": False})}


AXES: dict[str, Callable[[Any], Settings]] = {
    "activation": _activation, "width": _width, "batch_norm": _batch_norm, "dropout": _dropout, "l1": _l1, "l2": _l2,
    "elastic_net": _elastic_net, "weight_decay": _weight_decay, "augment": _augment, "label_smoothing": _label_smoothing,
    "early_stopping": _early_stopping,
}  # fmt: skip


def variants(given: Mapping[str, Any]) -> list[Settings]:
    """Every combination of what is given: one value of each argument, or each of a list; None is an argument left out.

    >>> variants({"dropout": [0, 0.5], "l1": 0.01})
    [{'dropout': 0.0, 'l1': 0.01}, {'dropout': 0.5, 'l1': 0.01}]
    """
    axes: list[list[Settings]] = []
    for name, value in given.items():
        if value is None:
            continue
        if not _is_axis(name, value):
            axes.append([AXES[name](value)])
            continue
        made = [AXES[name](one) for one in list(value)]
        if not made:
            raise BadValueError(f"{name} is empty; give at least one value, or leave it out")
        if any(made.count(one) > 1 for one in made):
            raise BadValueError(f"{name} names a value twice: {list(value)!r}; name each once")
        axes.append(made)
    found = []
    for parts in itertools.product(*axes):
        one: Settings = {}
        for part in parts:
            twice = one.keys() & part.keys()
            if twice:
                raise BadValueError(f"{' and '.join(sorted(twice))} is set twice: by elastic_net and by itself; give one of them")
            one |= part
        found.append(one)
    return found


def _is_axis(name: str, value: Any) -> bool:
    if isinstance(value, str | Penalty | EarlyStopping | Augment):
        return False
    if isinstance(value, tuple) and name == "elastic_net":
        return not (len(value) == 2 and all(isinstance(v, int | float) for v in value))
    return isinstance(value, list | tuple | np.ndarray | range)


def variant_text(settings: Settings, *, own: Mapping[str, Any] | None = None) -> str:
    """A variant's name: `dropout=0.2, l1=0.001`; nothing for none. `own`: what the model and the rule have unless told.

    >>> variant_text({"dropout": 0.0, "l1": 0.001, "early_stopping": {"patience": 5}})
    'l1=0.001, early_stopping=5'
    """
    own = own or {}
    parts = [str(settings["activation"])] if "activation" in settings else []
    if "width" in settings:
        parts.append(f"width={settings['width']:g}")
    if settings.get("batch_norm", False) or own.get("batch_norm"):
        parts += ["batch_norm" if settings["batch_norm"] else "no batch_norm"] if "batch_norm" in settings else []
    if "dropout" in settings and (settings["dropout"] or own.get("dropout")):
        parts.append(f"dropout={settings['dropout']:g}")
    l1, l2 = settings.get("l1"), settings.get("l2")
    strength = f"subgradient({l1:g})" if "l1_method" in settings else f"{l1 or 0:g}"
    if l1 and l2:
        parts.append(f"elastic_net={strength}/{l2:g}")
    elif l1 or l2:
        parts.append(f"l1={strength}" if l1 else f"l2={l2:g}")
    if "weight_decay" in settings and (settings["weight_decay"] or own.get("weight_decay")):
        parts.append(f"weight_decay={settings['weight_decay']:g}")
    if "augment" in settings:
        parts.append(settings["augment"])
    if "label_smoothing" in settings:
        parts.append(f"label_smoothing={settings['label_smoothing']:g}")
    if "early_stopping" in settings:
        told = dict(settings["early_stopping"])
        more = "".join(f", {k}={v!r}" for k, v in told.items() if k != "patience")
        parts.append(f"early_stopping={told['patience']}" + (f" ({more[2:]})" if more else ""))
    return ", ".join(parts)
