"""Parameters that are spread over processes: torch's DTensor, as FSDP2 and tensor parallelism make them.

A rule in the elementwise language moves every number alone, so each process steps the part that it holds, where it lies,
by compiled code and without a word to the others. States are DTensors spread like their parameter, so that state dicts and
`torch.distributed.checkpoint` see them whole. What is not elementwise takes the eager path, on the DTensors themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.graph import increment_version

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines.device import PLAIN
from slalom.engines.printers.tree import LanguageError, program

if TYPE_CHECKING:
    from slalom.engines.step import Job

_elementwise: dict[tuple[Rule, tuple[Any, ...]], bool] = {}


def is_spread(x: Any) -> bool:
    """Whether it is a DTensor; the module that defines it takes a while to import, so it is not imported to ask."""
    module = None if type(x) in PLAIN else sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(x, module.DTensor)


def any_spread(params: Iterable[Any]) -> bool:
    """Whether any of them is a DTensor."""
    return not PLAIN.issuperset(map(type, params)) and any(map(is_spread, params))


def elementwise(settings: Settings) -> bool:
    """Whether every number of a parameter moves by itself: the rule is written in the language of the printers."""
    key = (settings.rule, settings.program)
    if key not in _elementwise:
        try:
            program(settings)
        except LanguageError:
            _elementwise[key] = False
        else:
            _elementwise[key] = True
    return _elementwise[key]


def local(x: Any) -> Any:
    """This process's part of a DTensor, the same memory and, without autograd, the same object each time."""
    with torch.no_grad():
        part = x.to_local()
        return part.wait() if hasattr(part, "wait") else part  # a result that is still on its way


def alike(x: Any, p: Any) -> Any:
    """A gradient spread as its parameter is; the processes exchange it where it is not."""
    if not is_spread(x) or x.device_mesh != p.device_mesh:
        got = f"one on {x.device_mesh}" if is_spread(x) else f"a {type(x).__name__}"
        raise BadValueError(
            f"the gradient of a DTensor parameter of shape {tuple(p.shape)} must be a DTensor on the same mesh "
            f"({p.device_mesh}), got {got}; distribute it like its parameter"
        )
    return x if x.placements == p.placements else x.redistribute(p.device_mesh, p.placements)


def spread_like(made: torch.Tensor, p: Any, window: bool) -> Any:
    """A state of this process's part of `p` as the DTensor of all parts; `window`: it has an axis before the parameter's."""
    from torch.distributed.tensor import DTensor

    shape, strides = tuple(p.shape), tuple(p.stride())
    if window:
        count = p.numel()
        shape, strides = (made.shape[0], *shape), (count, *strides)
    return DTensor.from_local(
        made, p.device_mesh, _placements(p, window), run_check=False, shape=torch.Size(shape), stride=strides
    )


def fitted(value: Any, p: Any, window: bool) -> Any:
    """A loaded state, whole or spread in any way, spread as this parameter's states are; plain for a plain parameter."""
    if is_spread(value) and not (is_spread(p) and value.device_mesh == p.device_mesh):
        value = value.full_tensor()
    if not is_spread(p):
        return value
    if is_spread(value):
        return value.redistribute(p.device_mesh, _placements(p, window))
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(p.device), p.device_mesh, _placements(p, window))


def _placements(p: Any, window: bool) -> Any:
    if not window:
        return p.placements
    from torch.distributed.tensor import Shard

    if any(x.is_shard() and type(x) is not Shard for x in p.placements):
        raise BadValueError(
            f"a rule with a window cannot step a parameter spread as {p.placements}; use a rule without, or shard one way only"
        )
    return [Shard(x.dim + 1) if x.is_shard() else x for x in p.placements]


class Shards:
    """This process's parts of an optimizer's DTensors and of their states, kept from step to step while nothing changes."""

    def __init__(self) -> None:
        self._held: dict[Any, tuple[torch.Tensor, list[Any], dict[str, Any]]] = {}
        # To be stepped: the DTensor, and its gradient's part, which a plan has only a pointer to.
        self._waiting: list[tuple[Any, torch.Tensor]] = []

    def part(self, p: Any, cell: Mapping[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
        """The parameter's part and the states' parts, the same objects as last time where these are the same."""
        here = local(p)
        held = self._held.get(p)
        if held is None or held[0] is not here or len(held[1]) != len(cell) or not all(map(is_, held[1], cell.values())):
            parts = {k: local(v) if is_spread(v) else v for k, v in cell.items()}
            held = self._held[p] = (here, list(cell.values()), parts)
        return here, held[2]

    def here(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs with DTensors replaced by their parts; nothing else is touched."""
        made = []
        for job in jobs:
            if is_spread(job.p):
                p, cell = self.part(job.p, job.state)
                g = local(alike(job.g, job.p))
                self._waiting.append((job.p, g))
                job = job._replace(p=p, g=g, state=cell)
            made.append(job)
        return made

    def square_sum(self) -> float:
        """The sum of the squares of all gradients that wait, every number once: each process adds its own part.

        One exchange of a number for each mesh and placement; every process must ask.
        """
        from torch.distributed.tensor import DTensor, Partial

        sums: dict[Any, torch.Tensor] = {}
        for p, g in self._waiting:
            x = torch.view_as_real(g.resolve_conj()) if g.is_complex() else g
            own = torch.linalg.vector_norm(x, dtype=torch.promote_types(x.dtype, torch.float32)).double() ** 2
            key = (p.device_mesh, p.placements)
            sums[key] = sums[key] + own if key in sums else own
        total = 0.0
        for (mesh, placements), own in sums.items():
            how = [Partial() if x.is_shard() else x for x in placements]
            total += float(DTensor.from_local(own, mesh, how, run_check=False).full_tensor())
        return total

    def waiting(self) -> list[Any]:
        """The DTensors whose parts are about to be stepped."""
        return [p for p, _ in self._waiting]

    def stepped(self) -> None:
        """Tells autograd that the DTensors whose parts were stepped have changed, and lets their gradients go."""
        if self._waiting:
            increment_version([p for p, _ in self._waiting])
            self._waiting.clear()
