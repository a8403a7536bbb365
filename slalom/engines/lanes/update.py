"""How a chunk's gradients become its new parameters: by rules over slices of its lanes, or by torch optimizers one a lane.

A step is a transaction for each lane: where a gradient or a new parameter is not finite, that lane keeps what it had.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines.kernels import Kernel, NoCompilerError, ReferenceKernel, compile_programs, reference_programs
from slalom.engines.kernels.cuda.driver import DriverError
from slalom.engines.kernels.cuda.lane_kernel import LaneKernel, lane_kernels
from slalom.engines.lanes.cuda.stage import Stage
from slalom.engines.lanes.factors import Factors, Floats, Swing
from slalom.engines.lanes.lane import Lane, TorchOptimizer
from slalom.engines.lanes.layout import Layout
from slalom.engines.printers.proximal import proximal

Mask = np.ndarray[Any, np.dtype[np.bool_]]
AnyKernel = Kernel | ReferenceKernel | LaneKernel
Kernels = dict[tuple[Any, ...], AnyKernel]  # by program


class Update(Protocol):
    """Steps the rows it was made for. `live`: rows that may change; `clip [rows]`: largest gradient norms, or None.

    `faults`: what an optimizer raised, by row; such a row counts as not stepped.
    """

    faults: dict[int, str]

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, clip: Floats | None) -> tuple[Mask, Floats]:
        """Changes `params [rows, D]` in place: the rows that stepped and are finite, and gradient norms before clipping."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def take(self, row: int, other: Any, place: int) -> None:
        """Takes up the state of another's row; it is of the same kind and program."""
        ...


class RuleUpdate:
    """Lanes of one program (rule, options, gates), each with its own hypers, by the program's kernel.

    `settings`: of each lane; None: of its own rule, else of that with a proximal step (see `stepped_by`).
    """

    def __init__(
        self, lanes: Sequence[Lane], params: Tensor, kernel: AnyKernel, settings: Sequence[Settings] | None = None
    ) -> None:
        settings = own_settings(lanes) if settings is None else settings
        self.lanes = lanes
        self.kernel = kernel
        self.faults: dict[int, str] = {}
        self.values: dict[str, Floats] = {k: np.array([s.values[k] for s in settings]) for k in settings[0].rule.hypers}
        self.factors, self.swing = Factors(lanes), Swing(lanes)
        self.scheduled = any(lane.schedule is not None for lane in lanes)
        self.rows = np.arange(len(lanes))
        init = [s.init(row) for s, row in zip(settings, params, strict=True)]
        self.states = {k: torch.stack([getattr(s, k) for s in init]) for k in kernel.element_states}
        self.scalars = {k: np.array([float(getattr(s, k)) for s in init]) for k in kernel.scalar_states}

    def hypers(self, t: int) -> dict[str, Floats]:
        """Values `[rows]` at step t."""
        return {k: v[0] for k, v in self._over([t]).items()}

    def _over(self, steps: Sequence[int]) -> dict[str, Floats]:
        """Values `[steps, rows]`: the schedule scales lr, is itself given to rules that ask for it, and may set momentum."""
        now = {k: np.repeat(v[None], len(steps), 0) for k, v in self.values.items()}
        if self.scheduled:
            factor = self.factors.at(steps)
            for k in ("lr", "schedule"):
                if k in now:
                    now[k] *= factor
            for row, momentum in self.swing.at(steps).items():
                now[self.swing.names[row]][:, row] = momentum
        return now

    def ahead(self, begin: int, steps: int) -> tuple[Floats, list[dict[str, Floats]]]:
        """Coefficients `[steps, rows, ...]` of the steps after `begin`; scalar states before each step, and after the last."""
        n, every = len(self.lanes), range(begin + 1, begin + steps + 1)
        now = self._over(every)
        if self.scalars:
            made, held = [], [self.scalars]
            for i, t in enumerate(every):
                rows, after = self._rows({k: v[i : i + 1] for k, v in now.items()}, [t], held[-1])
                made.append(rows)
                held.append(after)
            return np.concatenate(made).reshape(steps, n, -1), held
        rows, _ = self._rows(now, every, {})
        return rows.reshape(steps, n, -1), [{}] * (steps + 1)

    def _rows(
        self, values: dict[str, Floats], steps: Sequence[int], scalars: dict[str, Floats]
    ) -> tuple[Floats, dict[str, Floats]]:
        """The kernel's coefficients for values `[steps, rows]`, step by step.

        Every number stands in an array of at least two: NumPy computes some functions of single numbers another way.
        """
        count = len(steps) * len(self.lanes)
        least = np.arange(max(count, 2)) % count
        flat = {k: v.reshape(-1)[least] for k, v in values.items()}
        rows, after = self.kernel.coefficients(
            flat, np.repeat(np.array(steps, np.float64), len(self.lanes))[least], {k: v[least] for k, v in scalars.items()}
        )
        return rows[:count], {k: v[:count] for k, v in after.items()}

    def settle(self, scalars: Sequence[dict[str, Floats]], taken: np.ndarray[Any, Any]) -> None:
        """Takes up the scalar states of rows that have gone so many steps of those asked for `ahead`."""
        every = np.arange(len(taken))
        self.scalars = {k: np.stack([s[k] for s in scalars])[taken, every] for k in self.scalars}

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, clip: Floats | None) -> tuple[Mask, Floats]:
        coefficients, scalars = self.kernel.coefficients(self.hypers(t), t, self.scalars)
        skip = None if live.all() else (~live).astype(np.uint8)
        report = self.kernel.step(params, grads, self.states, self.rows, coefficients, clip=clip, skip=skip, threads=1)
        stepped: Mask = np.asarray(report.updated, dtype=bool)
        self.scalars = {k: np.where(stepped, v, self.scalars[k]) for k, v in scalars.items()}
        return stepped, np.sqrt(report.grad_sq)

    def state_dict(self) -> dict[str, Any]:
        return {**{k: v.cpu() for k, v in self.states.items()}, **{k: torch.from_numpy(v) for k, v in self.scalars.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.states = {k: state[k].clone().to(v.device) for k, v in self.states.items()}
        self.scalars = {k: state[k].cpu().numpy().copy() for k in self.scalars}

    def take(self, row: int, other: RuleUpdate, place: int) -> None:
        for k, v in self.states.items():
            v[row] = other.states[k][place]
        for k, scalar in self.scalars.items():
            scalar[row] = other.scalars[k][place]


def own_settings(lanes: Sequence[Lane]) -> list[Settings]:
    """Each lane's settings of its rule."""
    return [lane.optimizer for lane in lanes if isinstance(lane.optimizer, Settings)]


def thresholds(lane: Lane) -> bool:
    """Whether the lane's weights are soft-thresholded after each step."""
    return lane.penalty is not None and lane.penalty.thresholds


def stepped_by(lanes: Sequence[Lane]) -> list[Settings]:
    """The settings that step each lane: its rule's, or, for a proximal penalty, those of its rule with that step.

    A rule without such a step keeps its own.

    Lanes with torch's optimizers are left out.
    """
    derived: dict[tuple[Any, ...], Settings | None] = {}
    made = []
    for lane in lanes:
        own = lane.optimizer
        if not isinstance(own, Settings):
            continue
        if thresholds(lane):
            if own.program not in derived:
                derived[own.program] = proximal(own)
            other = derived[own.program]
            own = own if other is None else replace(other, values=own.values)
        made.append(own)
    return made


def kernels_for(lanes: Sequence[Lane], dtype: torch.dtype, stage: Stage | None = None) -> tuple[Kernels, str]:
    """A kernel for each program among the lanes, compiled where that is possible; and a sentence where it is not.

    `stage`: the GPU that the lanes are on; None: they are the processor's.
    """
    distinct = {s.program: s for s in stepped_by(lanes)}
    plain = {p: s for p, s in distinct.items() if not any(state.window for state in s.states.values())}
    made: Kernels = {}
    note = ""
    try:
        compiled: Sequence[AnyKernel]
        if stage is None:
            compiled = compile_programs(list(plain.values()), dtype)
        else:
            compiled = lane_kernels(list(plain.values()), dtype, stage.gpu) if plain else []
        made.update(zip(plain, compiled, strict=True))
    except (NoCompilerError, StoreError, DriverError) as error:
        note = f"rules run by torch, several times slower than compiled: {error}"
        distinct = {s.program: s for s in own_settings(lanes)}
    rest = [s for p, s in distinct.items() if p not in made]
    made.update(zip([s.program for s in rest], reference_programs(rest, dtype), strict=True))
    return made, note


class TorchUpdate:
    """Lanes of `torch.optim` classes: a real module and optimizer each, whose parameters are views of the lane's row."""

    def __init__(
        self, lanes: Sequence[Lane], params: Tensor, layout: Layout, again: Callable[[int], tuple[Tensor, Tensor]]
    ) -> None:
        self.lanes = lanes
        self.faults: dict[int, str] = {}
        self.again = again  # loss and gradient of a row at its present parameters, for optimizers that ask more than once
        self.parameters: list[list[nn.Parameter]] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self.layout = layout
        for i, lane in enumerate(lanes):
            assert isinstance(lane.optimizer, TorchOptimizer)
            own = [nn.Parameter(v[0]) for v in layout.split(params[i : i + 1]).values()]
            self.parameters.append(own)
            self.optimizers.append(lane.optimizer.cls(own, **lane.optimizer.arguments))
        self.factors, self.swing = Factors(lanes), Swing(lanes)
        self.base: list[list[Any]] = [[group.get("lr") for group in o.param_groups] for o in self.optimizers]

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, clip: Floats | None) -> tuple[Mask, Floats]:
        norms: Floats = torch.linalg.vector_norm(grads, dim=1, dtype=torch.float64).cpu().numpy()
        finite = live & np.isfinite(norms)
        swing = {i: float(v[0]) for i, v in self.swing.at([t]).items()}
        for i, (optimizer, factor) in enumerate(zip(self.optimizers, self.factors.at([t])[0], strict=True)):
            if not finite[i]:
                continue
            before = params[i].clone()
            if self.lanes[i].schedule is not None:
                for group, lr in zip(optimizer.param_groups, self.base[i], strict=True):
                    group["lr"] = lr * float(factor)
                    if i in swing:
                        betas = group.get("betas")
                        group.update({"momentum": swing[i]} if betas is None else {"betas": (swing[i], *betas[1:])})
            calls = 0

            def closure(i: int = i) -> Tensor:
                nonlocal calls
                calls += 1
                loss, grad = (losses[i], grads[i]) if calls == 1 else self.again(i)
                if clip is not None:
                    grad = grad * (clip[i] / (torch.linalg.vector_norm(grad) + 1e-6)).clamp(max=1.0)  # torch's clip_grad_norm_
                for p, g in zip(self.parameters[i], self.layout.split(grad.unsqueeze(0)).values(), strict=True):
                    p.grad = g[0]
                return loss

            try:
                with torch.enable_grad():
                    optimizer.step(closure)  # type: ignore[arg-type]
            except (RuntimeError, ValueError, ArithmeticError) as error:  # e.g. a step size beyond the dtype
                self.faults[i] = f"{self.lanes[i].optimizer.program[0]} raised {type(error).__name__}: {error}"
            if i in self.faults or not bool(torch.isfinite(params[i]).all()):
                params[i] = before
                finite[i] = False
        return finite, norms

    def state_dict(self) -> dict[str, Any]:
        return {str(i): o.state_dict() for i, o in enumerate(self.optimizers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, o in enumerate(self.optimizers):
            o.load_state_dict(state[str(i)])

    def take(self, row: int, other: TorchUpdate, place: int) -> None:
        # A copy: an optimizer takes tensors of the state dict it is given as its own.
        self.optimizers[row].load_state_dict(copy.deepcopy(other.optimizers[place].state_dict()))
        self.base[row] = list(other.base[place])
