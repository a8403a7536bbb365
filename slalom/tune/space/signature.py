"""A space from a model factory's signature: `def model(width: Int(16, 256, log=True), dropout: Float(0, .5)): ...`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from slalom.core.errors import BadValueError
from slalom.tune.space.params import Param


def from_factory(factory: Callable[..., Any]) -> dict[str, Param]:
    """The parameters that a factory declares, as annotations or as defaults; {} where it declares none.

    >>> from slalom.tune.space import Int
    >>> def net(width: Int(8, 64), input_shape, output_size): ...
    >>> from_factory(net)
    {'width': Int(low=8, high=64, log=False, powers=False)}
    """
    try:
        parameters = inspect.signature(factory, eval_str=True).parameters.values()
    except (TypeError, ValueError):  # some callables written in C have no signature
        return {}
    except NameError as error:
        raise BadValueError(
            f"the annotations of {_name(factory)} cannot be read: {error}; import the name where it is defined"
        ) from None
    found = {}
    for p in parameters:
        declared = [v for v in (p.annotation, p.default) if isinstance(v, Param)]
        if declared:
            if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise BadValueError(f"{_name(factory)}: {p.name} varies, so it must be an argument that can be given by name")
            found[p.name] = declared[0]
    return found


def needed(factory: Callable[..., Any]) -> list[str]:
    """Arguments that a factory cannot do without."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def accepted(factory: Callable[..., Any]) -> set[str]:
    """Arguments that a factory takes by name."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def _name(factory: Any) -> str:
    return getattr(factory, "__name__", type(factory).__name__)
