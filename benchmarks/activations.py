"""Forward and backward of every activation at 1 M float32 elements on one thread, relative to ReLU; ours against torch's twin.

Least of interleaved rounds in the process's own time, which other work on the machine disturbs least; the bar for ours is 1.05
of torch's. Maxout is a layer: it stands beside a linear layer with ReLU, and beside the same maps put together from torch's
parts, since torch has none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch
from torch import nn

from slalom.nets import ACTIVATIONS, Maxout
from slalom.nets.activations import MAXOUT, relative_cost

ELEMENTS, REPEATS, BAR = 1_048_576, 25, 1.05
TWINS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU, "elu": nn.ELU, "gelu": nn.GELU, "gelu_tanh": lambda: nn.GELU("tanh"), "silu": nn.SiLU, "swish": nn.SiLU,
    "softplus": nn.Softplus, "selu": nn.SELU, "mish": nn.Mish,
}  # fmt: skip


WIDTH, PIECES = 64, 2


class Parts(nn.Module):
    """Maxout as one would put it together: a linear layer, a view, `amax` (which shares the gradient among ties)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH * PIECES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).unflatten(-1, (WIDTH, PIECES)).amax(-1)


def layers() -> None:
    """Maxout beside what it replaces."""
    made = {
        "Linear, ReLU": nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()),
        "Maxout, 2 pieces (own)": Maxout(WIDTH, WIDTH, PIECES),
        "the same of torch's parts": Parts(),
    }
    cost = relative_cost(made, elements=ELEMENTS, repeats=REPEATS)
    print(f"\nlayers {WIDTH} to {WIDTH}, {ELEMENTS:,} outputs, relative to ReLU alone")
    for name in made:
        print(f"{name:<28}{cost[name]:>8.2f}")
    ours, theirs = cost["Maxout, 2 pieces (own)"], cost["the same of torch's parts"]
    print(f"ours / torch's parts {ours / theirs:.2f}; Maxout / (Linear, ReLU) {ours / cost['Linear, ReLU']:.2f}")


def main() -> None:
    """Prints the tables."""
    ours = {name: known.make() for name, known in ACTIVATIONS.items() if name != MAXOUT}
    twins = {f"torch's {name}": TWINS[name]() for name in ours if name in TWINS}
    cost = relative_cost({**ours, **twins}, elements=ELEMENTS, repeats=REPEATS)
    print(
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, torch {torch.__version__}, one thread, {ELEMENTS:,} float32, "
        f"least of {REPEATS} interleaved rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'activation':<22}{'ours / relu':>12}{'torch / relu':>14}{'ours / torch':>14}  module")
    for name, module in ours.items():
        twin = cost.get(f"torch's {name}")
        kind = type(module)
        shown = kind.__name__ if not kind.__module__.startswith("torch") else f"torch.nn.{kind.__name__}"
        theirs = f"{'-':>14}{'-':>14}" if twin is None else f"{twin:>14.2f}{cost[name] / twin:>14.2f}"
        print(f"{name:<22}{cost[name]:>12.2f}{theirs}  {shown}{' (own)' * (not shown.startswith('torch'))}")
    layers()
    print(
        f"Where the module is torch.nn's itself, ours / torch shows the noise of the measurement; the bar for own ones is {BAR}."
    )
