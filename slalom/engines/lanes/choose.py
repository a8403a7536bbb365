"""Which mechanism a model gets: the fastest that does the same as training it alone, and why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.kernels import NoCompilerError
from slalom.engines.lanes.batched import Batched
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.cuda.place import on_device
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Mechanism
from slalom.engines.lanes.native import Native, Unfit
from slalom.engines.lanes.probe import Trial, first_line
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
    timings: tuple[str, ...] = field(default=(), compare=False, repr=False)  # what was measured, in sentences

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
        """What was measured, and how each kind of layer runs, where that differs."""
        return [*self.timings, *([] if self.graphs is None else self.graphs.lines)]


def choose(
    template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor, wanted: str = "auto", lanes: int = 2
) -> Choice:
    """Pick for batches like `x, y` and chunks of `lanes`; `wanted` other than "auto" is taken, or refused with the reason.

    All of it lies on one device; on a GPU nothing is written in C, and what is fastest is known without timing it.
    """
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
    timings: list[str] = []
    for name, choice in ways.items():
        if wanted not in ("auto", name):
            continue
        fault = before[name]()
        if fault is None:
            tried = Trial(template, layout, loss, x, y, 2 if name == "native" else lanes)  # in C lanes run one after another
            fault = tried.fault(lambda choice=choice: choice.make(template, layout, loss))  # type: ignore[misc]
        if fault is not None:
            if wanted == name:
                raise BadValueError(f"this model cannot be {doing[name]}: {fault}; use mechanism='auto'")
            if name != "native" or not on_device(x.device):
                reasons[name] = fault
            continue
        timed = wanted == "auto" and not on_device(x.device)
        timing = tried.timing(choice.make(template, layout, loss)) if timed else None
        if timing is not None:
            timings.append(timing.told(name))
        if timing is None or not timing.alone_is_faster:
            told = "; ".join(f"not {doing[k]}: {why}" for k, why in reasons.items())
            return Choice(name, f"{choice.why}; {told}" if told else choice.why, graphs=choice.graphs, timings=tuple(timings))
        reasons[name] = "slower than one lane at a time"
    told = "; ".join(f"not {doing[k]}: {why}" for k, why in reasons.items())
    return Choice("solo", f"one lane at a time; {told}", not timings, timings=tuple(timings))


def why_not_native(template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor) -> str | None:
    """Why this module is not run in C for inputs like `x [batch, ...]`, or None if it is."""
    if on_device(x.device):
        return "that is for the processor"
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
        raise BadValueError(f"the model cannot take {about}: {first_line(error)}") from error
    fits = {"mse": outputs.shape[1:] == y.shape, "cross_entropy": outputs.shape[1:-1] == y.shape}
    if isinstance(loss, str) and not fits.get(loss, True):
        raise BadValueError(f"the model's outputs {list(outputs.shape[1:])} do not fit targets {list(y.shape)} for {loss}")
    try:
        made = alone.gradients(row, held, x, y, lane_keys([0], 1).to(row.device), False).loss
    except Exception as error:
        raise BadValueError(f"the model cannot be trained on {about}: {first_line(error)}") from error
    if made.dim() != 1:
        raise BadValueError(f"the loss must give one number for a batch, got a tensor {list(made.shape[1:])}")
