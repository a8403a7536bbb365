"""Which mechanism a model gets: the fastest that does the same as training it alone, and why."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.batched import Batched
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss
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
    unstackable = why_not(template, x)
    if wanted == "solo":
        return Choice("solo", "asked for")
    if unstackable is None and wanted in ("auto", "stacked"):
        return Choice("stacked", "a chain of modules that have a stacked form")
    if wanted == "stacked":
        raise BadValueError(f"this model cannot be stacked: {unstackable}; use mechanism='auto'")
    broken = _vmap_fault(template, layout, loss, x, y)
    if broken is None:
        return Choice("vmap", f"not stacked, since {unstackable}")
    if wanted == "vmap":
        raise BadValueError(f"this model cannot be batched by torch.func.vmap: {broken}; use mechanism='auto'")
    return Choice("solo", f"one lane at a time, since {unstackable} and torch.func.vmap cannot batch it: {broken}", True)


def _vmap_fault(template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor) -> str | None:
    """What goes wrong when two different lanes of the model are batched and compared with each run alone; or None."""
    dtype = next(template.parameters()).dtype
    row = layout.row(template).to(dtype)
    params = torch.stack([row, row * 1.01])
    buffers = {k: torch.stack([v, v]) for k, v in template.named_buffers()}
    keys = lane_keys([1, 2], 1)
    alone = Solo(template, layout, loss).gradients(params, buffers, x, y, keys, False)
    try:
        batched = Batched(template, layout, loss)
        together = batched.gradients(params, buffers, x, y, keys, False)
        outputs = batched.predict(params, buffers, x)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return str(error).strip().splitlines()[0][:200]
    expected = Solo(template, layout, loss).predict(params, buffers, x)
    pairs = [(together.loss, alone.loss), (together.grads, alone.grads), (outputs, expected)]
    pairs += [(together.buffers[k], alone.buffers[k]) for k in buffers]
    for ours, theirs in pairs:
        scale = float(theirs.double().abs().max()) if theirs.numel() else 0.0
        if not torch.allclose(ours.double(), theirs.double(), rtol=1e-3, atol=1e-4 * scale + 1e-7, equal_nan=True):
            return "its results differ from those of the model run alone"
    return None
