"""The tree of a function, found by calling it on names instead of numbers: loops and helpers unroll, numbers stay numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from slalom.core.errors import BadValueError
from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Num, Op, Var
from slalom.engines.printers.tree import LanguageError

_OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "less": "<", "less_equal": "<=",
    "greater": ">", "greater_equal": ">=",
}  # fmt: skip
_CALLS = {
    "sqrt": "sqrt", "exp": "exp", "log": "log", "cos": "cos", "sin": "sin", "absolute": "absolute", "sign": "sign",
    "maximum": "maximum", "minimum": "minimum",
}  # fmt: skip
WORDS = (*_CALLS.values(), "where")  # the words of `slalom.core.ops` that a formula may use


class Traced(NDArrayOperatorsMixin):
    """A value whose arithmetic is written down; NumPy's functions find it through `__array_ufunc__`."""

    def __init__(self, node: Expr) -> None:
        self.node = node

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__" or options:
            return NotImplemented
        if name == "positive":
            return self
        if name == "square":
            return self**2
        parts = [node_of(v) for v in inputs]
        if name == "negative":
            return Traced(Neg(parts[0]))
        if name in _OPERATORS:
            op = _OPERATORS[name]
            return Traced((Compare if op[0] in "<>" else Op)(op, parts[0], parts[1]))
        if name in _CALLS:
            return Traced(Call(_CALLS[name], tuple(parts)))
        raise LanguageError(f"`{name}` is not a word of formulas; they have + - * / ** and {', '.join(WORDS)}")

    def __array_function__(self, function: Any, types: Any, parts: Any, options: Any) -> Any:
        if function is np.where and not options:
            return Traced(Call("where", tuple(node_of(v) for v in parts)))
        raise LanguageError(f"`{function.__name__}` is not a word of formulas; they have + - * / ** and {', '.join(WORDS)}")

    def __bool__(self) -> bool:
        raise LanguageError("a formula cannot branch on its values with `if`; use where(condition, yes, no)")


def node_of(value: Any) -> Expr:
    """The node of a traced value, or of a number."""
    if isinstance(value, Traced):
        return value.node
    if isinstance(value, bool | np.bool_) or np.ndim(value) != 0 or not isinstance(value, int | float | np.number):
        raise LanguageError(f"a formula is made of names and numbers, got {value!r}")
    plain: int | float = value.item() if isinstance(value, np.number) else value
    return Num(plain) if plain >= 0 or plain != plain else Neg(Num(-plain))


def traced(function: Callable[..., Any], names: Sequence[str]) -> Expr:
    """The tree of `function(*names)`; LanguageError where it does what a formula cannot.

    >>> traced(lambda x, y: x * 2 + y, ["x", "y"]).op
    '+'
    """
    try:
        made = function(*(Traced(Var(name, 0)) for name in names))
        return node_of(made)
    except LanguageError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, BadValueError) as error:
        raise LanguageError(f"cannot be read as a formula: {error}") from error
