"""How long calls take on a device: by the wall on the processor, between two events of the stream on a GPU."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

import torch


def milliseconds(call: Callable[[], Any], times: int, device: str) -> float:
    """One call's time, of so many in a row. On a GPU: from when the first begins there to when the last has ended."""
    if torch.device(device).type == "cpu":
        begin = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - begin) * 1e3 / times
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    first.record()
    for _ in range(times):
        call()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / times


def in_a_graph(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call captured into a CUDA graph: what it costs once Python is out of the way."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def described(device: str) -> str:
    """The GPU, its driver and torch's CUDA, in words; empty for the processor."""
    if torch.device(device).type == "cpu":
        return ""
    told = torch.cuda.get_device_properties(device)
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    size = f"{told.multi_processor_count} processors, {told.total_memory / 2**30:.0f} GiB"
    kind = f"{told.name}, compute capability {told.major}.{told.minor}, {size}"
    return f"device {kind}; driver {driver}; CUDA of torch {torch.version.cuda}"
