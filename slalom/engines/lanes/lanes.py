"""Many copies of one model, trained side by side as one program."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.blocks import compiled
from slalom.engines.lanes.choose import Choice, choose
from slalom.engines.lanes.chunk import Chunk, Retirement
from slalom.engines.lanes.cuda import stage as stages
from slalom.engines.lanes.cuda.place import Data, device_of, moved, on_device
from slalom.engines.lanes.cuda.room import FEW, Room, room_for
from slalom.engines.lanes.cuda.run import DeviceRun, why_step_by_step
from slalom.engines.lanes.dropout import plain
from slalom.engines.lanes.factors import Floats
from slalom.engines.lanes.given import check_batches, check_rows, like
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.layout import Layout, aliases
from slalom.engines.lanes.losses import Loss
from slalom.engines.lanes.making import chunk_size, modules_of
from slalom.engines.lanes.update import kernels_for, thresholds
from slalom.engines.lanes.workers import map_chunks

EVALUATION_BATCH = 1024

T = TypeVar("T")
logger = logging.getLogger("slalom.lanes")  # at level INFO it is told how lanes run


class Lanes:
    """Train N copies of one `nn.Module`, each lane with its own rule, hypers, seed, schedule and clipping.

    `model`: a factory, called right after `torch.manual_seed(lane.seed)`; a module that is copied; or one module a lane, which
    may differ in what they hold and share the names and shapes of what is trained.
    `lanes`: one `Lane` each (see `lanes_of`). `loss`: `"cross_entropy"`, `"mse"`, or a callable of one lane's outputs and
    targets. `example`: a batch `(x, y)` like those to come, by which the mechanism is chosen. `mechanism`: `"auto"`, or
    `"native"`, `"stacked"`, `"traced"`, `"vmap"`, `"solo"`; a `Choice` of one's own is taken as it is. `dtype`: of parameters
    and buffers. `chunk`: lanes that a thread trains together; `threads`: how many share them (torch's setting). `device`: where
    they run, the processor or a CUDA device; None: the CUDA device that the model or the example lies on, else the processor.
    Data are put there once. On a GPU a lane equals its run alone to rounding, not to the bit whoever its neighbours are.

    `notes`: what the person should know, such as a slower way that had to be taken.

    A lane that turns non-finite retires alone (`retired`); the others' numbers are the same to the bit as without it.

    >>> import slalom, torch
    >>> x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
    >>> many = slalom.lanes_of("adam", lr=[1e-3, 1e-2, 1e-1]) + slalom.lanes_of("sgd", lr=0.1, momentum=0.9)
    >>> lanes = slalom.Lanes(lambda: torch.nn.Linear(4, 3), many, loss="cross_entropy", example=(x, y))
    >>> loss, grad_norm = lanes.step(x, y)
    >>> loss.shape, lanes.module(2)
    ((4,), Linear(in_features=4, out_features=3, bias=True))
    """

    def __init__(
        self, model: nn.Module | Callable[[], nn.Module] | Sequence[nn.Module], lanes: Sequence[Lane], *, loss: str | Loss,
        example: tuple[Tensor, Tensor], mechanism: str | Choice = "auto", dtype: torch.dtype = torch.float32,
        chunk: int | None = None, threads: int | None = None, device: str | torch.device | None = None,
    ) -> None:  # fmt: skip
        if not lanes:
            raise BadValueError("there are no lanes to train; give at least one")
        if dtype not in (torch.float32, torch.float64):
            raise BadValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
        if chunk is not None and (isinstance(chunk, bool) or chunk < 1):
            raise BadValueError(f"chunk must be a whole number of lanes >= 1, got {chunk!r}")
        self.lanes = list(lanes)
        self.dtype = dtype
        self._threads = threads or torch.get_num_threads()
        modules = modules_of(model, self.lanes, dtype)
        self.device = device_of(device, modules, example)
        self._stage = stages.stage(self.device) if on_device(self.device) else None
        self._data = Data(self.device, dtype)
        self._template = moved(modules[0], self.device)
        self.layout = Layout.of(self._template)
        self._loss = loss
        self._size, self._example = chunk, (self._data.on(example[0]), self._data.on(example[1]))
        if isinstance(mechanism, Choice):
            self.choice = mechanism
        else:
            self.choice = choose(self._template, self.layout, loss, *self._example, mechanism, self._tried(len(lanes)))
        self._kernels, slower = kernels_for(lanes, dtype, self._stage)
        self.notes = [slower] if slower else []
        if self.choice.slower:
            self.notes.append(f"lanes run {self.choice.why}")
        self.room: Room | None = None
        if self._stage is not None:
            self.room = room_for(
                self._stage, self.choice, self._template, self.layout, loss, *self._example, lanes, self._kernels
            )
        self._chunks = self._make_chunks(modules, chunk)
        self._note_steps()
        logger.info("%s", self.explain())

    def _tried(self, lanes: int) -> int:
        """Lanes that a mechanism is tried on."""
        return min(FEW if self._stage else self._size or chunk_size(lanes, self._threads), lanes)

    def _note_steps(self) -> None:
        """Says once why steps on a GPU wait for the host, or are not replayed as a graph."""
        if self._stage is None:
            return
        for chunk in self._chunks:
            if isinstance(chunk.blocks, DeviceRun):
                fault = chunk.blocks.fault
                note = None if fault is None else f"lanes on {self.device} run without a graph, several times slower: {fault}"
            else:
                note = f"lanes on {self.device} go step by step, each waiting for the GPU: {why_step_by_step(chunk)}"
            if note is not None and note not in self.notes:
                self.notes.append(note)
                if isinstance(chunk.blocks, DeviceRun):  # found out later than those who read the notes at once would see
                    warnings.warn(note, RuntimeWarning, stacklevel=3)

    def _map(self, work: Callable[[Chunk], T], x: Tensor) -> list[T]:
        """The work of each chunk on `x`: on all cores, or one after another on the GPU."""
        with like(self._example[0], x):
            if self._stage is None:
                return map_chunks(work, self._chunks)
            with self._stage.here():
                return [work(chunk) for chunk in self._chunks]

    def _make_chunks(self, modules: Sequence[nn.Module], chunk: int | None = None) -> list[Chunk]:
        order = sorted(range(len(self.lanes)), key=self._kind)
        if self.room is not None:
            size = chunk or self.room.chunk()
        else:
            size = chunk or chunk_size(len(order), self._threads, self.choice.name)
        # A chunk goes by blocks of steps if all its lanes can: those that cannot have chunks of their own, so that a lane's
        # way does not depend on its company.
        able = self._stage is not None or self.choice.name == "native"
        blocks = [able and compiled(lane, self._kernels) for lane in self.lanes]
        parts = [[i for i in order if blocks[i] == way] for way in (True, False)]
        return [self._make_chunk(part[i : i + size], modules) for part in parts for i in range(0, len(part), size)]

    def _kind(self, i: int) -> Any:
        return tuple(map(str, self.lanes[i].optimizer.program)), thresholds(self.lanes[i])

    def _make_chunk(self, numbers: list[int], modules: Sequence[nn.Module]) -> Chunk:
        lanes = [self.lanes[i] for i in numbers]
        mechanism = self.choice.make(self._template, self.layout, self._loss)
        if self._stage is not None:
            mechanism.spare = 0  # those are for the processor's vector loops
        own = [modules[i] for i in numbers]
        return Chunk(numbers, lanes, own, self.layout, mechanism, self._kernels, self.dtype, self._stage)

    def only(self, lanes: Sequence[int]) -> Lanes:
        """These lanes alone, from where they stand, numbered anew in the order given; the same to the bit as with the others.

        The work of the rest ends. What has been here stays as it is, so it can go on too.

        >>> import slalom, torch
        >>> x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
        >>> every = slalom.Lanes(lambda: torch.nn.Linear(4, 3), slalom.lanes_of("sgd", lr=[1, .1, .01]),
        ...                      loss="cross_entropy", example=(x, y))
        >>> _ = every.step(x, y)
        >>> two = every.only([2, 0])
        >>> [lane.lr for lane in two.lanes], two.t
        ([0.01, 1.0], 1)
        """
        for i in lanes:
            if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < len(self.lanes):
                raise BadValueError(f"lanes must be numbers in 0..{len(self.lanes) - 1}, got {i!r}")
        if not lanes or len(set(lanes)) != len(lanes):
            raise BadValueError(f"lanes must name at least one lane, each once; got {list(lanes)}")
        made = copy.copy(self)
        made.lanes = [self.lanes[i] for i in lanes]
        made.notes = list(self.notes)
        made._chunks = made._make_chunks([self._template] * len(lanes))
        place = {number: (chunk, row) for chunk in self._chunks for row, number in enumerate(chunk.numbers)}
        for chunk in made._chunks:
            for row, number in enumerate(chunk.numbers):
                chunk.take(row, *place[int(lanes[number])])
        return made

    def __len__(self) -> int:
        return len(self.lanes)

    def _gather(self, parts: Sequence[Floats]) -> Floats:
        """Per-chunk arrays `[..., lanes of the chunk]` -> `[..., lanes]` in the order of `self.lanes`."""
        out = np.full((*parts[0].shape[:-1], len(self.lanes)), np.nan)
        for chunk, part in zip(self._chunks, parts, strict=True):
            out[..., chunk.numbers] = part
        return out

    def step(self, x: Tensor, y: Tensor) -> tuple[Floats, Floats]:
        """One step of every lane on one shared batch `x [batch, ...]`, `y`: loss and gradient norm `[lanes]`."""
        losses, norms = self.epoch(x, y, [torch.arange(len(x))])
        return losses[0], norms[0]

    def epoch(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        """Steps over `batches` of indices into x and y: `[batch]`, shared by all lanes, or `[lanes, batch]`, one's own each.

        Returns training loss and gradient norm, `[steps, lanes]`; NaN after a lane has retired or been stopped.
        """
        check_rows(x, y)
        check_batches(batches, len(self.lanes))
        x, y = self._data.on(x), self._data.on(y)

        def work(chunk: Chunk) -> tuple[Floats, Floats]:
            return chunk.epoch(x, y, [b if b.dim() == 1 else b[chunk.numbers] for b in batches])

        done = self._map(work, x)
        self._note_steps()
        return self._gather([d[0] for d in done]), self._gather([d[1] for d in done])

    def evaluate(
        self, x: Tensor, y: Tensor, measures: Sequence[Callable[[Tensor, Tensor], Tensor]], stopped: Sequence[int] = ()
    ) -> Floats:
        """Measures `f(outputs [n, ...], targets [n, ...])` of every lane in evaluation mode: `[measures, lanes]`.

        NaN for lanes that have retired or been stopped, but for those in `stopped`.
        """
        check_rows(x, y)
        x, y = self._data.on(x), self._data.cast(y).cpu()

        def work(chunk: Chunk) -> Floats:
            return chunk.evaluate(x, y, measures, EVALUATION_BATCH, [k for k in stopped if k in chunk.numbers])

        return self._gather(self._map(work, x))

    def predict(self, x: Tensor) -> Tensor:
        """Outputs `[lanes, n, ...]` in evaluation mode (a retired lane's are those of its last finite state)."""
        check_rows(x)
        x = self._data.on(x)
        parts = self._map(lambda c: c.outputs(x, EVALUATION_BATCH), x)
        out = parts[0].new_empty(len(self.lanes), *parts[0].shape[1:])
        for chunk, part in zip(self._chunks, parts, strict=True):
            out[chunk.numbers] = part
        return out

    def stop(self, lanes: Sequence[int]) -> None:
        """Train these lanes no further: curves and measures are NaN from here on, what they hold is kept, the others run faster.

        >>> import slalom, torch
        >>> x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
        >>> two = slalom.lanes_of("sgd", lr=[0.1, 0.2])
        >>> made = slalom.Lanes(lambda: torch.nn.Linear(4, 3), two, loss="cross_entropy", example=(x, y))
        >>> made.stop([0])
        >>> [bool(v == v) for v in made.step(x, y)[0]]
        [False, True]
        """
        for k in lanes:
            self._chunk_of(k)
        for chunk in self._chunks:
            chunk.stop([k for k in lanes if k in chunk.numbers])

    def _chunk_of(self, lane: int) -> Chunk:
        chunk = next((c for c in self._chunks if lane in c.numbers), None)
        if chunk is None:
            raise BadValueError(f"lane must be one of 0..{len(self.lanes) - 1}, got {lane!r}")
        return chunk

    @property
    def t(self) -> int:
        """Steps so far."""
        return self._chunks[0].t

    @property
    def retired(self) -> dict[int, Retirement]:
        """Lanes that turned non-finite, by number."""
        return {r.lane: r for chunk in self._chunks for r in chunk.retired}

    def weights(self, lane: int) -> dict[str, Tensor]:
        """A lane's `state_dict`, under the module's own names; of its last finite state if it has retired."""
        held = self._held(lane)
        return {k: held[name].clone() for k, name in aliases(self._template).items()}

    def _held(self, lane: int) -> dict[str, Tensor]:
        """All that a lane holds, tied tensors once."""
        chunk = self._chunk_of(lane)
        row = chunk.numbers.index(lane)
        trained = {k: v[0] for k, v in self.layout.split(chunk.params[row : row + 1]).items()}
        return trained | {k: v[row] for k, v in chunk.buffers.items()}

    def module(self, lane: int) -> nn.Module:
        """A lane's model as a module of its own."""
        module = copy.deepcopy(self._template)
        held = self._held(lane)
        with torch.no_grad():
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                tensor.copy_(held[name])
        return plain(module)

    def restore(self, lane: int, weights: Mapping[str, Tensor]) -> None:
        """Puts back what `weights(lane)` gave before; the optimizer's state stays as it is."""
        held = {name: weights[k] for k, name in aliases(self._template).items()}
        chunk = self._chunk_of(lane)
        row = chunk.numbers.index(lane)
        for name, view in self.layout.split(chunk.params[row : row + 1]).items():
            view[0].copy_(held[name])
        for name, buffer in chunk.buffers.items():
            if name in held:  # what is no part of a state dict has not changed
                buffer[row].copy_(held[name])

    def explain(self) -> str:
        """Which mechanism runs the lanes and why: what was measured, and layer by layer where it differs."""
        sizes = sorted({len(c.lanes) for c in self._chunks}, reverse=True)
        shape = f"{len(self._chunks)} chunks of up to {sizes[0]}" if len(self._chunks) > 1 else "one chunk"
        whole = [chunk.blocks is not None for chunk in self._chunks]
        steps = (
            "" if not any(whole) or self._stage else ", whole steps in C" if all(whole) else ", whole steps in C in some of them"
        )
        head = f"{len(self.lanes)} lanes, {self.choice.name} ({self.choice.why}), {shape}{steps}"
        return "\n".join([head, *(f"  {line}" for line in [*self._on_device(), *self.choice.layers()])])

    def _on_device(self) -> list[str]:
        """How steps run on a GPU, and how many lanes its memory holds."""
        if self.room is None:
            return []
        ways = [
            c.blocks.told() if isinstance(c.blocks, DeviceRun) else f"step by step: {why_step_by_step(c)}" for c in self._chunks
        ]
        return [f"on {self.device}: {'; '.join(dict.fromkeys(ways))}", self.room.told()]

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on to the bit: tensors, numbers and strings only (loads with `weights_only=True`)."""
        schedules: list[Any] = [lane.schedule for lane in self.lanes]
        own = {i: schedule for i, schedule in enumerate(schedules) if hasattr(schedule, "state_dict")}
        return {
            "lanes": len(self.lanes),
            "mechanism": self.choice.name,
            "chunks": [c.state_dict() for c in self._chunks],
            "schedules": {i: schedule.state_dict() for i, schedule in own.items()},  # of those with a state
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state_dict` of lanes made from the same model and the same list."""
        sizes = [len(c["alive"]) for c in state["chunks"]]
        if self.choice.timings and state["mechanism"] != self.choice.name:  # what was measured then decides
            tried = self._tried(len(self.lanes))
            self.choice = choose(self._template, self.layout, self._loss, *self._example, state["mechanism"], tried)
            self._chunks = self._make_chunks([self._template] * len(self.lanes), self._size)
        if self._stage is not None and sizes != [len(c.lanes) for c in self._chunks]:  # other memory was free then
            self._chunks = self._make_chunks([self._template] * len(self.lanes), max(sizes))
        if state["mechanism"] != self.choice.name or sizes != [len(c.lanes) for c in self._chunks]:
            saved, own = f"{state['lanes']} lanes, {state['mechanism']}", self.explain().splitlines()[0]
            raise BadValueError(f"the state is of {saved}, in chunks of {sizes}; these are {own}")
        for chunk, part in zip(self._chunks, state["chunks"], strict=True):
            chunk.load_state_dict(part)
        for i, schedule in state.get("schedules", {}).items():
            self.lanes[i].schedule.load_state_dict(schedule)
