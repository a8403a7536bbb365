"""The host's arithmetic as C: a `HostTape`, one line a call, all in double, for a device that has to do it by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slalom.engines.printers.host import HostTape

_TEXT: dict[Callable[..., Any], str] = {
    np.add: "{0} + {1}", np.subtract: "{0} - {1}", np.multiply: "{0} * {1}", np.divide: "{0} / {1}",
    np.power: "POWER({0}, {1})", np.negative: "-{0}", np.sqrt: "sqrt({0})", np.exp: "exp({0})", np.abs: "fabs({0})",
    np.equal: "{0} == {1}", np.not_equal: "{0} != {1}", np.less: "{0} < {1}", np.less_equal: "{0} <= {1}",
    np.greater: "{0} > {1}", np.greater_equal: "{0} >= {1}", np.where: "{0} != 0 ? {1} : {2}",
    np.sign: "{0} != {0} ? {0} : ({0} > 0) - ({0} < 0)",
    np.maximum: "({0} > {1} || {0} != {0}) ? {0} : {1}", np.minimum: "({0} < {1} || {0} != {0}) ? {0} : {1}",
}  # fmt: skip


def tape_lines(tape: HostTape, source: Callable[[str, str], str], declare: str = "const double") -> tuple[list[str], list[str]]:
    """`(statements, names)`: C declarations of doubles, and the name of each value that was wanted.

    `source(kind, name)` is the C expression of an input: kind "hyper", "scalar" or "step", as in `HostTape.inputs`. Powers
    are printed `POWER(x, y)`, which is the caller's to define. `declare`: what stands before a name, for a language like C.

    >>> from slalom.engines.printers.tree import program
    >>> from slalom.engines.printers.c import c_body
    >>> from slalom.rules import adam
    >>> made = program(adam())
    >>> lines, names = tape_lines(HostTape(made, c_body(made).coefficients[:1]), lambda kind, name: f"{kind}_{name}")
    >>> lines[-1], names
    ('const double x0 = hyper_b1;', ['x0'])
    """
    lines = [f"{declare} x{slot} = {number!r};" for slot, number in tape.numbers]
    lines += [f"{declare} x{slot} = {source(kind, name)};" for slot, kind, name in tape.inputs]
    for slot, call, args in tape.calls:
        lines.append(f"{declare} x{slot} = {_TEXT[call].format(*(f'x{a}' for a in args))};")
    return lines, [f"x{slot}" for slot in tape.outputs]
