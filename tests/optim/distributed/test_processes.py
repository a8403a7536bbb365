"""Two real processes over gloo: DDP, FSDP2, DTensors on several meshes, checkpoints, ZeRO; each rule against one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from tests.optim.distributed import jobs
from tests.optim.distributed.jobs import NAMES, STEPS

pytestmark = pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo processes")
Results = dict[str, list[Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What every check found, process by process; one spawn for all."""
    folder = tmp_path_factory.mktemp("processes")
    context = torch.multiprocessing.spawn(jobs.work, (str(folder),), nprocs=jobs.WORLD, join=False)
    try:
        deadline = 4
        while not context.join(timeout=60):
            deadline -= 1
            assert deadline, "the processes have not finished in four minutes"
    finally:
        for process in context.processes:
            if process.is_alive():
                process.kill()
    return {c.__name__: [_read(folder, c.__name__, r) for r in range(jobs.WORLD)] for c in jobs.CHECKS}


def _read(folder: Path, name: str, rank: int) -> Any:
    path = folder / f"{name}-{rank}.pt"
    return torch.load(path, weights_only=False) if path.exists() else "nothing was left"


def of(results: Results, check: str) -> list[dict[str, Any]]:
    for rank, found in enumerate(results[check]):
        assert not isinstance(found, str), f"process {rank}:\n{found}"
    return results[check]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The same runs in this process."""
    return dict(jobs.alone())


def close(mine: list[torch.Tensor], expected: list[torch.Tensor], rel: float = 1e-12) -> bool:
    return all(float((a - b).abs().max()) <= rel * max(1.0, float(b.abs().max())) for a, b in zip(mine, expected, strict=True))


def test_ddp_is_one_process_on_the_whole_batch(results: Results, alone: dict[str, Any]) -> None:
    for found in of(results, "ddp"):
        for name in NAMES:
            # Lion's sign turns at a rounding error of a mean that is nearly 0, which these data do not meet
            assert close(found[name], jobs.weights(alone[name][0])), name


def test_a_state_named_by_ddp_loads_into_the_model_itself(results: Results) -> None:
    saved = of(results, "ddp")[0]["named state"]
    assert saved["param_groups"][0]["param_names"][0] == "module.0.weight"
    model = jobs.net()
    optimizer = jobs.made("Adam", list(model.named_parameters())[::-1])
    optimizer.load_state_dict(saved)
    assert torch.equal(optimizer.state[model[0].weight]["exp_avg"], saved["state"][0]["exp_avg"])


def test_fsdp2_steps_its_shards_by_compiled_code(results: Results) -> None:
    for name in NAMES:
        model = jobs.net()
        optimizer = jobs.made(name, model.parameters())
        jobs.train(model, optimizer, 0, STEPS + 1)
        expected = jobs.weights(model)
        for found in of(results, "fsdp2"):
            weights, fused, spread, touched = found[name]
            assert close(weights, expected), name
            assert fused, name
            states = {s.torch or n: s for n, s in optimizer.rule.states.items()}
            assert set(spread) == {k for k in optimizer.state[model[0].weight] if k != "step" and not states[k].scalar}, name
            assert touched, "autograd has not been told"


def test_one_group_may_hold_parameters_of_several_meshes_and_placements(results: Results) -> None:
    for name in NAMES:
        params = []
        for k in range(5):
            whole = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(k))
            params.append(torch.nn.Parameter(whole))
        optimizer = jobs.made(name, params)
        for i in range(STEPS):
            for k, p in enumerate(params):
                p.grad = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(10 * i + k))
            optimizer.step()
        for found in of(results, "mixed_meshes"):
            weights, fused = found[name]
            assert close(weights, [p.detach() for p in params]), name
            assert fused, name
    rows = torch.nn.Parameter(torch.arange(10.0, dtype=torch.float64).reshape(5, 2))
    optimizer = jobs.Normalized([rows], lr=0.5)
    for _ in range(2):
        rows.grad = rows.detach().clone()
        optimizer.step()
    for found in of(results, "mixed_meshes"):
        weights, fused = found["normalized"]
        assert close(weights, [rows.detach()]), "a norm of the whole, not of each part"
        assert not fused
        assert "must be a DTensor on the same mesh" in found["other mesh"]


def test_states_load_across_ways_to_spread(results: Results) -> None:
    for found in of(results, "respread"):
        for name in jobs.CHECKPOINTED:
            p = torch.nn.Parameter(torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
            optimizer = jobs.made(name, [p])
            p.grad = p.detach().clone()
            optimizer.step()
            optimizer.step()
            assert len(found[name]) == 4
            assert close(found[name], [p.detach()] * 4), name


def test_torchs_clipping_and_scaler_work_on_shards(results: Results) -> None:
    model = jobs.net()
    optimizer = jobs.made("Adam", model.parameters())
    for i in range(STEPS):
        optimizer.zero_grad()
        model(jobs.batch(i)).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
    for found in of(results, "clipped"):
        assert close(found["weights"], jobs.weights(model), 1e-10)
        assert close(found["inside"], jobs.weights(model), 1e-10)
    wholes = [torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    factor = 1 - 0.5 / (torch.cat(wholes).norm() + 1e-6)
    for found in of(results, "clipped"):
        assert close(found["mixed"], [x * factor for x in wholes])


def test_an_overflow_in_one_part_is_left_out_by_all(results: Results) -> None:
    model = jobs.net()
    jobs.train(model, jobs.made("SGD", model.parameters()), 1, STEPS - 1)
    for found in of(results, "overflow"):
        assert found["scale"] == 4.0
        assert close(found["weights"], jobs.weights(model))


def test_checkpoints_go_on_sharded_resharded_and_whole(results: Results) -> None:
    for found in of(results, "checkpoint"):
        assert list(found) == jobs.CHECKPOINTED
        for name, (ends, expected) in found.items():
            for kind, end in zip(("sharded", "resharded", "whole"), ends, strict=True):
                assert close(end, expected), f"{name}, {kind}"


def test_zero_redundancy_optimizer_holds_ours(results: Results, alone: dict[str, Any]) -> None:
    for found in of(results, "zero_redundancy"):
        for name in NAMES:
            assert close(found[name], jobs.weights(alone[name][0])), name
    model, optimizer = alone["Adam"]
    whole = of(results, "zero_redundancy")[0]["consolidated"]
    again = jobs.made("Adam", jobs.net().parameters())
    again.load_state_dict(whole)
    for p, q in zip(model.parameters(), again.param_groups[0]["params"], strict=True):
        torch.testing.assert_close(optimizer.state[p]["exp_avg"], again.state[q]["exp_avg"], rtol=1e-12, atol=1e-14)
