"""A CUDA device played by the processor: the very source that NVRTC gets, compiled as C++, behind the driver's calls.

What it shows: the kernels' arithmetic and indexing, what the step does on the host, how arguments are passed, and what a
captured graph replays. What it cannot show: NVRTC's machine code, and that the real driver and torch's streams do as said.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import subprocess
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from slalom.engines.kernels.cuda.driver import Driver
from slalom.engines.kernels.cuda.gpu import Gpu

HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-w")


def compiled(source: Path, target: Path, *flags: str) -> Path:
    subprocess.run(["c++", *FLAGS, *flags, str(source), "-o", str(target), "-lm"], check=True)
    return target


class Emulated(Gpu):
    """The device: `cpu` tensors are its memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = ctypes.CDLL(str(compiled(HERE / "runtime.cpp", folder / "runtime.so")), ctypes.RTLD_GLOBAL)
        super().__init__(torch.device("cpu"), Driver(self.library))
        self.recording = False

    def image(self, source: str) -> bytes:
        name = hashlib.sha256(source.encode()).hexdigest()[:24]
        made = self.folder / f"{name}.so"
        if not made.exists():
            text = self.folder / f"{name}.cpp"
            text.write_text(
                "\n".join(['#include "shim.h"', source, *(f"EMULATE({k})" for k in re.findall(r"^KERNEL (\w+)", source, re.M))])
            )
            compiled(text, made, f"-I{HERE}")
        return str(made).encode() + b"\0"

    def stream(self) -> int:
        return 0

    def capturing(self) -> bool:
        return self.recording

    def current(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def bind(self) -> None:
        self.has_context(True)

    def has_context(self, there: bool) -> None:
        """Whether this thread has a context; without one every launch is refused."""
        ctypes.c_int.in_dll(self.library, "emulated_context").value = int(there)

    def launches(self) -> int:
        return ctypes.c_int.in_dll(self.library, "emulated_launches").value

    def capture(self) -> Graph:
        return Graph(self)


class Graph:
    """`with device.capture() as graph:` records launches instead of running them; `graph.replay()` runs them."""

    def __init__(self, device: Emulated) -> None:
        self.device = device

    def __enter__(self) -> Graph:
        self.number = self.device.library.emulated_begin()
        self.device.recording = True
        return self

    def __exit__(self, *error: object) -> None:
        self.device.recording = False
        self.device.library.emulated_end()

    def replay(self) -> None:
        self.device.library.emulated_replay(self.number)
