"""A rule's compiled step on rows of a matrix: one row a lane, one row of coefficients each."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines.kernels import cache
from slalom.engines.kernels.report import StepReport
from slalom.engines.kernels.source import CHUNK, LOG_BYTES, lane_source, state_order
from slalom.engines.printers.c import c_body
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.tree import Program, program

Array = NDArray[Any]
_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
PROGRAMS = 256  # whose C is remembered
PARALLEL_FROM = 32768  # elements in all below which starting the threads costs more than it saves


def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name, "float32" or "float64"; BadValueError for anything else."""
    if dtype not in _DTYPES:
        raise BadValueError(f"a lane's dtype must be torch.float32 or torch.float64, got {dtype}")
    return _DTYPES[dtype]


class StepInC(NamedTuple):
    """The address of `slalom_step` (see source.py) and what it takes: states in order, numbers in a row of coefficients.

    `log`: bytes of its workspace, for rows of up to `logged` elements; `chunks` numbers and bytes for the parts of longer ones.
    """

    address: int
    states: list[str]
    coefficients: int
    log: int
    logged: int
    chunks: int


@dataclass(frozen=True)
class _Printed:
    """A program as C, which only its rule, options, gates and dtype decide."""

    program: Program
    states: list[str]
    changed: int
    coefficients: int
    tape: HostTape
    source: str


_printed: dict[tuple[Rule, tuple[Any, ...], torch.dtype], _Printed] = {}


def _print(settings: Settings, dtype: torch.dtype) -> _Printed:
    key = (settings.rule, settings.program, dtype)
    if key not in _printed:
        made = program(settings)
        body = c_body(made)
        tape = HostTape(made, [*body.coefficients, *(made.states[name] for name in made.scalar_states)])
        text = lane_source(body, dtype_name(dtype), f"{settings.rule.name}: {settings.program!r}")
        if len(_printed) >= PROGRAMS:
            _printed.clear()
        _printed[key] = _Printed(made, state_order(body), len(body.outputs), len(body.coefficients), tape, text)
    return _printed[key]


class Kernel:
    """The compiled step of one program (rule, options, gates) for one dtype; made by `compile_program`.

    `element_states`: the states that are matrices. `scalar_states`: those that are one float64 a lane.
    """

    compiled = True

    def __init__(self, settings: Settings, dtype: torch.dtype) -> None:
        self.settings = settings
        self.dtype = dtype
        printed = _print(settings, dtype)
        self.element_states = printed.program.element_states
        self.scalar_states = printed.program.scalar_states
        self._used = printed.states  # the states that the C code reads or writes, in its order
        self._changed = printed.changed
        self._count = max(1, printed.coefficients)
        self._tape = printed.tape
        self._coefficients = printed.coefficients
        self.source = printed.source
        self._library: ctypes.CDLL | None = None
        self._buffers = threading.local()

    def __repr__(self) -> str:
        return f"<kernel {self.settings.rule.name} {dtype_name(self.dtype)}>"

    def compile(self) -> Kernel:
        """Load the library, building it when it is not in the store."""
        if self._library is None:
            self._library = cache.library(self.source)
        return self

    def coefficients(
        self, values: Mapping[str, Any], t: Any, scalars: Mapping[str, Any] | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """`(coefficients [n, n_coef] float64, new scalar states {name: [n]})` for the lanes of a step.

        `values`: each hyper as a number or an array [n]; `t`: the step, counted from 1, a number or an array [n];
        `scalars`: the scalar states [n]. n is the longest of them.
        """
        given = [*values.values(), t, *(scalars or {}).values()]
        n = max((v.shape[0] for v in map(np.asarray, given) if v.ndim == 1), default=1)
        made = self._tape.run(values, t, scalars or {})
        rows = np.zeros((n, self._count))
        for k in range(self._coefficients):
            rows[:, k] = made[k]
        after = made[self._coefficients :]
        new = {k: np.array(np.broadcast_to(v, n), np.float64) for k, v in zip(self.scalar_states, after, strict=True)}
        return rows, new

    def step(
        self,
        P: torch.Tensor,
        G: torch.Tensor,
        states: Mapping[str, torch.Tensor],
        rows: Any,
        coefficients: Array,
        *,
        scale: Any = None,
        clip: Any = None,
        skip: Any = None,
        state_rows: Any = None,
        threads: int | None = None,
    ) -> StepReport:
        """Step the given rows in place; see the package's description for shapes and semantics."""
        library = self.compile()._library
        assert library is not None
        call = RowCall(self, P, G, states, rows, coefficients, scale, clip, skip, state_rows)
        n, width = call.n, P.shape[1]
        squares, status = np.empty(n), np.empty(n, np.uint8)
        if n == 0:
            return StepReport(squares, status)
        threads = _threads(threads, n * width)
        itemsize = P.element_size()
        workspace = partial = ok = None
        if self._changed * width * itemsize <= LOG_BYTES:
            workspace = self._buffer("workspace", threads * self._changed * width * itemsize)
        else:
            tasks = n * -(-width // CHUNK)
            partial, ok = self._buffer("partial", tasks * 8), self._buffer("ok", tasks)
        used = [call.states[k] for k in self._used]
        pointers = (ctypes.c_void_p * max(1, len(used)))(*(s.data_ptr() for s in used))
        strides = (ctypes.c_int64 * max(1, len(used)))(*(s.stride(0) for s in used))
        library.slalom_step(
            ctypes.c_int64(n), _at(call.rows), _at(call.state_rows), ctypes.c_int64(width),
            ctypes.c_void_p(P.data_ptr()), ctypes.c_int64(P.stride(0)),
            ctypes.c_void_p(G.data_ptr()), ctypes.c_int64(G.stride(0)), pointers, strides,
            _at(call.coefficients), _at(call.scale), _at(call.clip), _at(call.skip), _at(squares), _at(status),
            ctypes.c_int(threads), _at(workspace), _at(partial), _at(ok),
        )  # fmt: skip
        return StepReport(squares, status)

    def in_c(self, width: int) -> StepInC:
        """What other C code needs to call this kernel's step for rows of this many elements, one at a time."""
        library = self.compile()._library
        assert library is not None
        each = self._changed * self.dtype.itemsize
        logged = LOG_BYTES // each
        address = ctypes.cast(library.slalom_step, ctypes.c_void_p).value
        assert address is not None
        return StepInC(address, self._used, self._count, each * min(width, logged), logged, -(-width // CHUNK))

    def _buffer(self, name: str, size: int) -> Array:
        """Scratch memory of this Python thread, kept between steps."""
        held: Array | None = getattr(self._buffers, name, None)
        if held is None or held.size < size:
            held = np.empty(size, np.uint8)
            setattr(self._buffers, name, held)
        return held

    def norms(self, G: torch.Tensor, rows: Any, threads: int | None = None) -> tuple[Array, Array]:
        """`(squared norm float64 [n], finite bool [n])` of rows of a matrix; the same sums as `step` reports."""
        library = self.compile()._library
        assert library is not None
        check_matrix("G", G, self.dtype, None)
        at = check_rows("rows", rows, G.shape[0])
        squares, finite = np.empty(at.size), np.empty(at.size, np.uint8)
        library.slalom_norms(
            ctypes.c_int64(at.size), _at(at), ctypes.c_int64(G.shape[1]), ctypes.c_void_p(G.data_ptr()),
            ctypes.c_int64(G.stride(0)), _at(squares), _at(finite), ctypes.c_int(_threads(threads, at.size * G.shape[1])),
        )  # fmt: skip
        return squares, finite.astype(bool)


class RowCall:
    """The checked arguments of a step, as contiguous arrays."""

    def __init__(
        self, kernel: Any, P: torch.Tensor, G: torch.Tensor, states: Mapping[str, torch.Tensor], rows: Any,
        coefficients: Array, scale: Any, clip: Any, skip: Any, state_rows: Any,
    ) -> None:  # fmt: skip
        name = kernel.settings.rule.name
        check_matrix(f"{name}: P", P, kernel.dtype, None)
        check_matrix(f"{name}: G", G, kernel.dtype, tuple(P.shape))
        missing = [k for k in kernel.element_states if k not in states]
        if missing:
            raise BadValueError(f"{name}: states must hold {', '.join(kernel.element_states)}; {missing[0]!r} is missing")
        self.states = {k: states[k] for k in kernel.element_states}
        self.rows = check_rows("rows", rows, P.shape[0])
        self.n = self.rows.size
        heights = [s.shape[0] for s in self.states.values()]
        self.state_rows = self.rows
        if state_rows is not None:
            self.state_rows = check_rows("state_rows", state_rows, min(heights, default=1 << 62))
        elif heights and self.n and min(heights) <= int(self.rows.max()):
            raise BadValueError(f"{name}: a state has {min(heights)} rows, rows asks for {self.rows.max()}; give state_rows")
        if self.state_rows.size != self.n:
            raise BadValueError(f"{name}: state_rows must be as many as rows ({self.n}), got {self.state_rows.size}")
        self.coefficients = np.ascontiguousarray(coefficients, np.float64)
        if self.coefficients.shape != (self.n, kernel._count):
            wanted = (self.n, kernel._count)
            raise BadValueError(f"{name}: coefficients must have shape {wanted}, got {self.coefficients.shape}")
        self.scale = per_row(f"{name}: scale", scale, self.n, np.float64)
        self.clip = per_row(f"{name}: clip", clip, self.n, np.float64)
        self.skip = per_row(f"{name}: skip", skip, self.n, np.uint8)


CPU = torch.device("cpu")


def check_matrix(
    what: str, x: torch.Tensor, dtype: torch.dtype, shape: tuple[int, ...] | None, device: torch.device = CPU
) -> None:
    """BadValueError unless x is a matrix of that dtype (and shape) on that device whose rows are contiguous."""
    good = x.dim() == 2 and x.dtype == dtype and x.device == device and (x.shape[1] < 2 or x.stride(1) == 1)
    if not good or (shape is not None and tuple(x.shape) != shape):
        wanted = "[lanes, elements]" if shape is None else list(shape)
        raise BadValueError(
            f"{what} must be a {str(device).upper()} matrix {wanted} of {dtype} with contiguous rows, "
            f"got {list(x.shape)} of {x.dtype} on {x.device} with strides {x.stride()}"
        )


def check_rows(what: str, rows: Any, height: int) -> NDArray[np.int64]:
    """Row indices as a contiguous int64 array; BadValueError where one is outside the matrix or given twice."""
    at = np.ascontiguousarray(rows, np.int64)
    if at.ndim != 1 or (at.size and (at.min() < 0 or at.max() >= height)):
        raise BadValueError(f"{what} must be row numbers in [0, {height}), got {at.tolist()}")
    if np.unique(at).size != at.size:
        raise BadValueError(f"{what} must name each row once, got {at.tolist()}")
    return at


def per_row(what: str, given: Any, n: int, dtype: Any) -> Array | None:
    if given is None:
        return None
    made = np.ascontiguousarray(np.broadcast_to(np.asarray(given, dtype), (n,)) if np.ndim(given) == 0 else given, dtype)
    if made.shape != (n,):
        raise BadValueError(f"{what} must be one value or one a row ({n}), got shape {made.shape}")
    return made


def _at(array: Array | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def _threads(asked: int | None, elements: int) -> int:
    if asked is not None:
        return max(1, asked)
    return torch.get_num_threads() if elements >= PARALLEL_FROM else 1


def compile_programs(settings: Sequence[Settings], dtype: torch.dtype = torch.float32) -> list[Kernel]:
    """Kernels of several programs, compiled side by side on as many processes as there are processors.

    Raises NoCompilerError without a working compiler, LanguageError for a rule that does not print as C, StoreError
    where the store of libraries is unsafe. The same program is built once.
    """
    made: dict[tuple[Any, ...], Kernel] = {}
    for s in settings:
        if s.program not in made:
            made[s.program] = Kernel(s, dtype)
    with ThreadPoolExecutor(max_workers=max(1, min(len(made), os.cpu_count() or 1))) as pool:
        list(pool.map(Kernel.compile, made.values()))
    return [made[s.program] for s in settings]


def compile_program(settings: Settings, dtype: torch.dtype = torch.float32) -> Kernel:
    """The kernel of one program; see `compile_programs`."""
    return compile_programs([settings], dtype)[0]
