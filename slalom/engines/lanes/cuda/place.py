"""Where lanes run, and their data on that device: put there once, found there again."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError

CPU = torch.device("cpu")
MOST_KEPT = 8  # tensors of the host that are kept on the device: training, validation and test parts


GPUS = ["cuda"]  # kinds of devices that are one; the tests let the processor play it


def on_device(device: torch.device) -> bool:
    """Whether lanes there run on a GPU."""
    return device.type in GPUS


def device_of(asked: str | torch.device | None, modules: Iterable[nn.Module], data: Iterable[Tensor]) -> torch.device:
    """The device that is asked for, else the CUDA device on which the model or the data lie, else the processor.

    BadValueError where that is not there, is none that lanes run on, or where model and data lie on several.
    """
    if asked is None:
        distinct = {id(m): m for m in modules}.values()
        found = {t.device for m in distinct for t in (*m.parameters(), *m.buffers())} | {t.device for t in data}
        found -= {CPU}
        if len(found) > 1:
            names = ", ".join(sorted(map(str, found)))
            raise BadValueError(f"model and data lie on several devices ({names}); move them to one, or say device=")
        asked = found.pop() if found else CPU
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise BadValueError(f"device must be 'cpu', 'cuda' or 'cuda:0', got {asked!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise BadValueError(f"lanes run on the processor and on CUDA devices, not on {device}; say device='cpu' or 'cuda'")
    if device.type == "cpu":
        return CPU
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index if device.index is not None else torch.cuda.current_device() if count else 0
    if index >= count:
        has = f"{count} CUDA devices" if count else "no CUDA device (a CPU build of torch, or no driver)"
        raise BadValueError(f"lanes cannot run on {device}: torch finds {has}; say device='cpu'")
    return torch.device("cuda", index)


@dataclass
class _Kept:
    of: weakref.ref[Tensor]
    version: int
    tensor: Tensor


class Data:
    """Tensors as lanes read them: on their device, numbers in their dtype. `on` the same tensor gives the same again."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self.kept: list[_Kept] = []

    def cast(self, given: Tensor) -> Tensor:
        """In the lanes' dtype where it holds numbers, wherever it lies."""
        return given.to(self.dtype) if given.is_floating_point() else given

    def on(self, given: Tensor) -> Tensor:
        """The tensor on the device; BadValueError where that has no memory left for it."""
        if not on_device(self.device):
            return self.cast(given.to(self.device))
        if given.device == self.device and (given.dtype == self.dtype or not given.is_floating_point()):
            return given
        version = -1 if given.is_inference() else given._version
        for kept in self.kept:
            if kept.of() is given:
                if kept.version != version or version < 0:
                    kept.tensor.copy_(given)
                    kept.version = version
                return kept.tensor
        wanted = self.dtype if given.is_floating_point() else given.dtype
        for kept in self.kept:  # its owner is gone: written over, so that a graph that reads it by its address goes on
            if kept.of() is None and kept.tensor.shape == given.shape and kept.tensor.dtype == wanted:
                kept.tensor.copy_(given)
                kept.of, kept.version = weakref.ref(given), version
                return kept.tensor
        try:
            tensor = self.cast(given).to(self.device)
        except torch.OutOfMemoryError as error:
            size = given.numel() * given.element_size() / 1e9
            raise BadValueError(
                f"the data ({size:.2g} GB) do not fit the memory that is left on {self.device}; hand in fewer rows at a time"
            ) from error
        self.kept = [*self.kept[-(MOST_KEPT - 1) :], _Kept(weakref.ref(given), version, tensor)]
        return tensor


def moved(module: nn.Module, device: torch.device) -> nn.Module:
    """The module on the device: itself where it is there, else a copy."""
    tensors: list[Any] = [*module.parameters(), *module.buffers()]
    if all(t.device == device for t in tensors):
        return module
    return copy.deepcopy(module).to(device)
