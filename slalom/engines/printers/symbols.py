"""Symbols: what a rule's names look like in LaTeX, and what a LaTeX symbol looks like in a terminal."""

from __future__ import annotations

import re

from slalom.engines.printers.nodes import Expr, HyperValue, Prev, Step, Var
from slalom.engines.printers.tree import Program, reads

_GREEK = """alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π
rho ρ sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω
Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω"""
GREEK = dict(zip(_GREEK.split()[::2], _GREEK.split()[1::2], strict=True))
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Names:
    """The LaTeX symbol of every leaf of a program: declared symbols, time as a subscript."""

    def __init__(self, made: Program) -> None:
        self.made = made
        self.rule = made.settings.rule
        self._new_states = {v: k for k, v in made.states.items() if isinstance(v, Var) and v not in (made.p,)}

    def latex(self, node: Expr) -> str:
        """The symbol of a Var, HyperValue, Prev or Step."""
        if isinstance(node, Step):
            return "t"
        if isinstance(node, HyperValue):
            return self.rule.hypers[node.name].symbol
        if isinstance(node, Prev):
            return timed(self.state(node.name), "t-1")
        assert isinstance(node, Var), node
        if node.name == "p":
            return r"\theta_{t-1}" if node.version == 0 else r"\theta_t"
        if node.name == "g":
            return "g_t"
        state = node.name if node.name in self.rule.states else self._new_states.get(node)
        if state is not None:
            return timed(self.state(state), "t")
        base, time = self._temporary(node.name)
        if time:
            return timed(base, time)
        moves = not self.made.host(node) or any(isinstance(leaf, Step | Prev) for leaf in reads(self.made, node))
        return timed(base, "t") if moves else base

    def state(self, name: str) -> str:
        """A state's symbol: the declared one, or its name."""
        return self.rule.states[name].symbol or word(name)

    def _temporary(self, name: str) -> tuple[str, str]:
        head, _, tail = name.rpartition("_")
        if head and tail in _MARKS:
            return rf"\{tail}{{{word(head)}}}", ""
        if head and tail == "inf":
            return rf"{word(head)}_\infty", ""
        if head and tail == "next":
            return word(head), "t+1"
        return word(name), ""


def word(name: str) -> str:
    """A Python name as a LaTeX symbol: a letter, a Greek letter, a letter with an index, or upright text."""
    if name in GREEK:
        return f"\\{name}"
    if len(name) == 1:
        return name
    head, _, tail = name.rpartition("_")
    if head in GREEK or len(head) == 1:
        return f"{word(head)}_{{{word(tail)}}}"
    return r"\mathrm{" + name.replace("_", r"\_") + "}"


def timed(symbol: str, time: str) -> str:
    """The symbol with the time as its index, beside an index that it already has."""
    found = re.fullmatch(r"(.*)_(\{[^{}]*\}|\\?\w+)", symbol)
    if found is not None:
        index = found[2][1:-1] if found[2].startswith("{") else found[2]
        return f"{found[1]}_{{{index},{time}}}"
    return f"{symbol}_{{{time}}}" if len(time) > 1 else f"{symbol}_{time}"


def plain(symbol: str) -> str:
    r"""A LaTeX symbol in Unicode, for a terminal.

    >>> plain(r"\beta_1"), plain(r"\hat{m}_t"), plain(r"\hat v^{\max}_{t-1}"), plain(r"E[g^2]_t")
    ('β₁', 'm̂_t', 'v̂ᵐᵃˣ_{t−1}', 'E[g²]_t')
    """
    text = symbol
    for mark, sign in _MARKS.items():
        text = re.sub(rf"\\{mark}\s*(?:\{{([^{{}}]*)\}}|(\\?\w))", lambda m, s=sign: (m[1] or m[2]) + s, text)  # type: ignore[misc]
    text = re.sub(r"\\mathrm\{([^{}]*)\}", r"\1", text)
    text = text.replace(r"^{\max}", "ᵐᵃˣ").replace(r"\infty", "∞").replace(r"\_", "_").replace("\\,", "")
    text = re.sub(r"\\([A-Za-z]+)\s?", lambda m: GREEK.get(m[1], m[1]), text)
    text = re.sub(r"_\{?(\d+)\}?", lambda m: m[1].translate(_SUB), text)
    text = re.sub(r"\^\{?(-?\d+)\}?", lambda m: m[1].translate(_SUPER), text)
    return text.replace("_∞", "∞").replace("t-1", "t−1")


def superscript(number: int) -> str:
    """A whole number as an exponent in Unicode."""
    return str(number).translate(_SUPER)
