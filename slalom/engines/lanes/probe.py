"""A mechanism tried on a few lanes: whether its numbers are those of each lane alone, and whether it is faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss
from slalom.engines.lanes.mechanism import Gradients, Mechanism
from slalom.engines.lanes.solo import Solo

CLEAR = 2e-3  # seconds of a lane-step alone below which nearly all of it are torch's own calls, which lanes share
BUDGET = 0.1  # seconds of timing; one call of either way is made whatever it takes
MOST = 5  # calls timed
MARGIN = 1.1  # alone must be faster by this: what is timed is noisy, and between near equals the choice should stay


@dataclass(frozen=True)
class Timing:
    """Seconds of forward and backward of a lane-step, `together` and `alone`; `took`: what it cost to find out."""

    together: float
    alone: float
    lanes: int
    took: float

    @property
    def alone_is_faster(self) -> bool:
        return math.isfinite(self.together) and self.alone * MARGIN < self.together

    def told(self, name: str) -> str:
        """The decision and its arithmetic, in a sentence."""
        alone = f"forward and backward of a lane take {_time(self.alone)} alone"
        if not math.isfinite(self.together):
            return f"{alone}, under {_time(CLEAR)}: too little for anything to be faster than lanes together; not timed further"
        ratio = self.alone / self.together
        way = "one at a time" if self.alone_is_faster else name
        return (
            f"{alone}, {_time(self.together)} {name} (in {self.lanes} lanes): {ratio:.2g} x as fast, so {way}"
            f"; the probe took {_time(self.took)}"
        )


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


class Trial:
    """Different lanes of one model, on batches of their own.

    `lanes`: how many there will be in a chunk, so that what is traced here serves later.
    """

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor, lanes: int) -> None:
        self.template, self.layout, self.loss, self.lanes = template, layout, loss, max(lanes, 2)
        self.x, self.own = x, (torch.stack([x, x.flip(0)]), torch.stack([y, y.flip(0)]))  # a race gives each lane its own
        row = layout.row(template).to(next(template.parameters()).dtype)
        self.rows = torch.stack([row, row * 1.01])
        self.held = beside(template)

    def gradients(self, mechanism: Mechanism, lanes: int) -> Gradients:
        """Of so many lanes, the two in turns."""
        turns = torch.arange(lanes, device=self.x.device) % 2
        x, y = self.own
        buffers = {k: v.unsqueeze(0).repeat(lanes, *[1] * v.dim()) for k, v in self.held.items()}
        return mechanism.gradients(
            self.rows[turns], buffers, x[turns], y[turns], lane_keys(range(lanes), 1).to(turns.device), True
        )

    def fault(self, make: Callable[[], Mechanism]) -> str | None:
        """What goes wrong when lanes are batched and two of them compared with each run alone; or None."""
        try:
            batched = make()
        except Exception as error:
            return first_line(error)
        count = self.lanes + batched.spare
        solo = Solo(self.template, self.layout, self.loss)
        alone = self.gradients(solo, 2)
        buffers = {k: v.unsqueeze(0).repeat(count, *[1] * v.dim()) for k, v in self.held.items()}
        try:
            together = self.gradients(batched, count)
            outputs = batched.predict(self.rows[torch.arange(count, device=self.x.device) % 2], buffers, self.x)
        except Exception as error:  # whatever it is: the model alone did it
            return first_line(error)
        expected = solo.predict(self.rows, {k: v[:2] for k, v in buffers.items()}, self.x)
        pairs = [(together.loss[:2], alone.loss), (together.grads[:2], alone.grads), (outputs[:2], expected)]
        pairs += [(together.buffers[k][:2], alone.buffers[k]) for k in buffers]
        # Single precision on a GPU is often less: cuDNN multiplies numbers of 10 bits, unless told otherwise.
        coarse = self.x.is_cuda and self.rows.dtype == torch.float32
        rtol, atol = (1e-2, 1e-2) if coarse else (1e-3, 1e-4)
        for ours, theirs in pairs:
            finite = theirs.double()[torch.isfinite(theirs)]
            scale = float(finite.abs().max()) if finite.numel() else 0.0
            if not torch.allclose(ours.double(), theirs.double(), rtol=rtol, atol=atol * scale + 1e-7, equal_nan=True):
                return "its results differ from those of the model run alone"
        return None

    def timing(self, batched: Mechanism) -> Timing:
        """Both ways by one thread, once `fault` has warmed them up."""
        begin, threads = time.perf_counter(), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            solo = Solo(self.template, self.layout, self.loss)
            alone = _least(lambda: self.gradients(solo, 1))
            if alone < CLEAR:
                return Timing(math.inf, alone, 0, time.perf_counter() - begin)
            count = self.lanes + batched.spare
            together = _least(lambda: self.gradients(batched, count)) / self.lanes
        finally:
            torch.set_num_threads(threads)
        return Timing(together, alone, self.lanes, time.perf_counter() - begin)


def _least(call: Callable[[], object]) -> float:
    times: list[float] = []
    while not times or (len(times) < MOST and sum(times) + max(times) < BUDGET / 2):
        begin = time.thread_time()  # of this thread's own work: other load on the machine does not count
        call()
        times.append(time.thread_time() - begin)
    return min(times)


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
