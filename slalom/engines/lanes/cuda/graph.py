"""A step that is run as it is a few times, then captured into a graph, then replayed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from slalom.engines.lanes.cuda.stage import Stage
from slalom.engines.lanes.probe import first_line

WARM = 3  # steps before the capture: libraries and kernels are loaded, memory is there; they are steps like any other


class Replayed:
    """`step` reads and writes fixed tensors alone. Where it cannot be captured, `fault` says why, and it goes on as it is."""

    def __init__(self, step: Callable[[], None], stage: Stage) -> None:
        self.step, self.stage = step, stage
        self.left = WARM
        self.replay: Callable[[], None] | None = None
        self.fault: str | None = None

    def __call__(self) -> None:
        if self.replay is None and not self.left and self.fault is None:
            try:
                self.replay = self.stage.capture(self.step)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # CUDA's and torch's; nothing has been run
                self.fault = first_line(error)
        if self.replay is not None:
            self.replay()
            return
        with self.stage.aside():
            self.step()
        self.left = max(0, self.left - 1)
