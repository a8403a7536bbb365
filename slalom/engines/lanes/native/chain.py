"""The mechanism `native`: a chain's losses and gradients by one call of compiled C for all lanes of a chunk.

Each lane is run through the whole chain by itself, so that its activations stay in the core's cache, and its numbers do not
depend on the other lanes or on their number.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError, unknown_name
from slalom.engines.kernels.cache import library
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import LOSSES, Loss
from slalom.engines.lanes.mechanism import Buffers, Gradients
from slalom.engines.lanes.native.layers import KINDS, MOST, REAL, WHOLE, Chain, chain
from slalom.engines.lanes.native.parts import Unfit
from slalom.engines.lanes.targets import CROSS_ENTROPY, IGNORED, NAMED, target_fault

FILES = ("gemm.c", "functions.c", "layers.c", "chain.c", "train.c")
FLAGS = ("-O3", "-ffp-contract=fast")  # products and sums in one rounding, as BLAS does them
WIDEST = 64  # numbers of a vector, at most
Plane = tuple[Tensor, Tensor]


def source(dtype: torch.dtype, files: Sequence[str] = FILES) -> str:
    """The whole of the C of these files for lanes of this dtype."""
    head = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n"
    head += "#define DOUBLE\ntypedef double real;\n" if dtype == torch.float64 else "typedef float real;\n"
    head += f"#define MOST {MOST}\n#define IGNORED {IGNORED}\n"
    head += "".join(f"enum {{ {', '.join(names).upper()} }};\n" for names in (KINDS, NAMED))
    head += f"typedef struct {{ int64_t {', '.join(WHOLE)}; double {', '.join(REAL)}; }} Layer;\n"
    return head + "".join((Path(__file__).parent / name).read_text() for name in files)


@cache
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    made = library(source(dtype), ("slalom_run", "slalom_run_each", "slalom_memory", "slalom_train"), FLAGS)
    made.slalom_memory.restype = ctypes.c_int64
    return made


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("lanes", "layers", "batch", "shared", "loss", "row")),
        *((name, ctypes.c_void_p) for name in (
            "layer", "params", "x", "y", "grads", "losses", "outputs", "keys", "buffers", "memory", "frame", "at", "first",
        )),
    ]  # fmt: skip


class Native:
    """See the module. Unfit for a module, loss or dtype that it is not written for."""

    name = "native"
    compacts = 0.0  # a lane left out is a lane saved
    spare = 0

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss) -> None:
        if not isinstance(loss, str):
            raise Unfit("the loss is a function of its own")
        if loss not in LOSSES:
            raise unknown_name("loss", loss, LOSSES)
        self.dtype = next(template.parameters()).dtype
        self.template, self.layout, self.loss = template, layout, NAMED.index(loss)
        self.library = _library(self.dtype)
        self.chains: dict[tuple[int, ...], Chain] = {}
        self.memory: dict[tuple[tuple[int, ...], int], Tensor] = {}

    def chain(self, shape: tuple[int, ...]) -> Chain:
        """The layers for inputs of this shape."""
        if shape not in self.chains:
            self.chains[shape] = chain(self.template, self.layout, shape)
        return self.chains[shape]

    def _memory(self, made: Chain, shape: tuple[int, ...], batch: int) -> Tensor:
        key = (shape, batch)
        if key not in self.memory:
            size = self.library.slalom_memory(
                ctypes.c_int64(len(made.rows)), ctypes.c_void_p(made.rows.ctypes.data), ctypes.c_int64(batch)
            )
            if len(self.memory) >= 4:  # the last batch of an epoch is shorter, that of an evaluation longer
                self.memory.clear()
            self.memory[key] = torch.empty(size, dtype=self.dtype)
        return self.memory[key]

    def _run(self, made: Chain, params: Tensor, x: Tensor, per_lane: bool, held: list[Tensor], **given: Tensor) -> None:
        batch, shape = x.shape[int(per_lane)], tuple(x.shape[1 + per_lane :])
        numbers = [len(params), len(made.rows), batch, int(not per_lane), self.loss, params.stride(0)]
        pointers = {"params": params, "x": x, "memory": self._memory(made, shape, batch), **given}
        buffers = (ctypes.c_void_p * max(1, len(held)))(*(b.data_ptr() for b in held))
        call = _Call(
            *numbers, layer=made.rows.ctypes.data, buffers=ctypes.cast(buffers, ctypes.c_void_p),
            **{k: v.data_ptr() for k, v in pointers.items()},
        )  # fmt: skip
        self.library.slalom_run(ctypes.byref(call))

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        x, y, params = self._inputs(x), y.contiguous(), params.contiguous()
        made = self.chain(tuple(x.shape[1 + per_lane :]))
        batch = x.shape[int(per_lane)]
        y = self._targets(made, y, batch, per_lane)
        if made.norms and batch < 2:
            raise ValueError(f"BatchNorm needs more than 1 sample a batch when training, got {batch}")
        new = dict(buffers)
        new |= {k: buffers[k].contiguous().clone() for k in made.norms}
        new |= {k: buffers[k] + 1 for k in made.counters}
        losses, grads = params.new_empty(len(params)), torch.empty_like(params)
        held = [new[k].contiguous() for k in (*made.norms, *made.shares)]
        self._run(made, params, x, per_lane, held, y=y, grads=grads, losses=losses, keys=keys)
        return Gradients(losses, grads, new)

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        x, params = self._inputs(x), params.contiguous()
        made = self.chain(tuple(x.shape[1:]))
        outputs = params.new_empty(len(params), len(x), math.prod(made.out_shape))
        self._run(made, params, x, False, [buffers[k].contiguous() for k in made.norms], outputs=outputs)
        return outputs.reshape(len(params), len(x), *made.out_shape)

    def losses(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, plane: Plane | None = None) -> Tensor:
        """Evaluation mode: the loss of each lane on one shared batch, `[lanes]`; outputs do not leave the core's cache.

        `plane`: `(frame [3, D], at [lanes, 2])` where `params` are `frame[0] + at @ frame[1:]`. What a first linear layer gives
        is linear in the place too, so it is run for the frame alone and not for every lane.
        """
        x, params = self._inputs(x), params.contiguous()
        made = self.chain(tuple(x.shape[1:]))
        given = {"y": self._targets(made, y.contiguous(), len(x), False), "losses": params.new_empty(len(params))}
        first = made.rows[0]
        if plane is not None and KINDS[first["kind"]] == "linear":
            given |= {name: t.to(self.dtype).contiguous() for name, t in zip(("frame", "at"), plane, strict=True)}
            given["first"] = params.new_empty(3 * int(first["out"]) * (len(x) + WIDEST))
        self._run(made, params, x, False, [buffers[k].contiguous() for k in made.norms], **given)
        return given["losses"]

    def _inputs(self, x: Tensor) -> Tensor:
        if x.dtype != self.dtype:
            raise Unfit(f"inputs are {x.dtype}, parameters {self.dtype}")
        return x.contiguous()

    def chains_of(self, lanes: int, buffers: Buffers, shape: tuple[int, ...]) -> list[Chain]:
        """Each lane's chain: the same."""
        return [self.chain(shape)] * lanes

    def _targets(self, made: Chain, y: Tensor, batch: int, per_lane: bool) -> Tensor:
        """Targets as the C reads them; BadValueError for those that do not fit the outputs."""
        fault = target_fault(y.flatten(0, int(per_lane)), batch * (len(y) if per_lane else 1), made.out_shape, self.loss)
        if fault:
            raise BadValueError(fault)
        return y.to(torch.int64 if self.loss == CROSS_ENTROPY else self.dtype)


__all__ = ["CROSS_ENTROPY", "IGNORED", "Native", "Unfit", "source", "target_fault"]
