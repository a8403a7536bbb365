"""How many lanes a device's memory holds: what each keeps there, and what a step of it takes, measured on a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.choose import Choice
from slalom.engines.lanes.cuda.stage import Stage
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss
from slalom.engines.lanes.probe import Trial
from slalom.engines.lanes.update import Kernels, own_settings, stepped_by

FEW = 8  # lanes that a step's memory is measured on
SHARE = 0.8  # of the memory that is free when lanes are made
WORK = 2  # a step's memory is there twice at most: in the graphs' pool, and for steps that are not captured yet


@dataclass(frozen=True)
class Room:
    """Bytes: `held` by each lane as long as it lives, `work` of a lane in a step, `free` on the device."""

    held: Sequence[int]
    work: int
    free: int
    device: str

    @property
    def most(self) -> int:
        """Lanes like these, all in one chunk."""
        return int(SHARE * self.free) // max(1, max(self.held) + WORK * self.work)

    def chunk(self) -> int:
        """Lanes a chunk, so that all of them fit; BadValueError where they do not."""
        left = int(SHARE * self.free) - sum(self.held)
        if left < WORK * self.work:
            raise BadValueError(
                f"{len(self.held)} lanes hold {_size(sum(self.held))} and a step takes {_size(self.work)} a lane; {self.device} "
                f"has {_size(self.free)} free, of which {SHARE:.0%} are used; train at most {self.most} lanes at a time"
            )
        return max(1, min(len(self.held), left // max(1, WORK * self.work)))

    def told(self) -> str:
        """The bound and its arithmetic, in a sentence."""
        held = sum(self.held) / len(self.held)
        return (
            f"memory of {self.device}: a lane holds {_size(held)} and takes {_size(self.work)} in a step; "
            f"{_size(self.free)} were free: at most {self.most} lanes at a time"
        )


def room_for(
    stage: Stage, choice: Choice, template: nn.Module, layout: Layout, loss: str | Loss, x: Tensor, y: Tensor,
    lanes: Sequence[Lane], kernels: Kernels,
) -> Room:  # fmt: skip
    """The room for these lanes; the memory of a step is measured on a few of them."""
    mechanism = choice.make(template, layout, loss)
    mechanism.spare = 0
    trial = Trial(template, layout, loss, x, y, FEW)
    with stage.here():
        trial.gradients(mechanism, FEW)  # what is made once is not a lane's
        work = stage.peak(lambda: trial.gradients(mechanism, FEW)) // FEW
        free = stage.free()
    itemsize = next(template.parameters()).element_size()
    row, buffers = layout.length * itemsize, sum(v.numel() * v.element_size() for v in beside(template).values())
    return Room([row * (1 + _states(lane, kernels)) + buffers for lane in lanes], work, free, str(stage.device))


def _states(lane: Lane, kernels: Kernels) -> int:
    """Rows as long as the parameters' that a lane's optimizer keeps."""
    own = own_settings([lane])
    if not own:
        return 2  # one of torch's: as many as Adam's
    settings = stepped_by([lane])[0]
    kernel = kernels.get(settings.program, kernels.get(own[0].program))
    return 0 if kernel is None else len(kernel.element_states)


def _size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"
