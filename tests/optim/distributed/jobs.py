"""What two processes do together; each check returns what the tests then judge. Spawned once for all of them."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

import slalom.optim
from slalom.core.rule import REGISTRY, Hyper, State, rule
from slalom.engines.optimizer import optimizer_class

WORLD = 2
NAMES = [n for n in slalom.optim.__all__ if getattr(getattr(slalom.optim, n), "rule", None) is not None]
STEPS = 4
CHECKPOINTED = ["AdamW", "NAdam", "WindowedAdadelta"]  # plain states, a number among them, one with a window
Found = dict[str, Any]


@rule(source="this test", lr=Hyper(0.1, "a", ge=0), m=State())
def normalized(p, g, s, h, t):
    """A rule outside the elementwise language."""
    m = s.m + g / g.norm()
    return p - h.lr * m, s._replace(m=m)


REGISTRY.pop("normalized")  # other tests go through every registered rule
Normalized = optimizer_class(normalized)


def net(seed: int = 0) -> nn.Sequential:
    """Sizes that do not divide by two: 5 rows are 3 and 2, one bias is 1 and nothing."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)).double()


def batch(i: int) -> torch.Tensor:
    """A whole batch, of which each process takes a half."""
    return torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(i))


def half(x: torch.Tensor) -> torch.Tensor:
    return x if not dist.is_initialized() else x[dist.get_rank() * 3 : dist.get_rank() * 3 + 3]


def train(model: nn.Module, optimizer: Any, start: int = 0, steps: int = STEPS) -> None:
    for i in range(start, start + steps):
        optimizer.zero_grad()
        model(half(batch(i))).square().mean().backward()
        optimizer.step()


def made(name: str, params: Any) -> Any:
    extra = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    return getattr(slalom.optim, name)(params, lr=0.01, weight_decay=0.02, **extra)


def weights(model: nn.Module) -> list[torch.Tensor]:
    full = [p.full_tensor() if hasattr(p, "full_tensor") else p for p in model.parameters()]
    return [p.detach().clone() for p in full]


def fused(optimizer: Any) -> bool:
    return any(plan.tables for plan in optimizer.__dict__.get("_plans", {}).values())


def sharded(seed: int = 0, mesh: Any = None, by_layer: bool = False) -> nn.Sequential:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, mesh = net(seed), mesh or init_device_mesh("cpu", (WORLD,))
    for layer in model if by_layer else []:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


# Checks ------------------------------------------------------------------------------------------------------------


def ddp(folder: Path) -> Found:
    found: Found = {}
    for name in NAMES:
        model = nn.parallel.DistributedDataParallel(net())
        optimizer = made(name, model.named_parameters())
        train(model, optimizer)
        found[name] = weights(model)
        if name == "Adam":
            found["named state"] = optimizer.state_dict()
    return found


def fsdp2(folder: Path) -> Found:
    from torch.distributed.device_mesh import init_device_mesh

    found: Found = {}
    copies = init_device_mesh("cpu", (WORLD, 1), mesh_dim_names=("replica", "shard"))  # HSDP: two copies of one shard
    for name in NAMES:
        model = sharded(by_layer=name == "AdamW", mesh=copies if name == "Lion" else None)
        optimizer = made(name, model.parameters())
        train(model, optimizer)
        p = next(model.parameters())
        spread = [k for k, v in optimizer.state[p].items() if hasattr(v, "placements")]
        version = p._version
        train(model, optimizer, STEPS, 1)
        found[name] = (weights(model), fused(optimizer), spread, p._version > version)
    return found


def mixed_meshes(folder: Path) -> Found:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

    row, grid = init_device_mesh("cpu", (WORLD,)), init_device_mesh("cpu", (1, WORLD), mesh_dim_names=("replica", "shard"))
    spreads = [(row, [Shard(0)]), (row, [Shard(1)]), (row, [Replicate()]), (grid, [Replicate(), Shard(0)]), None]
    found: Found = {}
    for name in NAMES:
        params: list[Any] = []
        for k, how in enumerate(spreads):
            whole = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(k))
            params.append(nn.Parameter(whole if how is None else distribute_tensor(whole, *how)))
        optimizer = made(name, params)
        for i in range(STEPS):
            for k, (p, how) in enumerate(zip(params, spreads, strict=True)):
                g = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(10 * i + k))
                if how is None:
                    p.grad = g
                elif i == 1 and k == 0:  # spread otherwise than the parameter
                    p.grad = distribute_tensor(g, row, [Replicate()])
                elif i == 2 and k == 1:  # not yet summed
                    p.grad = DTensor.from_local(g / WORLD, row, [Partial()])
                else:
                    p.grad = distribute_tensor(g, *how)
            optimizer.step()
        found[name] = ([p.full_tensor().detach() if hasattr(p, "full_tensor") else p.detach() for p in params], fused(optimizer))
    rows = nn.Parameter(distribute_tensor(torch.arange(10.0, dtype=torch.float64).reshape(5, 2), row, [Shard(0)]))
    last = Normalized([rows], lr=0.5)
    for _ in range(2):
        rows.grad = rows.detach().clone()
        last.step()
    found["normalized"] = ([rows.full_tensor().detach()], fused(last))
    p.grad = None
    params[0].grad = None
    params[1].grad = distribute_tensor(torch.ones(5, 4, dtype=torch.float64), grid, [Replicate(), Shard(1)])
    try:
        optimizer.step()
    except ValueError as error:
        found["other mesh"] = str(error)
    return found


def respread(folder: Path) -> Found:
    """A state saved under one way to spread its parameter, loaded under another, or under none."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    row, grid = init_device_mesh("cpu", (WORLD,)), init_device_mesh("cpu", (1, WORLD))
    ways = [(row, [Shard(1)]), (row, [Replicate()]), (grid, [Replicate(), Shard(0)]), None]
    found: Found = {}
    for name in CHECKPOINTED:
        whole = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

        def on(how: Any, whole: torch.Tensor = whole) -> Any:
            return whole.clone() if how is None else distribute_tensor(whole, *how)

        first = made(name, [nn.Parameter(on((row, [Shard(0)])))])
        (p,) = first.param_groups[0]["params"]
        p.grad = on((row, [Shard(0)]))
        first.step()
        found[name] = []
        for how in ways:
            q: Any = nn.Parameter(p.full_tensor().detach() if how is None else distribute_tensor(p.full_tensor().detach(), *how))
            other = made(name, [q])
            other.load_state_dict(first.state_dict())
            q.grad = on(how)
            other.step()
            found[name].append(q.full_tensor().detach() if how else q.detach())
    return found


def clipped(folder: Path) -> Found:
    """torch's own clipping by norm, whose gradients are DTensors again, and its scaler."""
    model = sharded()
    optimizer, scaler = made("Adam", model.parameters()), torch.amp.GradScaler("cpu", init_scale=8.0)
    for i in range(STEPS):
        optimizer.zero_grad()
        scaler.scale(model(half(batch(i))).square().mean()).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        scaler.step(optimizer)
        scaler.update()
    inside = sharded()
    optimizer = slalom.optim.Adam(inside.parameters(), lr=0.01, weight_decay=0.02, clip_grad_norm=0.05)
    train(inside, optimizer)
    norm = float(optimizer.grad_norm)
    return {"weights": weights(model), "inside": weights(inside), "norm": norm, "mixed": clipped_on_two_meshes()}


def clipped_on_two_meshes() -> list[torch.Tensor]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    row, grid = init_device_mesh("cpu", (WORLD,)), init_device_mesh("cpu", (1, WORLD))
    ways = [(row, [Shard(0)]), (row, [Replicate()]), (grid, [Replicate(), Shard(1)])]
    wholes = [torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    params = [nn.Parameter(distribute_tensor(x, *how)) for x, how in zip(wholes, ways, strict=False)]
    params.append(nn.Parameter(wholes[-1].clone()))
    for p in params:
        p.grad = p.detach().clone()
    slalom.optim.SGD(params, lr=1.0, clip_grad_norm=0.5).step()
    return weights(nn.ParameterList(params))


def overflow(folder: Path) -> Found:
    """A first step whose gradient is infinite in one process's part alone: both must leave it out."""
    model = sharded()
    optimizer, scaler = made("SGD", model.parameters()), torch.amp.GradScaler("cpu", init_scale=8.0)
    for i in range(STEPS):
        optimizer.zero_grad()
        scaler.scale(model(half(batch(i))).square().mean()).backward()
        if i == 0 and dist.get_rank() == 1:
            next(model.parameters()).grad.to_local().fill_(float("inf"))
        scaler.step(optimizer)
        scaler.update()
    return {"weights": weights(model), "scale": scaler.get_scale()}


def checkpoint(folder: Path) -> Found:
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_model_state_dict,
        get_optimizer_state_dict,
        set_model_state_dict,
        set_optimizer_state_dict,
    )  # fmt: skip

    found: Found = {}
    for name in CHECKPOINTED:
        model = sharded()
        optimizer = made(name, model.parameters())
        train(model, optimizer)
        where = str(folder / name)
        saved = {"model": get_model_state_dict(model), "optimizer": get_optimizer_state_dict(model, optimizer)}
        dcp.save(saved, checkpoint_id=where)
        full = get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True))
        ends = []
        for kind in ("sharded", "replicated"):  # and the other way to spread: resharded on loading
            other = sharded(1) if kind == "sharded" else net(1)
            again = made(name, other.parameters())
            state = {"model": get_model_state_dict(other), "optimizer": get_optimizer_state_dict(other, again)}
            dcp.load(state, checkpoint_id=where)
            set_model_state_dict(other, state["model"])
            set_optimizer_state_dict(other, again, state["optimizer"])
            if kind == "replicated":
                other = nn.parallel.DistributedDataParallel(other)
            train(other, again, STEPS)
            ends.append(weights(other))
        # the whole state, as one process has it (and rank 0 alone gets), into spread parameters
        other = sharded(1)
        again = made(name, other.parameters())
        set_model_state_dict(other, get_model_state_dict(model))
        box: list[Any] = [full]
        dist.broadcast_object_list(box, 0)
        whole = box[0]["state"]
        numbered = {k: whole[n] for k, (n, _) in enumerate(other.named_parameters())}
        groups = [{**g, "params": list(range(len(g["params"])))} for g in box[0]["param_groups"]]
        again.load_state_dict({"state": numbered, "param_groups": groups})
        train(other, again, STEPS)
        ends.append(weights(other))
        train(model, optimizer, STEPS)
        found[name] = (ends, weights(model))
    return found


def zero_redundancy(folder: Path) -> Found:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    found: Found = {}
    for name in NAMES:
        model = nn.parallel.DistributedDataParallel(net())
        extra = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        cls = getattr(slalom.optim, name)
        optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=cls, lr=0.01, weight_decay=0.02, **extra)
        train(model, optimizer)
        found[name] = weights(model)
        if name == "Adam":
            optimizer.consolidate_state_dict(to=0)
            if dist.get_rank() == 0:
                found["consolidated"] = deepcopy(optimizer.state_dict())
    return found


CHECKS: list[Callable[[Path], Found]] = [ddp, fsdp2, mixed_meshes, respread, clipped, overflow, checkpoint, zero_redundancy]


def work(rank: int, folder: str) -> None:
    """One of the two processes; leaves `FOLDER/NAME-RANK.pt` for every check, or what it raised as text."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    limit = timedelta(seconds=60)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=limit)
    for check in CHECKS:
        try:
            found: Any = check(Path(folder))
        except Exception:
            found = traceback.format_exc()
        torch.save(found, f"{folder}/{check.__name__}-{rank}.pt")
    dist.destroy_process_group()


def alone() -> Iterator[tuple[str, Any]]:
    """The same training in one process on whole batches."""
    for name in NAMES:
        model = net()
        optimizer = made(name, model.parameters())
        train(model, optimizer)
        yield name, (model, optimizer)
