"""Which mechanism a model gets: the fastest that does the same as training it alone, and why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.kernels import NoCompilerError
from slalom.engines.lanes.batched import Batched
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Mechanism
from slalom.engines.lanes.native import Native, Unfit
from slalom.engines.lanes.solo import Solo
from slalom.engines.lanes.stack.traced import Graphs, Traced
from slalom.engines.lanes.stack.tracing import why_untraceable
from slalom.engines.lanes.stacked import Stacked, why_not

MECHANISMS = ("native", "stacked", "traced", "vmap", "solo")  # the fastest first


@dataclass(frozen=True)
class Choice:
    """A mechanism's name, the reason in a sentence, and whether the person should be told (a slower way was needed)."""

    name: str
    why: str
    slower: bool = False
    graphs: Graphs | None = field(default=None, compare=False, repr=False)

    def make(self, template: nn.Module, layout: Layout, loss: str | Loss) -> Mechanism:
        """A mechanism of its own for one chunk; graphs are shared among chunks."""
        if self.graphs is not None:
            return Traced(self.graphs, layout, loss)
        kinds: dict[str, Callable[[nn.Module, Layout, str | Loss], Mechanism]] = {
            "native": Native,
            "stacked": Stacked,
            "vmap": Batched,
            "solo": Solo,
        }
        return kinds[self.name](copy.deepcopy(template), layout, loss)

    def layers(self) -> list[str]:
        """How each kind of layer runs, where that differs."""
        return [] if self.graphs is None else self.graphs.lines


def choose(
    template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor, wanted: str = "auto", lanes: int = 2
) -> Choice:
    """Pick for batches like `x, y` and chunks of `lanes`; `wanted` other than "auto" is taken, or refused with the reason."""
    if wanted != "auto" and wanted not in MECHANISMS:
        raise BadValueError(f"mechanism must be auto, {', '.join(MECHANISMS)}; got {wanted!r}")
    trial(template, layout, loss, x, y)
    if wanted == "solo":
        return Choice("solo", "asked for")
    graphs = Graphs(copy.deepcopy(template))
    ways = {
        "native": Choice("native", "a chain of layers that are written in C"),
        "stacked": Choice("stacked", "a chain of layers that are stacked"),
        "traced": Choice("traced", "its own forward over stacked tensors", graphs=graphs),
        "vmap": Choice("vmap", "the fastest that can"),
    }
    before: dict[str, Callable[[], str | None]] = {
        "native": lambda: why_not_native(template, layout, loss, x),
        "stacked": lambda: why_not(template, x), "traced": lambda: why_untraceable(template), "vmap": lambda: None,
    }  # fmt: skip
    doing = {"native": "run in C", "stacked": "stacked", "traced": "traced", "vmap": "batched by torch.func.vmap"}
    reasons: dict[str, str] = {}
    for name, choice in ways.items():
        if wanted not in ("auto", name):
            continue
        fault = before[name]() or _fault(choice, template, layout, loss, x, y, 2 if name in ("native", "stacked") else lanes)
        if fault is None:
            told = "; ".join(f"not {doing[k]}: {why}" for k, why in reasons.items())
            return Choice(name, f"{choice.why}; {told}" if told else choice.why, graphs=choice.graphs)
        if wanted == name:
            raise BadValueError(f"this model cannot be {doing[name]}: {fault}; use mechanism='auto'")
        reasons[name] = fault
    told = "; ".join(f"not {doing[k]}: {why}" for k, why in reasons.items())
    return Choice("solo", f"one lane at a time; {told}", True)


def why_not_native(template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor) -> str | None:
    """Why this module is not run in C for inputs like `x [batch, ...]`, or None if it is."""
    try:
        Native(template, layout, loss).chain(tuple(x.shape[1:]))
    except (Unfit, NoCompilerError) as reason:
        return str(reason)
    return None


def trial(template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor) -> None:
    """BadValueError where the model alone cannot be trained on x and y."""
    one_loss(loss)
    alone = Solo(template, layout, loss)
    row, held = layout.row(template).unsqueeze(0), {k: v.unsqueeze(0) for k, v in beside(template).items()}
    about = f"a batch {list(x.shape)} with targets {list(y.shape)}"
    try:
        outputs = alone.predict(row, held, x)
    except Exception as error:
        raise BadValueError(f"the model cannot take {about}: {_first_line(error)}") from error
    fits = {"mse": outputs.shape[1:] == y.shape, "cross_entropy": outputs.shape[1:-1] == y.shape}
    if isinstance(loss, str) and not fits.get(loss, True):
        raise BadValueError(f"the model's outputs {list(outputs.shape[1:])} do not fit targets {list(y.shape)} for {loss}")
    try:
        made = alone.gradients(row, held, x, y, lane_keys([0], 1), False).loss
    except Exception as error:
        raise BadValueError(f"the model cannot be trained on {about}: {_first_line(error)}") from error
    if made.dim() != 1:
        raise BadValueError(f"the loss must give one number for a batch, got a tensor {list(made.shape[1:])}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _fault(choice: Choice, template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor, lanes: int) -> str | None:
    """What goes wrong when different lanes of the model are batched and two of them compared with each run alone; or None.

    `lanes`: how many there will be in a chunk, so that what is traced here serves later.
    """
    try:
        batched = choice.make(template, layout, loss)
    except Exception as error:
        return _first_line(error)
    count = max(lanes, 2) + batched.spare
    row = layout.row(template).to(next(template.parameters()).dtype)
    params = torch.stack([row, row * 1.01] * (count // 2) + [row] * (count % 2))
    buffers = {k: v.unsqueeze(0).repeat(count, *[1] * v.dim()) for k, v in beside(template).items()}
    keys = lane_keys(range(count), 1)
    own_x, own_y = torch.stack([x, x.flip(0)]), torch.stack([y, y.flip(0)])  # a race gives each lane a batch of its own
    two, held = params[:2], {k: v[:2] for k, v in buffers.items()}
    alone = Solo(template, layout, loss).gradients(two, held, own_x, own_y, keys[:2], True)
    turns = torch.arange(count) % 2
    try:
        together = batched.gradients(params, buffers, own_x[turns], own_y[turns], keys, True)
        outputs = batched.predict(params, buffers, x)
    except Exception as error:  # whatever it is: the model alone did it
        return _first_line(error)
    expected = Solo(template, layout, loss).predict(two, held, x)
    pairs = [(together.loss[:2], alone.loss), (together.grads[:2], alone.grads), (outputs[:2], expected)]
    pairs += [(together.buffers[k][:2], alone.buffers[k]) for k in buffers]
    for ours, theirs in pairs:
        finite = theirs.double()[torch.isfinite(theirs)]
        scale = float(finite.abs().max()) if finite.numel() else 0.0
        if not torch.allclose(ours.double(), theirs.double(), rtol=1e-3, atol=1e-4 * scale + 1e-7, equal_nan=True):
            return "its results differ from those of the model run alone"
    return None
