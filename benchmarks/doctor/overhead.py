"""What `slalom.Doctor` costs in a training loop: processor time of watched runs over plain ones, and memory held.

Runs are interleaved in pairs, watched and plain, first one and then the other first; each is a whole run with a doctor of its
own, so its first looks and judgements are in it. Ratios are of processor time within a pair; shown are the median and the
quartiles over the pairs. Memory: what the doctor's tensors and Python objects hold at the end (tracemalloc, in a run of its own),
as a share of weights, gradients and the optimizer's state.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import slalom
from slalom.race.environment import environment

PAIRS = 15
RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Case:
    """`build`: model, inputs, targets. `steps` of a run. `bound`: the overhead that is allowed, in per cent."""

    name: str
    build: Callable[[], tuple[nn.Module, Tensor, Tensor]]
    steps: int
    bound: float


def mlp(widths: tuple[int, ...], batch: int) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1]), torch.randn(batch, widths[0]), torch.randint(0, widths[-1], (batch,))


def cnn(batch: int) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32),
        nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip
    return net, torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))


CASES = (
    Case("MLP 16-32-10, batch 16, SGD", lambda: mlp((16, 32, 10), 16), 600, 10.0),
    Case("MLP 64-64-64-10, batch 32, SGD", lambda: mlp((64, 64, 64, 10), 32), 600, 10.0),
    Case("MLP 256-1024-1024-1024-10, batch 256, SGD", lambda: mlp((256, 1024, 1024, 1024, 10), 256), 30, 2.0),
    Case("CNN 32-32 with batch normalisation, batch 32, SGD", lambda: cnn(32), 30, 2.0),
)


def run(case: Case, watched: bool) -> tuple[float, slalom.Doctor | None]:
    """Seconds of processor time a step."""
    model, x, y = case.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    doctor = slalom.Doctor(model, optimizer) if watched else None
    began = time.process_time()
    for _ in range(case.steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if doctor is not None:
            doctor.step(loss)
    seconds = (time.process_time() - began) / case.steps
    if doctor is not None:
        doctor.close()
    return seconds, doctor


def memory(case: Case) -> tuple[int, int]:
    """Bytes that a doctor holds after a run, and bytes of the training's own state."""
    model, x, y = case.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    state = 3 * sum(p.numel() * p.element_size() for p in model.parameters())
    tracemalloc.start()
    doctor = slalom.Doctor(model, optimizer)
    for _ in range(case.steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        doctor.step(loss)
    package = str(Path(slalom.__file__).parent / "doctor")
    held = sum(s.size for s in tracemalloc.take_snapshot().statistics("filename") if s.traceback[0].filename.startswith(package))
    tracemalloc.stop()
    held += sum(t.numel() * t.element_size() for t in doctor._watch.layers._before)
    doctor.close()
    return held, state


def line(case: Case, pairs: int) -> str:
    run(case, True)
    ratios, steps, looks = [], [], 0
    for k in range(pairs):
        both = {}
        for watched in (True, False) if k % 2 else (False, True):
            both[watched], doctor = run(case, watched)
            looks = looks if doctor is None else len(doctor.record.looks)
        ratios.append(both[True] / both[False])
        steps.append(both[False])
    low, middle, high = statistics.quantiles(ratios, n=4)
    held, state = memory(case)
    kept = f"{held / 1024:.0f} KiB ({100 * held / state:.2f} %)"
    return (
        f"| {case.name} | {1e3 * statistics.median(steps):.2f} | {100 * (middle - 1):+.1f} ({100 * (low - 1):+.1f} to "
        f"{100 * (high - 1):+.1f}) | {case.bound:g} | {looks} of {case.steps} | {kept} |"
    )


def main(pairs: int = PAIRS) -> None:
    facts = environment()
    told = f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, {facts['threads']} threads, torch {facts['torch']}"
    lines = [__doc__ or "", f"{told}; {pairs} pairs.", ""]
    lines += [
        "| run | step, ms | overhead, % (quartiles) | bound, % | looks | memory held (of the state) |",
        "|---|---|---|---|---|---|",
    ]
    for case in CASES:
        lines.append(line(case, pairs))
        print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join([*lines, ""])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "doctor-overhead-cpu.txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
