"""A table on the played device for one rule, and the same parameters stepped by the rule as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.rule import REGISTRY
from slalom.engines.fused import storage_of
from slalom.engines.fused_cuda import CudaTable
from slalom.engines.kernels.cuda.kernel import cuda_kernel
from slalom.engines.state import complete, state_key
from slalom.engines.step import Job
from tests.engines.kernels.cuda.emulation import Emulated


class Tensors:
    """Parameters, gradients and states of a rule under its defaults; `wide`: states of float32 beside 16-bit parameters."""

    def __init__(
        self, rule: str, sizes: Sequence[int], dtype: torch.dtype = torch.float64, seed: int = 0, offset: int = 0, **given: Any
    ) -> None:
        self.settings = REGISTRY[rule](**given)
        self.random = torch.Generator().manual_seed(seed)
        self.dtype, self.offset = dtype, offset
        self.params = [self.fresh(n) for n in sizes]
        self.states: list[dict[str, torch.Tensor]] = []
        for p in self.params:
            state: dict[str, torch.Tensor] = {}
            like = p.float() if dtype.itemsize < 4 else p
            complete(state, self.settings, self.settings.values, like)
            self.states.append(state)
        self.grads = [self.fresh(n) for n in sizes]
        self.reference = [(self.wide(p), self.settings.init(self.wide(p))) for p in self.params]
        self.t = 0

    def wide(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() if x.dtype.itemsize < 4 else x.clone()

    def fresh(self, n: int) -> torch.Tensor:
        """n numbers, `offset` elements after an address that vectors could be read from."""
        drawn = torch.randn(n, generator=self.random, dtype=torch.float64).to(self.dtype)
        room = torch.empty(n + self.offset, dtype=self.dtype)[self.offset :]
        return room.copy_(drawn)

    def new_gradients(self, scale: float = 1.0) -> None:
        self.grads = [self.fresh(p.numel()).mul_(scale) for p in self.params]

    def jobs(self) -> list[Job]:
        return [Job(p, g, s) for p, g, s in zip(self.params, self.grads, self.states, strict=True)]

    def table(self, device: Emulated) -> CudaTable:
        jobs = self.jobs()
        storage = storage_of(jobs[0], self.settings)
        made = CudaTable(cuda_kernel(self.settings, storage, device), self.settings, jobs, range(len(jobs)))
        assert made.fits(self.grads)
        return made

    def step(self, table: CudaTable, factor: float = 1.0, values: dict[str, Any] | None = None, **more: Any) -> torch.Tensor:
        assert table.fits(self.grads)
        return table.advance(values or self.settings.values, factor, **more)

    def step_reference(self, factor: float | torch.Tensor = 1.0, values: dict[str, float] | None = None) -> None:
        """The rule itself, in float32 for 16 bits, whose parameters are rounded after every step."""
        self.t += 1
        for k, (p, s) in enumerate(self.reference):
            new, state = self.settings.step(p, self.wide(self.grads[k]) * factor, s, self.t, values)
            self.reference[k] = (new.to(self.dtype).to(new.dtype), state)

    def error(self) -> float:
        """The largest difference of parameters and states from the reference, relative to 1 or the largest number."""
        worst = 0.0
        for p, state, (expected, s) in zip(self.params, self.states, self.reference, strict=True):
            pairs = [(self.wide(p), expected)]
            pairs += [(state[state_key(self.settings.rule, k)], getattr(s, k)) for k in self.settings.states]
            for a, b in pairs:
                if b.numel():
                    worst = max(worst, float((a - b).abs().max() / b.abs().max().clamp(min=1)))
        return worst

    def all(self) -> list[torch.Tensor]:
        return [*self.params, *(x for state in self.states for x in state.values())]
