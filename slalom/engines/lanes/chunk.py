"""A few lanes that are trained together by one thread: rows of one matrix, small enough for a core's cache.

A vectorised loop hands the last few elements of a tensor to scalar code, which may round otherwise (torch.sigmoid does).
Where a mechanism cannot exclude that, the chunk carries `spare` lanes at its end, which take that tail, so that a lane's
numbers are the same to the bit wherever it stands and whoever stands beside it.

That is also why lanes that are no longer trained can be left out: once enough of a chunk has stopped, forward and backward
run on a copy of the other rows alone. Parameters and optimizer state stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.lanes.blocks import BlockRun
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.cuda.place import CPU
from slalom.engines.lanes.cuda.run import DeviceRun, why_step_by_step
from slalom.engines.lanes.cuda.stage import Stage
from slalom.engines.lanes.dropout import shares
from slalom.engines.lanes.factors import Floats
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.mechanism import Buffers, Mechanism
from slalom.engines.lanes.penalties import Penalties
from slalom.engines.lanes.update import Kernels, RuleUpdate, TorchUpdate, Update, own_settings, stepped_by, thresholds


@dataclass(frozen=True)
class Retirement:
    """A lane's end: `step` (from 1) turned non-finite; its state is the one after `last_finite_step`."""

    lane: int
    step: int
    last_finite_step: int
    reason: str


class Chunk:
    """`numbers`: the lanes' numbers in the heat; `modules`: each lane's freshly initialised module."""

    def __init__(
        self,
        numbers: Sequence[int],
        lanes: Sequence[Lane],
        modules: Sequence[nn.Module],
        layout: Layout,
        mechanism: Mechanism,
        kernels: Kernels,
        dtype: torch.dtype,
        stage: Stage | None = None,
    ) -> None:
        """`stage`: the CUDA device they are on; None: the processor."""
        self.numbers = list(numbers)
        self.lanes = list(lanes)
        self.layout = layout
        self.mechanism = mechanism
        self.t = 0
        self.alive = np.ones(len(lanes), dtype=bool)
        self.retired: list[Retirement] = []
        padded = [*modules, *[modules[-1]] * mechanism.spare]
        device = CPU if stage is None else stage.device
        self.params = torch.stack([layout.row(m) for m in padded]).to(device, dtype)
        held = {id(m): beside(m) for m in padded}
        self.buffers = {k: torch.stack([_cast(held[id(m)][k], dtype) for m in padded]).to(device) for k in held[id(padded[0])]}
        self.frozen = {k for k, p in padded[0].named_parameters() if not p.requires_grad}
        for name in shares(padded[0]):
            for i, lane in enumerate(self.lanes):
                if lane.dropout is not None:
                    self.buffers[name][i] = lane.dropout
        self.seeds = [lane.seed for lane in self.lanes] + [0] * mechanism.spare
        clips = [lane.clip for lane in lanes]
        self.clip = np.array([np.inf if c is None else c for c in clips]) if any(clips) else None
        self.updates = [(rows, self._update(rows, kernels)) for rows in _runs(self.lanes)]
        self.penalties = Penalties(self.lanes, modules, layout, self.updates, device)
        self.run = np.arange(len(lanes))  # the rows that forward and backward run on, spare lanes apart
        self.blocks: BlockRun | DeviceRun | None = None
        if stage is None:
            self.blocks = BlockRun.of(self)
        elif why_step_by_step(self) is None:
            self.blocks = DeviceRun(self, stage)

    def compact(self) -> None:
        """Leaves out rows that have stopped, where their share of those run has reached what the mechanism asks for."""
        live = self.alive[self.run]
        if 0 < live.sum() < len(live) and 1 - live.mean() >= self.mechanism.compacts:
            self.run = self.run[live]

    def _selected(self) -> Tensor | None:
        """Indices of the rows to run, spare lanes included; None for all."""
        n = len(self.lanes)
        if len(self.run) == n:
            return None
        return torch.from_numpy(np.concatenate([self.run, np.arange(n, n + self.mechanism.spare)])).to(self.params.device)

    def stop(self, numbers: Sequence[int]) -> None:
        """These lanes of the chunk are trained no further."""
        self.alive[[self.numbers.index(k) for k in numbers]] = False

    def _update(self, rows: slice, kernels: Kernels) -> Update:
        lanes, params = self.lanes[rows], self.params[rows]
        if isinstance(lanes[0].optimizer, Settings):
            settings = stepped_by(lanes)
            if settings[0].program not in kernels:  # without a compiler rules are run by torch, and proximal steps apart
                settings = own_settings(lanes)
            return RuleUpdate(lanes, params, kernels[settings[0].program], settings)
        return TorchUpdate(lanes, params, self.layout, lambda i: self._again(rows.start + i))

    def _again(self, row: int) -> tuple[Tensor, Tensor]:
        x, y, keys, per_lane = self._batch
        one, place = slice(row, row + 1), int(np.searchsorted(self.run, row))
        at = slice(place, place + 1)
        buffers = {k: v[one] for k, v in self.buffers.items()}
        lane_x, lane_y = (x[at], y[at]) if per_lane else (x, y)
        loss, grads, _ = self.mechanism.gradients(self.params[one], buffers, lane_x, lane_y, keys[at], per_lane)
        return loss[0], grads[0]

    def _gradients(self, x: Tensor, y: Tensor, per_lane: bool) -> tuple[Tensor, Tensor, Buffers]:
        """Loss `[lanes]` and gradient `[lanes, D]`, NaN and unset for rows that are not run; buffers of the rows that are."""
        chosen, n = self._selected(), len(self.lanes)
        keys, params, held = lane_keys(self.seeds, self.t).to(self.params.device), self.params, self.buffers
        if chosen is not None:
            keys, params, held = keys[chosen], params[chosen], {k: v[chosen] for k, v in held.items()}
        self._batch = (x, y, keys, per_lane)
        loss, grads, buffers = self.mechanism.gradients(params, held, x, y, keys, per_lane)
        if chosen is None:
            return loss[:n], grads[:n], buffers
        rows = chosen[: len(self.run)]
        every, unset = loss.new_full((n,), float("nan")), grads.new_zeros(n, grads.shape[1])
        every[rows], unset[rows] = loss[: len(rows)], grads[: len(rows)]
        return every, unset, buffers

    def step(self, x: Tensor, y: Tensor, per_lane: bool) -> tuple[Floats, Floats]:
        """One step: loss and gradient norm (before clipping) of each lane; NaN once a lane has stopped.

        `per_lane`: x and y have a leading axis, of the rows that `_selected` gives.
        """
        self.t += 1
        n = len(self.lanes)
        loss, grads, buffers = self._gradients(x, y, per_lane)
        losses: Floats = loss.double().cpu().numpy()
        live = self.alive & np.isfinite(losses)
        stepped, norms = np.zeros(n, dtype=bool), np.full(n, np.nan)
        for rows, update in self.updates:
            clip = None if self.clip is None else self.clip[rows]
            self.penalties.before(self.params, grads, rows, update, self.t, live)
            stepped[rows], norms[rows] = update.step(self.params[rows], grads[rows], loss[rows], self.t, live[rows], clip)
        self.penalties.after(self.params, stepped)
        self._keep_buffers(buffers, stepped)
        faults = {rows.start + i: text for rows, update in self.updates for i, text in update.faults.items()}
        out_loss, out_norm = np.where(self.alive, losses, np.nan), np.where(self.alive, norms, np.nan)
        for i in np.flatnonzero(self.alive & ~stepped):
            self.retire(int(i), self.t, losses[i], norms[i], faults.get(int(i)))
        return out_loss, out_norm

    def retire(self, row: int, step: int, loss: float, norm: float, fault: str | None = None) -> None:
        """This row's step, counted from 1, was not taken; it is trained no further."""
        self.alive[row] = False
        self.retired.append(Retirement(self.numbers[row], step, step - 1, fault or _reason(loss, norm)))

    def _keep_buffers(self, new: dict[str, Tensor], stepped: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        if stepped.all():
            self.buffers = new
            return
        where = np.flatnonzero(stepped[self.run])
        places, rows = (torch.from_numpy(index).to(self.params.device) for index in (where, self.run[where]))
        for k, v in new.items():
            self.buffers[k][rows] = v[places]

    def epoch(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        """Steps over batches of indices into x and y, each `[batch]` (shared) or `[lanes, batch]`: two `[steps, lanes]`."""
        if self.blocks is not None:
            return self.blocks.epoch(x, y, batches)
        losses, norms = [], []
        for index in batches:
            if not self.alive.any():
                self.t += 1
                losses.append(np.full(len(self.lanes), np.nan))
                norms.append(losses[-1])
                continue
            self.compact()
            per_lane = index.dim() == 2
            if per_lane:
                own = index[torch.from_numpy(self.run).to(index.device)]
                index = torch.cat([own, own[-1:].expand(self.mechanism.spare, -1)])
            loss, norm = self.step(x[index], y[index], per_lane)
            losses.append(loss)
            norms.append(norm)
        return np.stack(losses), np.stack(norms)

    def outputs(self, x: Tensor, batch: int) -> Tensor:
        """Evaluation-mode outputs `[lanes, n, ...]`, of lanes that have stopped also."""
        return self._predict(self.params, self.buffers, x, batch)[: len(self.lanes)]

    def _predict(self, params: Tensor, buffers: Buffers, x: Tensor, batch: int) -> Tensor:
        return torch.cat([self.mechanism.predict(params, buffers, part) for part in torch.split(x, batch)], dim=1)

    def evaluate(
        self,
        x: Tensor,
        y: Tensor,
        measures: Sequence[Callable[[Tensor, Tensor], Tensor]],
        batch: int,
        stopped: Sequence[int] = (),
    ) -> Floats:
        """Each measure of each lane over all of x, y: `[measures, lanes]`; NaN for lanes that have stopped, but these.

        Measures see tensors of the processor, whatever they are made of; y is one already.
        """
        out = np.full((len(measures), len(self.lanes)), np.nan)
        if stopped:
            also = [self.numbers.index(k) for k in stopped]
            every = self._predict(self.params, self.buffers, x, batch).cpu()
            out[:, also] = np.array([[float(measure(every[i], y)) for i in also] for measure in measures])
        if self.alive.any():
            self.compact()
            chosen = self._selected()
            params = self.params if chosen is None else self.params[chosen]
            buffers = self.buffers if chosen is None else {k: v[chosen] for k, v in self.buffers.items()}
            outputs = self._predict(params, buffers, x, batch).cpu()
            for place, i in enumerate(self.run):
                if self.alive[i]:
                    out[:, i] = [float(measure(outputs[place], y)) for measure in measures]
        return out

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later process needs to go on to the bit."""
        return {
            "t": self.t,
            "params": self.params.cpu(),
            "buffers": {k: v.cpu() for k, v in self.buffers.items()},
            "alive": torch.from_numpy(self.alive),
            "retired": [[r.lane, r.step, r.last_finite_step, r.reason] for r in self.retired],
            "updates": [update.state_dict() for _, update in self.updates],
            "penalties": self.penalties.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        shapes = [list(state["params"].shape), *(list(state["buffers"][k].shape) for k in self.buffers if k in state["buffers"])]
        own = [list(self.params.shape), *(list(v.shape) for v in self.buffers.values())]
        if shapes != own:
            raise BadValueError(f"the state is of another model: its tensors are {shapes}, this model's are {own}")
        self.t = state["t"]
        self.params.copy_(state["params"])
        self.buffers = {k: v.clone().to(self.params.device) for k, v in state["buffers"].items()}
        self.alive = state["alive"].numpy().copy()
        self.run = np.arange(len(self.lanes))
        self.retired = [Retirement(*r) for r in state["retired"]]
        for (_, update), saved in zip(self.updates, state["updates"], strict=True):
            update.load_state_dict(saved)
        self.penalties.load_state_dict(state.get("penalties", {}))

    def take(self, row: int, other: Chunk, place: int) -> None:
        """The lane at `place` of another chunk goes on here, at `row`; both chunks are of one model; the other keeps it too."""
        self.t = other.t
        self.params[row] = other.params[place]
        for k, v in self.buffers.items():
            v[row] = other.buffers[k][place]
        self.alive[row] = other.alive[place]
        self.retired += [replace(r, lane=self.numbers[row]) for r in other.retired if r.lane == other.numbers[place]]
        (rows, update), (theirs, before) = self._stepper(row), other._stepper(place)
        update.take(row - rows.start, before, place - theirs.start)
        self.penalties.take(row, other.penalties, place)

    def _stepper(self, row: int) -> tuple[slice, Update]:
        return next((rows, update) for rows, update in self.updates if rows.start <= row < rows.stop)


def _reason(loss: float, norm: float) -> str:
    if not np.isfinite(loss):
        return f"loss is {loss}"
    if not np.isfinite(norm):
        return f"gradient norm is {norm}"
    return "the step made a parameter infinite or NaN"


def _cast(buffer: Tensor, dtype: torch.dtype) -> Tensor:
    return buffer.to(dtype) if buffer.is_floating_point() else buffer


def _runs(lanes: Sequence[Lane]) -> list[slice]:
    """Slices of neighbours that share a program."""
    kinds = [(lane.optimizer.program, thresholds(lane)) for lane in lanes]
    cuts = [i for i in range(1, len(lanes)) if kinds[i] != kinds[i - 1]]
    return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(lanes)], strict=True)]
