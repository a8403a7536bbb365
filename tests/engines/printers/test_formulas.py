"""The printed text is the rule: read back by Python and stepped, it gives the rule's own numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.rule import Settings
from slalom.engines.printers.latex import latex, text
from slalom.engines.printers.symbols import Names, plain
from slalom.engines.printers.tree import program
from tests.engines.kernels.lanes import name, variants
from tests.engines.kernels.odd_rule import odd

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def as_python(line: str, symbols: dict[str, str]) -> str:
    """A printed line as a Python expression over `v[...]`, longest symbols first."""
    held: list[str] = []
    for symbol in sorted(symbols, key=len, reverse=True):
        line = re.sub(rf"(?<!\w){re.escape(symbol)}(?![A-Za-zα-ωᵐ_\u0302₀-₉∞{{])", f"§{len(held)}§", line)
        held.append(symbol)
    line = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(SUPERSCRIPTS), line)
    line = line.translate(str.maketrans({"·": "*", "−": "-", "^": "**", "≤": "<=", "≥": ">=", "≠": "!="}))
    line = re.sub(r"√(§\d+§)", r"sqrt(\1)", line).replace("√", "sqrt")
    line = re.sub(r"\|([^|]*)\|", r"abs(\1)", line)
    line = re.sub(r"(?<=if )(.*?) = ", r"\1 == ", line)
    return re.sub(r"§(\d+)§", lambda m: f"v[{held[int(m[1])]!r}]", line)


@pytest.mark.parametrize("settings", [*variants(), odd()], ids=name)
def test_text_read_back_is_the_rule(settings: Settings) -> None:
    random = np.random.default_rng(1)
    p, g = torch.tensor([random.normal()]).double(), torch.tensor([random.normal()]).double()
    s = settings.init(p)
    s = s._replace(**{k: torch.tensor(random.uniform(0.1, 1.0), dtype=torch.float64) for k in settings.states})
    made, t = program(settings), 7
    names = Names(made)
    v = {plain(h.symbol): settings.values[k] for k, h in settings.rule.hypers.items()}
    v |= {plain(names.state(k)) + "_{t−1}": float(getattr(s, k)) for k in settings.states}
    v |= {"θ_{t−1}": float(p), "g_t": float(g), "t": t}
    words = {"sqrt": np.sqrt, "max": max, "min": min, "sign": np.sign, "abs": abs, "exp": np.exp}
    for line in text(settings):
        target, value = re.split(" = | ← ", line, maxsplit=1)
        v[target] = eval(as_python(value, dict.fromkeys(v, "")), {"v": v, **words})
    new_p, new_s = settings.step(p, g, s, t)
    assert v["θ_t"] == pytest.approx(float(new_p), rel=1e-13)
    for k in settings.states:
        assert v[plain(names.latex(made.states[k]))] == pytest.approx(float(getattr(new_s, k)), rel=1e-13), k


@pytest.mark.parametrize("settings", variants(printable=False), ids=name)
def test_latex_is_balanced_and_line_by_line_the_text(settings: Settings) -> None:
    lines = latex(settings)
    assert len(lines) == len(text(settings))
    for line in lines:
        assert line.count("{") == line.count("}")
        assert line.count(r"\left") == line.count(r"\right") + line.count(r"\leftarrow")
        assert not re.search(r"\*|lr|_\{t-1\}\^\{2\}_", line)
