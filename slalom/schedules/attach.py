"""A schedule on a torch optimizer: a `torch.optim.lr_scheduler.LRScheduler` that can tell its rate from the step alone.

    scheduler = slalom.schedules.Cosine(total=1000).attach(optimizer)              # a new run
    scheduler = slalom.schedules.Cosine(total=1000).attach(optimizer, step=400)    # one that goes on

Call `scheduler.step()` after each `optimizer.step()` for a schedule counted in steps, or after each epoch for one counted in
epochs. Every parameter group has its own base learning rate; a schedule with one number a lane has one a group. Tensor
learning rates are filled in place. A group that is added later joins at the next step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from slalom.core.checks import whole
from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.constant import Constant
from slalom.schedules.plateau import Plateau, PlateauState

Group = dict[str, Any]


class Attached(LRScheduler):
    """What `schedule.attach(optimizer)` returns.

    `state_dict()` holds numbers alone, and no schedule: a run that goes on may be given a longer one. Loading it sets the
    optimizer's learning rates too, whether the optimizer's own state was loaded before, after or not at all.
    """

    def __init__(self, schedule: Schedule, optimizer: torch.optim.Optimizer, step: int = 0, base_lr: Any = None) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise BadValueError(f"attach: optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
        whole(step, "attach: step", 0)
        self.schedule = schedule
        groups = optimizer.param_groups
        if schedule.lanes not in (None, len(groups)):
            raise BadValueError(
                f"attach: the schedule has one value for each of {schedule.lanes} lanes and the optimizer {len(groups)} "
                "parameter groups; give one value for all, or one a group"
            )
        if schedule.cycles_momentum:
            for i, group in enumerate(groups):
                _must_have_momentum(optimizer, i, group)
        if base_lr is not None:
            _set_base(groups, base_lr)
        for group in groups:
            group.setdefault("initial_lr", _copy(group["lr"]))
        LRScheduler.__init__(self, optimizer, step - 1)

    def _factors(self) -> list[float]:
        """One factor a parameter group."""
        factor = self.schedule(self.last_epoch)
        return [float(f) for f in factor] if self.schedule.lanes else [float(factor)] * len(self.optimizer.param_groups)

    def get_lr(self) -> list[Any]:
        """The learning rate of each group at this step."""
        return [base * factor for base, factor in zip(self.base_lrs, self._factors(), strict=True)]

    def _get_closed_form_lr(self) -> list[Any]:
        return self.get_lr()  # for `step(epoch)`, which torch deprecates and some trainers still call

    def step(self, *args: Any, **kwargs: Any) -> None:
        """One step on; call it after the optimizer's."""
        self._welcome()
        super().step(*args, **kwargs)
        self._set_momentum()

    def _welcome(self) -> None:
        """Groups that were added since join with their own base learning rate."""
        for group in self.optimizer.param_groups[len(getattr(self, "base_lrs", self.optimizer.param_groups)) :]:
            group.setdefault("initial_lr", _copy(group["lr"]))
            self.base_lrs.append(_copy(group["initial_lr"]))

    def _momentum(self) -> Any:
        return self.schedule.momentum(self.last_epoch)

    def _set_momentum(self) -> None:
        if not self.schedule.cycles_momentum:
            return
        found = self._momentum()
        for i, group in enumerate(self.optimizer.param_groups):
            value = float(found[i] if self.schedule.lanes else found)
            if "betas" in group:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value

    def state_dict(self) -> dict[str, Any]:
        """Numbers alone; loads with `torch.load(weights_only=True)`."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(map(_copy, self.base_lrs)), "step_count": self._step_count}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; also takes the state of torch's own schedulers."""
        missing = [k for k in ("last_epoch", "base_lrs") if k not in state_dict]
        groups = self.optimizer.param_groups
        if missing:
            raise BadValueError(f"attach: the state dict has no {' and no '.join(missing)}; it is not of a scheduler")
        if len(state_dict["base_lrs"]) != len(groups):
            raise BadValueError(
                f"attach: the state dict is of {len(state_dict['base_lrs'])} parameter groups, the optimizer has {len(groups)}; "
                "add the groups first"
            )
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(map(_copy, state_dict["base_lrs"]))
        self._step_count = state_dict.get("step_count", state_dict.get("_step_count", self.last_epoch + 1))
        self._apply()

    def _apply(self) -> None:
        """Set what the optimizer holds to what this step asks for."""
        for group, base, lr in zip(self.optimizer.param_groups, self.base_lrs, self.get_lr(), strict=True):
            group["initial_lr"] = _copy(base)
            _fill(group, lr)
        self._set_momentum()
        self._last_lr = [_copy(group["lr"]) for group in self.optimizer.param_groups]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule!r}, step={self.last_epoch})"


class AttachedPlateau(Attached, ReduceLROnPlateau):
    """What `Plateau.attach(optimizer)` returns: also a torch `ReduceLROnPlateau`, which trainers hand their metric to.

    `step(metric)` takes note of the metric and goes one step on. Where `base` is a schedule counted in steps, call `step()` after
    each of them and `tell(metric)` after each evaluation.
    """

    def __init__(self, plateau: Plateau, optimizer: torch.optim.Optimizer, base_lr: Any = None) -> None:
        self.plateau: PlateauState = plateau.start()
        self.mode, self.patience = plateau.mode, plateau.patience  # type: ignore[assignment]  # what trainers read
        super().__init__(plateau, optimizer, 0, base_lr)

    def _factors(self) -> list[float]:
        return [self.plateau(self.last_epoch)] * len(self.optimizer.param_groups)

    def _momentum(self) -> Any:
        return self.plateau.momentum(self.last_epoch)

    def step(self, metrics: Any = None, epoch: int | None = None) -> None:  # type: ignore[override]
        """One step on, with the metric where there is one."""
        starting = self._step_count == 0
        if metrics is None and not starting and isinstance(self.plateau.plateau.base, Constant):
            raise BadValueError("Plateau: step(metric) needs the metric that it watches, such as the validation loss")
        if metrics is not None:
            self.plateau.step(metrics)
        self._welcome()
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._apply()

    def tell(self, metric: Any) -> None:
        """Take note of a metric at this step, which stays the same."""
        self.plateau.step(metric)
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """The step, the base learning rates, and what the plateau remembers."""
        return {**super().state_dict(), "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` of a plateau was taken."""
        if "plateau" not in state_dict:
            raise BadValueError("Plateau: the state dict has no 'plateau'; it is of another scheduler")
        self.plateau.load_state_dict(state_dict["plateau"])
        super().load_state_dict(state_dict)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _fill(group: Group, lr: Any) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(float(lr))
    else:
        group["lr"] = lr


def _set_base(groups: Sequence[Group], base_lr: Any) -> None:
    each = base_lr if isinstance(base_lr, Sequence) else [base_lr] * len(groups)
    if len(each) != len(groups):
        raise BadValueError(f"attach: base_lr has {len(each)} values for {len(groups)} parameter groups; give one, or one each")
    for group, lr in zip(groups, each, strict=True):
        if isinstance(lr, bool) or not hasattr(lr, "__float__") or not 0 <= float(lr) < float("inf"):
            raise BadValueError(f"attach: base_lr must be a number >= 0, got {lr!r}")
        group.pop("max_lr", None)  # another scheduler's peak, which would be taken for this one's
        group["initial_lr"] = _copy(lr)


def _must_have_momentum(optimizer: torch.optim.Optimizer, i: int, group: Group) -> None:
    found = group["betas"][0] if "betas" in group else group.get("momentum", 0.0)
    if not float(found):
        raise BadValueError(
            f"attach: the schedule sets the momentum, and {type(optimizer).__name__} (parameter group {i}) has none to set; give "
            "the optimizer a momentum, or the schedule momenta=None"
        )
