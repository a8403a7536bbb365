"""The four calls of CUDA's driver that a compiled kernel needs: load a module, find its functions, launch, say what went wrong.

They work in the context that torch has made current, on whatever stream they are given; nothing here waits for the device.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from slalom.core.errors import SlalomError
from slalom.engines.kernels.compiler import NoCompilerError

NO_CONTEXT = 201  # CUDA_ERROR_INVALID_CONTEXT


class DriverError(SlalomError, RuntimeError):
    """The CUDA driver refused a call."""


class Driver:
    """The driver's library with its calls' types."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        number, pointer = ctypes.c_uint, ctypes.c_void_p
        self.launch = library.cuLaunchKernel
        self.launch.argtypes = [pointer, *[number] * 7, pointer, pointer, pointer]
        self.launch.restype = ctypes.c_int
        library.cuModuleLoadData.argtypes = [pointer, ctypes.c_char_p]
        library.cuModuleGetFunction.argtypes = [pointer, pointer, ctypes.c_char_p]
        library.cuGetErrorString.argtypes = [ctypes.c_int, pointer]

    def load(self, image: bytes) -> ctypes.c_void_p:
        """A module of the current context; it stays loaded as long as the process runs."""
        module = ctypes.c_void_p()
        self.check(self._library.cuModuleLoadData(ctypes.byref(module), image), "load a kernel")
        return module

    def function(self, module: ctypes.c_void_p, name: str) -> int:
        """The handle of a kernel of the module."""
        found = ctypes.c_void_p()
        self.check(self._library.cuModuleGetFunction(ctypes.byref(found), module, name.encode()), f"find the kernel {name}")
        assert found.value is not None
        return found.value

    def check(self, code: int, what: str) -> None:
        """DriverError unless the code is 0."""
        if code:
            said = ctypes.c_char_p()
            self._library.cuGetErrorString(code, ctypes.byref(said))
            raise DriverError(f"the CUDA driver could not {what}: {(said.value or b'unknown error').decode()} ({code})")


class Launch:
    """One kernel with its arguments kept as C values: set those that change, then call it.

    The driver copies the arguments at the launch, so they may change as soon as the call has returned. `bind` makes the
    device's context current in this thread, where it is not yet: a thread's first call is through the driver, not torch.
    """

    def __init__(
        self, driver: Driver, function: int, block: int, arguments: Sequence[Any], bind: Callable[[], None]
    ) -> None:  # fmt: skip
        self._driver, self._bind = driver, bind
        self._function = function
        self._block = block
        self.arguments = list(arguments)
        self._pointers = (ctypes.c_void_p * len(self.arguments))(*map(ctypes.addressof, self.arguments))

    def __call__(self, blocks: int, stream: int) -> None:
        given = (self._function, blocks, 1, 1, self._block, 1, 1, 0, stream, self._pointers, None)
        code = self._driver.launch(*given)
        if code == NO_CONTEXT:
            self._bind()
            code = self._driver.launch(*given)
        if code:
            self._driver.check(code, "launch the optimizer's step")


@lru_cache(maxsize=1)
def driver() -> Driver:
    """The machine's CUDA driver; NoCompilerError where there is none."""
    try:
        return Driver(ctypes.CDLL("libcuda.so.1"))
    except OSError as error:
        raise NoCompilerError(f"the CUDA driver's library cannot be loaded: {error}") from None
