"""Which mechanism a model gets: the fastest that does the same as training it alone, and why."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.batched import Batched
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Mechanism
from slalom.engines.lanes.solo import Solo
from slalom.engines.lanes.stacked import Stacked, why_not

MECHANISMS: dict[str, type[Stacked] | type[Batched] | type[Solo]] = {"stacked": Stacked, "vmap": Batched, "solo": Solo}


@dataclass(frozen=True)
class Choice:
    """A mechanism's name, the reason in a sentence, and whether the person should be told (a slower way was needed)."""

    name: str
    why: str
    slower: bool = False

    def make(self, template: nn.Module, layout: Layout, loss: str | Loss) -> Mechanism:
        """A mechanism of its own for one chunk."""
        return MECHANISMS[self.name](copy.deepcopy(template), layout, loss)


def choose(template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor, wanted: str = "auto") -> Choice:
    """Pick for batches like `x, y`; `wanted` other than "auto" is taken, or refused with the reason."""
    if wanted != "auto" and wanted not in MECHANISMS:
        raise BadValueError(f"mechanism must be auto, {', '.join(MECHANISMS)}; got {wanted!r}")
    trial(template, layout, loss, x, y)
    unstackable = why_not(template, x)
    if unstackable is None and wanted in ("auto", "stacked"):
        unstackable = _fault(Stacked, template, layout, loss, x, y)
    if wanted == "solo":
        return Choice("solo", "asked for")
    if unstackable is None and wanted in ("auto", "stacked"):
        return Choice("stacked", "a chain of modules that have a stacked form")
    if wanted == "stacked":
        raise BadValueError(f"this model cannot be stacked: {unstackable}; use mechanism='auto'")
    broken = _fault(Batched, template, layout, loss, x, y)
    if broken is None:
        return Choice("vmap", f"not stacked, since {unstackable}")
    if wanted == "vmap":
        raise BadValueError(f"this model cannot be batched by torch.func.vmap: {broken}; use mechanism='auto'")
    return Choice("solo", f"one lane at a time, since {unstackable} and torch.func.vmap cannot batch it: {broken}", True)


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


def _fault(
    kind: type[Stacked] | type[Batched], template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor
) -> str | None:
    """What goes wrong when two different lanes of the model are batched and compared with each run alone; or None."""
    dtype = next(template.parameters()).dtype
    row = layout.row(template).to(dtype)
    params = torch.stack([row, row * 1.01])
    buffers = {k: torch.stack([v, v]) for k, v in beside(template).items()}
    keys = lane_keys([1, 2], 1)
    own_x, own_y = torch.stack([x, x.flip(0)]), torch.stack([y, y.flip(0)])  # a race gives each lane a batch of its own
    alone = Solo(template, layout, loss).gradients(params, buffers, own_x, own_y, keys, True)
    try:
        batched = kind(copy.deepcopy(template), layout, loss)
        together = batched.gradients(params, buffers, own_x, own_y, keys, True)
        outputs = batched.predict(params, buffers, x)
    except Exception as error:  # whatever it is: the model alone did it
        return _first_line(error)
    expected = Solo(template, layout, loss).predict(params, buffers, x)
    pairs = [(together.loss, alone.loss), (together.grads, alone.grads), (outputs, expected)]
    pairs += [(together.buffers[k], alone.buffers[k]) for k in buffers]
    for ours, theirs in pairs:
        finite = theirs.double()[torch.isfinite(theirs)]
        scale = float(finite.abs().max()) if finite.numel() else 0.0
        if not torch.allclose(ours.double(), theirs.double(), rtol=1e-3, atol=1e-4 * scale + 1e-7, equal_nan=True):
            return "its results differ from those of the model run alone"
    return None
