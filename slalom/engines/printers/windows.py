"""A state that keeps a window of past values, as so many states of one value each: what an elementwise language can print.

`push` renames (each value takes its older neighbour's place, the new one the last), `total` is a sum of names.
"""

from __future__ import annotations

from dataclasses import dataclass

from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Op, Prev, Var
from slalom.engines.printers.tree import Assign, LanguageError, Program

MOST = 32  # values of a window that are still worth a name each


@dataclass(frozen=True)
class Unrolled(Program):
    """A program whose windows are taken apart; `places` tells of each new state which entry of which window it is."""

    places: dict[str, tuple[str, int]]

    def host(self, node: Expr) -> bool:
        return False if isinstance(node, Prev) and node.name in self.places else super().host(node)

    @property
    def element_states(self) -> list[str]:
        return [k for k in self.states if k not in self.scalar_states]

    @property
    def windowed(self) -> bool:
        return False


def unrolled(made: Program) -> Unrolled:
    """The program with its windows taken apart; LanguageError for a window that is long or used otherwise.

    >>> from slalom.engines.printers.tree import program
    >>> from slalom.rules import windowed_adadelta
    >>> unrolled(program(windowed_adadelta(w=2))).element_states
    ['G__0', 'G__1']
    """
    places: dict[str, tuple[str, int]] = {}
    windows: dict[Expr, list[Expr]] = {}
    for name, state in made.settings.states.items():
        if state.window is not None:
            names = [f"{name}__{k}" for k in range(int(made.settings.options[state.window]))]
            if len(names) > MOST:
                raise LanguageError(
                    f"rule {made.name}: a window of {len(names)} values is too long to be compiled (at most {MOST})"
                )
            places |= {own: (name, k) for k, own in enumerate(names)}
            windows[Prev(name)] = [Prev(own) for own in names]
    assigns: list[Assign] = []
    for a in made.assigns:
        if isinstance(a.value, Call) and a.value.fn == "push" and a.value.args[0] in windows:
            newest = Var(f"{a.target.name}__new", a.target.version)
            assigns.append(Assign(newest, _plain(a.value.args[1], windows, made), a.line))
            windows[a.target] = [*windows[a.value.args[0]][1:], newest]
        else:
            assigns.append(Assign(a.target, _plain(a.value, windows, made), a.line))
    states: dict[str, Expr] = {}
    for name, value in made.states.items():
        if made.settings.states[name].window is None:
            states[name] = _plain(value, windows, made)
        elif value in windows:
            states |= zip([own for own, (whole, _) in places.items() if whole == name], windows[value], strict=True)
        else:
            raise LanguageError(f"rule {made.name}: state {name!r} must be a window, pushed or as it was")
    return Unrolled(made.settings, tuple(assigns), _plain(made.p, windows, made), states, places)


def _plain(node: Expr, windows: dict[Expr, list[Expr]], made: Program) -> Expr:
    if node in windows:
        raise LanguageError(f"rule {made.name}: of a window, `push` and `total` alone can be compiled")
    if isinstance(node, Neg):
        return Neg(_plain(node.a, windows, made))
    if isinstance(node, Op):
        return Op(node.op, _plain(node.a, windows, made), _plain(node.b, windows, made))
    if isinstance(node, Compare):
        return Compare(node.op, _plain(node.a, windows, made), _plain(node.b, windows, made))
    if isinstance(node, Call) and node.fn == "total" and node.args[0] in windows:
        first, *others = windows[node.args[0]]
        total: Expr = first
        for one in others:
            total = Op("+", total, one)
        return total
    return Call(node.fn, tuple(_plain(x, windows, made) for x in node.args)) if isinstance(node, Call) else node
