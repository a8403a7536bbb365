"""Compiles every program's CUDA source with NVRTC, which needs no GPU: `python -m tests.engines.kernels.cuda.compile_all`.

NVRTC comes with torch's CUDA builds, or alone: `pip install nvidia-cuda-nvrtc` into an environment of its own, and
`LD_LIBRARY_PATH=.../site-packages/nvidia/cu13/lib`. `--product` takes every combination of options. Prints, for each way of
storing and each target, how many programs compiled, with the processor's time and the size of what comes out.
"""

from __future__ import annotations

import argparse
import time

import torch

from slalom.core.rule import Settings
from slalom.engines.kernels.cuda.nvrtc import nvrtc
from slalom.engines.kernels.cuda.source import cuda_source
from slalom.engines.kernels.storage import Storage
from tests.engines.kernels.lanes import variants

F32, F64, BF16, F16 = torch.float32, torch.float64, torch.bfloat16, torch.float16
KINDS = {
    "float32": (F32, F32, False),
    "float64": (F64, F64, False),
    "bfloat16, states float32": (BF16, F32, False),
    "bfloat16 throughout, by chance": (BF16, BF16, True),
    "float16, states float32": (F16, F32, False),
}


def storage(settings: Settings, kind: str) -> Storage:
    """How a program's tensors are stored under one of KINDS."""
    p, state, by_chance = KINDS[kind]
    states = tuple((name, state) for name, declared in settings.states.items() if not declared.scalar)
    return Storage(p, p, states, by_chance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=["sm_90"], help="such as sm_80 or compute_90 (default sm_90)")
    parser.add_argument("--product", action="store_true", help="every combination of options")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    given = parser.parse_args()
    compiler, programs = nvrtc(), variants(product=given.product)
    print(
        f"NVRTC {compiler.version[0]}.{compiler.version[1]}, {len(programs)} programs of {len({s.rule for s in programs})} rules"
    )
    for target in given.targets:
        for kind in given.kinds:
            seconds, sizes = [], []
            for settings in programs:
                begin = time.process_time()
                sizes.append(len(compiler.compile(cuda_source(settings, storage(settings, kind)).text, target)))
                seconds.append(time.process_time() - begin)
            told = f"{sum(seconds) / len(seconds):.2f} s of processor each, at most {max(seconds):.2f}"
            print(f"{target:12}{kind:32}{len(sizes):4} compiled; {told}; at most {max(sizes) / 1024:.0f} KB", flush=True)


if __name__ == "__main__":
    main()
