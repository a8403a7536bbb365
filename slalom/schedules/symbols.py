"""What a schedule's formula is printed from: `at` itself, run on a symbol instead of on numbers.

A `Symbol` takes NumPy's functions and operators and keeps what was asked of it, so that the text and the LaTeX of a schedule
cannot differ from the code that runs. Known: `+ - * / **`, `<`, minimum, maximum, floor, cos, sqrt, log, where.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "^", "less": "<"}
_RANK = {"where": 0, "less": 1, "add": 2, "subtract": 2, "multiply": 3, "divide": 3, "power": 4}  # the rest binds tightest
_CALLS = {"minimum": "min", "maximum": "max", "floor": "floor", "cos": "cos", "sqrt": "sqrt", "log": "log", "call": ""}
SHOWN = 4  # values of a field with one a lane that are written out


class Symbol(NDArrayOperatorsMixin):
    """`kind` applied to `parts`: symbols, numbers, arrays of one number a lane; for names and calls the name comes first."""

    def __init__(self, kind: str, *parts: Any) -> None:
        self.kind = kind
        self.parts = parts

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__" or options or name not in {**_SIGNS, **_CALLS}:
            return NotImplemented
        return _simple(name, *inputs)

    def __array_function__(self, function: Any, types: Any, parts: Any, options: Any) -> Any:
        return Symbol("where", *parts) if function is np.where and not options else NotImplemented


def _is(value: Any, number: float) -> bool:
    return not isinstance(value, Symbol) and np.ndim(value) == 0 and value == number


def _simple(name: str, *parts: Any) -> Any:
    """The operation, without what changes nothing."""
    a, b = parts if len(parts) == 2 else (parts[0], None)
    if (name == "add" and _is(a, 0)) or (name == "multiply" and _is(a, 1)):
        return b
    if (name in ("add", "subtract") and _is(b, 0)) or (name in ("multiply", "divide", "power") and _is(b, 1)):
        return a
    if name in ("multiply", "divide") and (_is(a, 0) or (name == "multiply" and _is(b, 0))):
        return 0.0
    return Symbol(name, *parts)


def named(name: str, value: Any) -> Any:
    """`value` under a name of its own in what is printed, where it is a symbol; numbers pass through."""
    return Symbol("name", name, value) if isinstance(value, Symbol) else value


def called(name: str, t: Symbol) -> Symbol:
    """A function that cannot be looked into, applied to `t`."""
    return Symbol("call", name, t)


STEP = Symbol("name", "t", None)


class _Writer:
    """Writes one formula; `definitions` holds what its names stand for, in the order in which they can be read."""

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}

    def write(self, value: Any, above: int = 0) -> str:
        if not isinstance(value, Symbol):
            text = self.number(value) if np.ndim(value) == 0 else self.lanes(value)
            return f"({text})" if text.startswith("-") and above > 0 else text
        if value.kind == "name":
            name, meaning = value.parts
            return self.define(name, meaning) if meaning is not None else str(name)
        rank = self.ranks.get(value.kind, 5)
        text = self.operation(value.kind, value.parts, rank)
        return self.bracket(text) if rank < above else text

    def define(self, name: str, meaning: Symbol) -> str:
        said = self.write(meaning)
        while self.definitions.setdefault(name, said) != said:
            name += "'"
        return name

    def number(self, value: float) -> str:
        if value == math.pi:
            return "pi"
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"

    def lanes(self, values: Any) -> str:
        each = [self.number(v) for v in values]
        return f"[{', '.join(each if len(each) <= SHOWN else [*each[: SHOWN - 2], self.dots, each[-1]])}]"

    dots = "..."
    ranks: Mapping[str, int] = _RANK

    def bracket(self, text: str) -> str:
        return f"({text})"

    def operation(self, kind: str, parts: tuple[Any, ...], rank: int) -> str:
        if kind == "where":
            return f"{self.write(parts[1], 1)} if {self.write(parts[0], 1)} else {self.write(parts[2])}"
        if kind == "call":
            return f"{parts[0]}({self.write(parts[1])})"
        if kind in _CALLS:
            return f"{_CALLS[kind]}({', '.join(self.write(p) for p in parts)})"
        left = self.write(parts[0], rank + (kind == "power"))
        right = self.write(parts[1], rank + (kind not in ("add", "multiply")))
        return f"{left}^{right}" if kind == "power" else f"{left} {_SIGNS[kind]} {right}"


class _Latex(_Writer):
    dots = r"\dots"
    ranks = {**_RANK, "divide": 5}  # noqa: RUF012

    def number(self, value: float) -> str:
        text = super().number(value)
        if text == "pi":
            return r"\pi"
        digits, e, exponent = text.partition("e")
        return (r"10^{%d}" if digits == "1" else digits + r" \cdot 10^{%d}") % int(exponent) if e else text

    def bracket(self, text: str) -> str:
        return rf"\left({text}\right)"

    def operation(self, kind: str, parts: tuple[Any, ...], rank: int) -> str:
        if kind == "where":
            condition, yes, no = map(self.write, parts)
            return rf"\begin{{cases}} {yes} & {condition} \\ {no} & \text{{otherwise}} \end{{cases}}"
        if kind == "call":
            return rf"\operatorname{{{str(parts[0]).replace('_', chr(92) + '_')}}}{self.bracket(self.write(parts[1]))}"
        if kind == "divide":
            return rf"\frac{{{self.write(parts[0])}}}{{{self.write(parts[1])}}}"
        if kind == "power":
            base = self.write(parts[0], 6)
            base = self.bracket(base) if "^" in base and not base.startswith(r"\left") else base
            return f"{base}^{{{self.write(parts[1])}}}"
        if kind == "floor":
            return rf"\left\lfloor {self.write(parts[0])} \right\rfloor"
        if kind == "sqrt":
            return rf"\sqrt{{{self.write(parts[0])}}}"
        if kind in _CALLS:
            return rf"\{_CALLS[kind]}{self.bracket(', '.join(self.write(p) for p in parts))}"
        left, right = self.write(parts[0], rank), self.write(parts[1], rank + (kind == "subtract"))
        times = r"\cdot" if right[0].isdigit() else r"\,"
        return f"{left} {times if kind == 'multiply' else _SIGNS[kind]} {right}"


def text(value: Any) -> str:
    """A formula as plain text, the meaning of its names after it.

    >>> text(0.5 ** np.floor(STEP / 5))
    '0.5^floor(t / 5)'
    """
    writer = _Writer()
    body = writer.write(value)
    return body + "".join(f", {'where ' if i == 0 else ''}{k} = {v}" for i, (k, v) in enumerate(writer.definitions.items()))


def latex(value: Any) -> str:
    r"""A formula as LaTeX for math mode.

    >>> print(latex(0.5 ** np.floor(STEP / 5)))
    0.5^{\left\lfloor \frac{t}{5} \right\rfloor}
    """
    writer = _Latex()
    body = writer.write(value)
    return body + "".join(rf", \quad {k} = {v}" for k, v in writer.definitions.items())
