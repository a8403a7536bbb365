"""An exponential moving average of the weights, to evaluate with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

from slalom.core.checks import number, yes_or_no
from slalom.core.errors import BadValueError
from slalom.optim.swap import swapped
from slalom.optim.wrappers.base import WIDER, caught_up, loaded_tensors, skipped

STARTS = ("corrected", "copy", "ramp")


class EMA:
    """The exponential moving average of weights: `average += weight (p - average)` after each step.

    `source`: an optimizer (any `torch.optim.Optimizer`, wrappers of it too), whose parameters are then averaged after
    each of its steps without further ado; or a module, after whose steps you call `update()`. A step that a GradScaler
    leaves out and a micro-batch of `Accumulate` are no steps.

    `decay` d in [0, 1): averages over about the last 1 / (1 - d) steps. `start`, the weight of the t-th update:

    - "corrected", (1 - d) / (1 - d**t): the weighted mean of the weights after steps 1 ... t alone, with the weights of
      the average, as Adam corrects its moments; the initial weights play no part;
    - "copy", 1 at the first and then 1 - d: as torch's `AveragedModel` with `get_ema_multi_avg_fn`, and timm;
    - "ramp", 1 at the first and then 1 - min(d, (1 + t) / (10 + t)): TensorFlow's `ExponentialMovingAverage` with
      `num_updates` t (which begins with the initial weights).

    `with ema.swapped():` has the averages in the parameters; afterwards the weights are back to the bit, also after an
    exception. Do not step within. Averages of float16 and bfloat16 weights are kept in float32: in bfloat16, 1 - 0.999 of
    a difference would be rounded away. Under `sparse="dense-equivalent"` every row is caught up at each step, as an average
    needs it (a module as source: call `optimizer.catch_up()` before `update`). Memory: one copy of the parameters, one more
    within `swapped`.

    Buffers (BatchNorm's running statistics) stay as they are in the model, unless `average_buffers=True` averages those
    of floating type of a module too (torch: `use_buffers=True`); or run `torch.optim.swa_utils.update_bn` within `swapped`.

    Source: Polyak & Juditsky 1992 (mean); Kingma & Ba 2015, section 7.2 (exponential, corrected). Raises BadValueError
    for settings out of range, `average_buffers` without a module, and `update` or `load_state_dict` within `swapped`.

    >>> p = torch.nn.Parameter(torch.tensor([0.0]))
    >>> optimizer = torch.optim.SGD([p], lr=1.0)
    >>> ema = EMA(optimizer, decay=0.5)
    >>> for _ in range(2):
    ...     p.grad = torch.tensor([-3.0])
    ...     optimizer.step()
    >>> with ema.swapped():  # 3 with weight 1/3, 6 with weight 2/3
    ...     print(p.item())
    5.0
    >>> p.item()
    6.0
    """

    def __init__(
        self,
        source: torch.optim.Optimizer | nn.Module,
        decay: float = 0.999,
        *,
        start: Literal["corrected", "copy", "ramp"] = "corrected",
        average_buffers: bool = False,
    ) -> None:
        if not isinstance(source, torch.optim.Optimizer | nn.Module):
            raise BadValueError(f"EMA: source must be a torch.optim.Optimizer or a torch.nn.Module, got {source!r}")
        number(decay, "EMA: decay", "[0, 1)")
        if start not in STARTS:
            raise BadValueError(f"EMA: start must be one of {', '.join(map(repr, STARTS))}, got {start!r}")
        yes_or_no(average_buffers, "EMA: average_buffers")
        if average_buffers and not isinstance(source, nn.Module):
            raise BadValueError("EMA: average_buffers needs a module, for an optimizer knows no buffers; write EMA(model, ...)")
        self.source, self.decay, self.start, self.average_buffers = source, float(decay), start, average_buffers
        self._average: dict[torch.Tensor, torch.Tensor] = {}
        self._updates: dict[torch.Tensor, int] = {}  # a parameter may join later
        self._inside = False
        self._follow()

    def __repr__(self) -> str:
        of = type(self.source).__name__
        return f"EMA ({of}, decay={self.decay:g}, start={self.start!r}, average_buffers={self.average_buffers})"

    @torch.no_grad()
    def update(self) -> None:
        """Takes the weights as they are into the average; an optimizer as source has it done after each step."""
        self._not_inside("update")
        for p in self._named().values():
            count = self._updates.get(p, 0) + 1
            wide = p.detach().to(WIDER.get(p.dtype, p.dtype))
            if p not in self._average:
                self._average[p] = wide.clone()
            else:
                self._average[p].lerp_(wide, self._weight(count))
            self._updates[p] = count

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The averages in the parameters (and averaged buffers); before the first update there is nothing to swap."""
        self._not_inside("swapped")
        now = self._named().values()
        with swapped([(p, self._average[p]) for p in now if p in self._average]):
            self._inside = True
            try:
                yield
            finally:
                self._inside = False

    def state_dict(self) -> dict[str, Any]:
        """Settings, averages and counts by the names of the parameters (of an optimizer without names: by position)."""
        known = {name: p for name, p in self._named().items() if p in self._average}
        return {
            "decay": self.decay,
            "start": self.start,
            "average": {name: self._average[p] for name, p in known.items()},
            "updates": {name: self._updates[p] for name, p in known.items()},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what `state_dict()` returned; raises BadValueError, and changes nothing, where names or shapes do not fit."""
        self._not_inside("load_state_dict")
        params = self._named()
        missing = [k for k in ("decay", "start", "average", "updates") if k not in state_dict]
        if missing:
            raise BadValueError(f"EMA: the state dict lacks {', '.join(missing)}; load what EMA.state_dict() returned")
        average: dict[torch.Tensor, torch.Tensor] = {}
        absent, surplus = set(params) - set(state_dict["average"]), set(state_dict["average"]) - set(params)
        if state_dict["average"] and (absent or surplus):
            told = [f"{word} {', '.join(sorted(names))}" for word, names in (("missing", absent), ("surplus", surplus)) if names]
            raise BadValueError(f"EMA: the loaded averages are of other parameters: {'; '.join(told)}")
        for name, value in state_dict["average"].items():
            dtype = params[name].dtype
            average |= loaded_tensors("EMA", "average", {name: value}, params, WIDER.get(dtype, dtype))
        self.decay, self.start, self._average = state_dict["decay"], state_dict["start"], average
        self._updates = {params[name]: count for name, count in state_dict["updates"].items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._follow()  # an optimizer's hooks are not copied with it

    def _weight(self, count: int) -> float:
        d = self.decay
        if self.start == "corrected":
            return (1 - d) / (1 - d**count)
        return 1 - d if self.start == "copy" else 1 - min(d, (1 + count) / (10 + count))

    def _named(self) -> dict[str, torch.Tensor]:
        if isinstance(self.source, nn.Module):
            named: dict[str, torch.Tensor] = dict(self.source.named_parameters())
            if self.average_buffers:
                named |= {n: b for n, b in self.source.named_buffers() if b.is_floating_point() or b.is_complex()}
            return named
        made: dict[str, torch.Tensor] = {}
        for index, group in enumerate(self.source.param_groups):
            names = group.get("param_names") or [f"{index}.{k}" for k in range(len(group["params"]))]
            made.update(zip(names, group["params"], strict=True))
        return made

    def _follow(self) -> None:
        if isinstance(self.source, torch.optim.Optimizer):
            self.source.register_step_post_hook(self._after_step)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not skipped(optimizer) and getattr(optimizer, "stepped", True):
            caught_up(optimizer)
            self.update()

    def _not_inside(self, what: str) -> None:
        if self._inside:
            raise BadValueError(f"EMA: {what} within swapped(), where the averages are in the parameters; leave it first")
