"""Threads that share the chunks of a heat among the cores.

Each runs torch with one thread of its own: a chunk's working set fits a core's cache, backward holds no interpreter lock,
and a lane's numbers do not depend on how many lanes or cores there are (a matrix product split among threads rounds
differently). Denormals are flushed: a diverging or dying lane must not slow its neighbours.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

_pool: ThreadPoolExecutor | None = None
_size = (0, 0)  # threads, process: a forked child must not wait for its parent's threads
_lock = threading.Lock()


_inside = threading.local()


def _forget() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it
    _inside.worker = False


os.register_at_fork(after_in_child=_forget)


def _prepare() -> None:
    _inside.worker = True
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)


T = TypeVar("T")
R = TypeVar("R")


def map_chunks(work: Callable[[T], R], chunks: Iterable[T]) -> list[R]:
    """`[work(c) for c in chunks]`, on as many threads as torch is set to use; the setting is the same afterwards.

    The first error of a chunk is raised after all chunks have come to a stop. Work that itself comes here (a metric that
    trains something) runs in its own thread.
    """
    global _pool, _size
    if getattr(_inside, "worker", False):
        return [work(c) for c in chunks]
    with _lock:
        threads = torch.get_num_threads()
        wanted = (threads, os.getpid())
        if _pool is None or _size != wanted:
            if _pool is not None and _size[1] == wanted[1]:
                _pool.shutdown()
            _pool, _size = ThreadPoolExecutor(threads, "slalom", initializer=_prepare), wanted
        torch.set_num_threads(1)
        futures: list[Future[R]] = []
        try:
            try:
                futures.extend(_pool.submit(work, c) for c in chunks)  # one by one: Ctrl-C here must not leave any behind
                return [f.result() for f in futures]
            finally:
                for f in futures:
                    f.cancel()
                for f in futures:
                    if not f.cancelled():
                        f.exception()
        finally:
            torch.set_num_threads(threads)
