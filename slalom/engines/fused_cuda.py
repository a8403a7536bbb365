"""The fused step on a CUDA device: a group's parameters of one device and dtype as a table of pointers there.

The count of steps and the scalar states of its parameters live on the device, so that neither GradScaler's skipped step nor
a captured graph needs the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch.autograd.graph import increment_version

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines.fused import Plan, Table
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.cuda.driver import DriverError
from slalom.engines.kernels.cuda.gpu import gpu
from slalom.engines.kernels.cuda.kernel import CudaKernel, CudaStep, cuda_kernel, refuse_capture
from slalom.engines.kernels.storage import Storage
from slalom.engines.kernels.tensors import TensorKernel
from slalom.engines.printers.tree import LanguageError
from slalom.engines.step import Job

_warned: set[torch.device] = set()


def cuda_table(
    settings: Settings, storage: Storage, where: torch.device, jobs: Sequence[Job], index: Sequence[int]
) -> CudaTable | None:
    """The table of these jobs on a device, or None where there are no kernels: without NVRTC that is said once a device."""
    try:
        refuse_capture(gpu(where))
        kernel = cuda_kernel(settings, storage, gpu(where))
    except LanguageError:
        return None
    except (NoCompilerError, DriverError, StoreError) as error:
        if where not in _warned:
            _warned.add(where)
            warnings.warn(
                f"slalom.optim steps without compiled code on {where}, several times slower: {error}",
                RuntimeWarning,
                stacklevel=6,
            )
        return None
    return CudaTable(kernel, settings, jobs, index)


class CudaTable(Table):
    """Parameters of one device and dtype as a table of pointers."""

    def __init__(self, kernel: CudaKernel, settings: Settings, jobs: Sequence[Job], index: Sequence[int]) -> None:
        self.where = kernel.gpu.device
        _counts_to(self.where, jobs)
        super().__init__(cast(TensorKernel, kernel), settings, jobs, index)  # it reads storage, states and scalars alone
        table = self._table[[0, *range(2, len(self._table))]]
        self._step = CudaStep(kernel, table, self._numbers, self._wide, self._sizes, self._streams)

    def hypers(self, settings: Settings, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The hypers as they were given: tensors on the device are read there."""
        return values

    def square_sum(self) -> float:
        """The sum of the squares of the gradients that `fits` has seen last; waits for the device."""
        room = torch.zeros(self.sums, dtype=torch.float64, device=self.params[0].device)
        self.squares(room)
        return float(room.sum())

    def step(self, values: Mapping[str, Any], factor: float) -> None:
        """Steps all its parameters in place, their counts and scalar states too; gradients are multiplied by `factor`."""
        self.advance(values, factor)

    @property
    def sums(self) -> int:
        """How many numbers `squares` writes."""
        return self._step.sums

    def squares(self, out: torch.Tensor) -> None:
        """Writes sums of the squares of the gradients that `fits` has seen last to `out`; see `CudaStep.squares`."""
        self._step.squares(self._table[1], out)

    def advance(
        self, values: Mapping[str, Any], factor: float, grad_scale: torch.Tensor | None = None,
        found_inf: torch.Tensor | None = None, sums: torch.Tensor | None = None, clip: float = float("inf"),
    ) -> torch.Tensor:  # fmt: skip
        """A step with what GradScaler and clipping bring; see `CudaStep.run`."""
        info = self._step.run(
            self._table[1], values, factor, grad_scale=grad_scale, found_inf=found_inf, sums=sums, clip=clip
        )  # fmt: skip
        increment_version(self.params)
        return info


def step_together(
    where: torch.device, work: Sequence[tuple[Plan, Settings, Mapping[str, Any], Mapping[str, Any]]],
    grad_scale: torch.Tensor | None, found_inf: torch.Tensor | None, largest: float | None,
) -> torch.Tensor | None:  # fmt: skip
    """Steps every group of an optimizer whose parameters are all in tables on one device; nothing waits for it.

    `work`: plan, settings, hypers and parameter group. Returns the norm of all gradients after unscaling, on the device,
    where they are to be clipped to the norm `largest`.
    """
    jobs = [(table, values, group) for plan, _, values, group in work for table in plan.tables]
    tables: list[CudaTable] = [table for table, *_ in jobs if isinstance(table, CudaTable)]
    scale, skip = (None if x is None else x.detach().to(where, torch.float32) for x in (grad_scale, found_inf))
    sums = None
    if largest is not None:
        sums = torch.zeros(sum(table.sums for table in tables), dtype=torch.float64, device=where)
        begin = 0
        for table in tables:
            table.squares(sums[begin : begin + table.sums])
            begin += table.sums
    for table, (_, values, group) in zip(tables, jobs, strict=True):
        sign = -1.0 if group["maximize"] else 1.0
        info = table.advance(values, sign, scale, skip, sums, float("inf") if largest is None else largest)
    return None if largest is None else info[1].clone()


def _counts_to(device: torch.device, jobs: Sequence[Job]) -> None:
    """Moves the counts of steps to the device, those that are not there: one transfer for all of a dtype."""
    for dtype in (torch.float32, torch.float64):
        elsewhere = [j for j in jobs if j.state["step"].device != device and j.state["step"].dtype == dtype]
        if elsewhere:
            moved = torch.stack([j.state["step"].detach().cpu() for j in elsewhere]).to(device)
            for job, count in zip(elsewhere, moved, strict=True):
                job.state["step"] = count.clone()
