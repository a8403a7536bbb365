"""The catalogue of activations on the terminal: all as a table, one with its figures and its curve."""

from __future__ import annotations

from rich.text import Text
from torch import nn

from slalom.nets.activations import ACTIVATIONS, MAXOUT, NAMES, Moments, entry, maxout_moments, moments, relative_cost
from slalom.terminal.catalogues.rules import plain_table
from slalom.terminal.output import console

PIECES = 2


def figures(name: str) -> Moments:
    """The moments of a catalogue name, `maxout` with two pieces."""
    return maxout_moments(PIECES) if name == MAXOUT else moments(ACTIVATIONS[name].make().double())


def costs(names: list[str]) -> dict[str, float]:
    """Forward and backward relative to ReLU, measured now; Maxout, which is a layer, is left out."""
    return relative_cost({name: ACTIVATIONS[name].make() for name in names if name != MAXOUT})


def rows() -> list[dict[str, object]]:
    """Every activation with its figures, as plain data."""
    cost = costs(list(ACTIVATIONS))
    return [_row(name, cost) for name in NAMES]


def _row(name: str, cost: dict[str, float]) -> dict[str, object]:
    known, m = entry(name), figures(name)
    return {
        "name": name, "what": known.doc, "formula": known.formula, "derivative": known.derivative, "range": known.range,
        "saturates": known.saturates, "monotone": known.monotone, "mean": m.mean, "gain": m.gain,
        "backward_gain": m.backward_gain,
        "centred_gain": m.centred_gain, "growth": m.centred_growth, "cost": cost.get(name), "pitfalls": known.pitfalls,
        "source": known.source,
    }  # fmt: skip


def show_activations() -> None:
    """The list."""
    out = console()
    table = plain_table("activation", "what it is", "range", "mean", "gain", "back", "cost", "flat")
    for name in ("mean", "gain", "back", "cost"):
        next(c for c in table.columns if c.header == name).justify = "right"
    for row in rows():
        cost = "-" if row["cost"] is None else f"{row['cost']:.1f}"
        table.add_row(
            str(row["name"]), Text(str(row["what"])), Text(str(row["range"])), f"{row['mean']:.4f}", f"{row['gain']:.4f}",
            f"{row['backward_gain']:.4f}", cost, str(row["saturates"]),
        )  # fmt: skip
    out.print(table)
    note = (
        "mean, gain = 1/sqrt(E f^2) and backward gain = 1/sqrt(E f'^2) for standard normal inputs; cost: forward and backward "
        "relative to ReLU, measured just now; flat: where the slope dies out. One of them: slalom activations gelu"
    )
    out.print(Text(note, "dim"))


def show_activation(name: str) -> None:
    """One, with formula, figures, pitfalls, and its values and slopes."""
    known, m = entry(name), figures(name)
    out = console()
    out.print(Text.assemble((name, "bold"), f"  {known.doc}"))
    table = plain_table("", "")
    table.show_header = False
    table.add_row("f(x)", Text(known.formula))
    table.add_row("f'(x)", Text(known.derivative))
    table.add_row("range", Text(f"{known.range}, {'monotone' if known.monotone else 'not monotone'}, flat: {known.saturates}"))
    table.add_row(
        "x ~ N(0, 1)", Text(f"mean {m.mean:.4f}, std {m.std:.4f}, gain {m.gain:.4f}, backward gain {m.backward_gain:.4f}")
    )
    table.add_row("deep nets", Text(_growth(m)))
    for cost in costs([name]).values():
        table.add_row("cost", Text(f"{cost:.1f} x ReLU, forward and backward, measured just now"))
    table.add_row("beware", Text(known.pitfalls))
    table.add_row("source", Text(known.source or "-"))
    out.print(table)
    if name != MAXOUT:
        out.print(_samples(ACTIVATIONS[name].make()))


def _growth(m: Moments) -> str:
    grown = m.centred_growth
    if grown > 1.0005:
        return f"a deviation of the variance grows {grown:.3f} times a layer ({grown**30:.1f} in 30): normalise, or start by lsuv"
    return f"a deviation of the variance becomes {grown:.3f} of itself in a layer: safe to stack"


def _samples(module: nn.Module) -> Text:
    import torch

    x = torch.tensor([-8.0, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 8], dtype=torch.float64).requires_grad_()
    y = module.double()(x)
    slope = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    made = [f"{label:>5}" + "".join(f"{v:10.3g}" for v in values.detach().tolist()) for label, values in
            (("x", x), ("f(x)", y), ("f'(x)", slope))]  # fmt: skip
    return Text("\n".join(made))
