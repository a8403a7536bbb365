"""NVRTC, NVIDIA's compiler as a library, called through ctypes: CUDA source in, machine code for one kind of GPU out.

Torch's CUDA builds bring the library along (a dependency of their wheels, loaded when torch's own kernels need it), so
nothing is installed for this. torch has a helper of its own (`torch.cuda._compile_kernel`), which is not used here: it is
private, looks for the CUDA toolkit's headers and compiler flags through `torch.utils.cpp_extension` at every call, keeps
nothing on disk, and its launcher passes Python integers as 32 bits and no structs. `cuda-python` would be one dependency more.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import torch

from slalom.engines.kernels.compiler import NoCompilerError

# No fused multiply-add: the numbers are those of the CPU's compiled step. Roots and divisions are rounded correctly by default.
OPTIONS = ("--std=c++17", "--fmad=false")


class Nvrtc:
    """A loaded NVRTC: its version, the architectures it knows, `compile`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for name in ("nvrtcGetErrorString",):
            getattr(library, name).restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self.version = (major.value, minor.value)
        count = ctypes.c_int()
        self._check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        known = (ctypes.c_int * count.value)()
        self._check(library.nvrtcGetSupportedArchs(known))
        self.architectures = sorted(known)

    def target(self, capability: tuple[int, int]) -> str:
        """What to compile for: machine code for this GPU, or where it is newer than this NVRTC, PTX for the driver."""
        wanted = capability[0] * 10 + capability[1]
        if wanted in self.architectures:
            return f"sm_{wanted}"
        older = [a for a in self.architectures if a < wanted]
        if not older:
            low, version = self.architectures[0], ".".join(map(str, self.version))
            raise NoCompilerError(
                f"NVRTC {version} compiles for compute capability {low // 10}.{low % 10} and newer, this GPU has "
                f"{capability[0]}.{capability[1]}; install a torch built for an older CUDA"
            )
        return f"compute_{older[-1]}"

    def compile(self, source: str, target: str) -> bytes:
        """The image (cubin for "sm_90", PTX for "compute_90") of a source; NoCompilerError with the compiler's words."""
        library, made = self._library, ctypes.c_void_p()
        self._check(library.nvrtcCreateProgram(ctypes.byref(made), source.encode(), b"slalom.cu", 0, None, None))
        try:
            options = [f"--gpu-architecture={target}".encode(), *(o.encode() for o in OPTIONS)]
            failed = library.nvrtcCompileProgram(made, len(options), (ctypes.c_char_p * len(options))(*options))
            if failed:
                words = self._bytes(made, "nvrtcGetProgramLog").decode(errors="replace").strip("\0\n ")
                raise NoCompilerError(f"NVRTC cannot compile a kernel for {target}: {words[-800:]}")
            return self._bytes(made, "nvrtcGetCUBIN" if target.startswith("sm_") else "nvrtcGetPTX")
        finally:
            library.nvrtcDestroyProgram(ctypes.byref(made))

    def _bytes(self, made: ctypes.c_void_p, name: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self._library, f"{name}Size")(made, ctypes.byref(size)))
        room = ctypes.create_string_buffer(size.value)
        self._check(getattr(self._library, name)(made, room))
        return room.raw

    def _check(self, code: int) -> None:
        if code:
            raise NoCompilerError(f"NVRTC: {self._library.nvrtcGetErrorString(code).decode()}")


def _paths() -> Iterator[str]:
    """Where NVRTC may be, the one of torch's own CUDA version first: loaded or on the linker's path, then NVIDIA's wheels."""
    own = (torch.version.cuda or "").split(".")[0]
    majors = dict.fromkeys([own, "13", "12"] if own else ["13", "12"])
    yield from (f"libnvrtc.so.{major}" for major in majors)
    found = importlib.util.find_spec("nvidia")
    for root in (found.submodule_search_locations or []) if found is not None else []:
        for major in majors:
            yield from (str(path) for path in sorted(Path(root).glob(f"*/lib/libnvrtc.so.{major}")))
    yield "libnvrtc.so"


@lru_cache(maxsize=1)
def nvrtc() -> Nvrtc:
    """The NVRTC of this process; NoCompilerError where there is none."""
    for path in _paths():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        return Nvrtc(library)
    raise NoCompilerError("NVRTC is not found (libnvrtc.so); a CUDA build of torch brings it: `pip install nvidia-cuda-nvrtc`")
