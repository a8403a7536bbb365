"""The syntax tree of an update rule: a handful of frozen nodes that every printer walks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True)
class Num:
    """A number as the rule's author wrote it."""

    value: Number


@dataclass(frozen=True)
class Var:
    """A value by name; `p` and `g` of version 0 are the parameter and the gradient as they come in.

    Every assignment makes a new version, so a Var never changes its meaning.
    """

    name: str
    version: int


@dataclass(frozen=True)
class HyperValue:
    """A hyperparameter: one number, or one a lane."""

    name: str


@dataclass(frozen=True)
class Prev:
    """A state as the last step left it."""

    name: str


@dataclass(frozen=True)
class Step:
    """The step `t`, counted from 1."""


@dataclass(frozen=True)
class Absent:
    """A state that does not exist under these options: it may be passed on, not calculated with."""

    name: str


@dataclass(frozen=True)
class Neg:
    """Unary minus."""

    a: Expr


@dataclass(frozen=True)
class Op:
    """`a op b` with op one of + - * / **."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True)
class Compare:
    """`a op b` with op one of == != < <= > >=; only as the condition of `where`."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True)
class Call:
    """A word of `slalom.core.ops` and its arguments."""

    fn: str
    args: tuple[Expr, ...]


Expr = Num | Var | HyperValue | Prev | Step | Absent | Neg | Op | Compare | Call


def children(node: Expr) -> tuple[Expr, ...]:
    """The node's direct parts, left to right."""
    if isinstance(node, Neg):
        return (node.a,)
    if isinstance(node, Op | Compare):
        return (node.a, node.b)
    if isinstance(node, Call):
        return node.args
    return ()


def walk(node: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


P0 = Var("p", 0)
G0 = Var("g", 0)
