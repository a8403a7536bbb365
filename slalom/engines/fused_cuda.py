"""The fused step on a CUDA device: a group's parameters of one device and dtype as a table of pointers there.

The count of steps and the scalar states of its parameters live on the device, so that neither GradScaler's skipped step nor
a captured graph needs the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.autograd.graph import increment_version

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines.fused import Table
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.cuda.driver import DriverError
from slalom.engines.kernels.cuda.gpu import gpu
from slalom.engines.kernels.cuda.kernel import CudaKernel, CudaStep, cuda_kernel
from slalom.engines.kernels.cuda.source import STORED
from slalom.engines.printers.tree import LanguageError
from slalom.engines.state import state_key
from slalom.engines.step import Job

_warned: set[torch.device] = set()


def stored_on(job: Job, settings: Settings) -> dict[str, torch.dtype] | None:
    """How the job's parameter, gradient and states are stored on the parameter's device; None where a kernel cannot read it."""
    p = job.p
    stored = {"p": p.dtype, "g": job.g.dtype}
    others = [job.g]
    for name, declared in settings.states.items():
        x = job.state[state_key(settings.rule, name)]
        others.append(x)
        if not declared.scalar:
            stored[name] = x.dtype
    if any(x.device != p.device for x in others) or not set(stored.values()) <= STORED.keys():
        return None
    return stored


def kernel_on(settings: Settings, stored: Mapping[str, torch.dtype], where: torch.device) -> CudaKernel | None:
    """The compiled kernels, or None where there are none: without NVRTC that is said once a device."""
    try:
        return cuda_kernel(settings, stored, gpu(where))
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


class CudaTable(Table):
    """Parameters of one device and dtype as a table of pointers."""

    def __init__(self, kernel: CudaKernel, settings: Settings, jobs: Sequence[Job], index: Sequence[int]) -> None:
        _counts_to(kernel.gpu.device, jobs)
        super().__init__(kernel, settings, jobs, index)
        self.cuda = kernel
        self._step = CudaStep(kernel, self._table[[0, *range(2, len(self._table))]], self._numbers, self._wide, self._sizes)

    def hypers(self, settings: Settings, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The hypers as they were given: tensors on the device are read there."""
        return values

    def step(self, values: Mapping[str, Any], maximize: bool) -> None:
        """Steps all its parameters in place, their counts and scalar states too."""
        self.advance(values, -1.0 if maximize else 1.0)

    @property
    def sums(self) -> int:
        """How many numbers `squares` writes."""
        return self._step.sums

    def squares(self, out: torch.Tensor) -> None:
        """Writes sums of the squares of the gradients that `fits` has seen last to `out`; see `CudaStep.squares`."""
        self._step.squares(self._gradients, out)

    def advance(
        self, values: Mapping[str, Any], factor: float, grad_scale: torch.Tensor | None = None,
        found_inf: torch.Tensor | None = None, sums: torch.Tensor | None = None, clip: float = float("inf"),
    ) -> torch.Tensor:  # fmt: skip
        """A step with what GradScaler and clipping bring; see `CudaStep.run`."""
        info = self._step.run(
            self._gradients, values, factor, grad_scale=grad_scale, found_inf=found_inf, sums=sums, clip=clip
        )  # fmt: skip
        increment_version(self.params)
        return info


def cuda_tables(settings: Settings, jobs: Sequence[Job], index: Sequence[int]) -> tuple[list[CudaTable], list[int]]:
    """Tables for these of the jobs, which are on CUDA devices, and those of them that have to be stepped otherwise."""
    fit: dict[tuple[Any, ...], list[int]] = {}
    rest = []
    for k in index:
        stored = stored_on(jobs[k], settings)
        if stored is None:
            rest.append(k)
        else:
            fit.setdefault((jobs[k].p.device, *stored.items()), []).append(k)
    made = []
    for (device, *stored), at in fit.items():
        chosen = [jobs[k] for k in at]
        kernel = kernel_on(settings, dict(stored), device)
        table = None if kernel is None else CudaTable(kernel, settings, chosen, at)
        if table is None or table.overlaps_itself() or not table.fits([job.g for job in chosen]):
            rest += at
        else:
            made.append(table)
    return made, rest


def _counts_to(device: torch.device, jobs: Sequence[Job]) -> None:
    """Moves the counts of steps to the device, those that are not there: one transfer for all of a dtype."""
    for dtype in (torch.float32, torch.float64):
        elsewhere = [j for j in jobs if j.state["step"].device != device and j.state["step"].dtype == dtype]
        if elsewhere:
            moved = torch.stack([j.state["step"].detach().cpu() for j in elsewhere]).to(device)
            for job, count in zip(elsewhere, moved, strict=True):
                job.state["step"] = count.clone()
