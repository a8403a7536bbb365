"""Lookahead: every k steps the weights go back part of the way to where they were k steps before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch

from slalom.core.checks import number, whole
from slalom.core.errors import BadValueError
from slalom.optim.swap import swapped
from slalom.optim.wrappers.accumulate import Accumulate
from slalom.optim.wrappers.base import Wrapper, caught_up, loaded_tensors, skipped

MOMENTUM = ("keep", "reset", "pullback")
BUFFER = "momentum_buffer"
Slow = dict[torch.Tensor, torch.Tensor]


class Lookahead(Wrapper):
    """Lookahead around any optimizer: after every k-th step, `slow += alpha (fast - slow)`, and fast starts from there.

    `optimizer`: steps the fast weights, which are the model's. `k`: steps a cycle, at least 1. `alpha` in (0, 1]: how far
    the slow weights go; 1 is the inner optimizer alone. `momentum`: what becomes of the inner `momentum_buffer` at the end
    of a cycle: kept (the paper's choice), set to 0, or pulled back as the weights are.

    The slow weights are taken where a cycle begins, so weights loaded between cycles count. `with lookahead.swapped():`
    evaluates at the slow weights, within a cycle too. Works with closures, schedulers and `torch.amp.GradScaler` (a step
    that it leaves out does not count). Memory: one more copy of the parameters while a cycle runs.

    Source: Zhang et al. 2019, arXiv:1907.08610, Algorithm 1. Elsewhere: the authors' code has k = 5, alpha = 0.8, and its
    pullback mixes the buffer with itself (both names hold one tensor); here with a copy. optax.lookahead keeps fast and
    slow weights in the parameters; pytorch_optimizer and timm are as here, without the scaler.

    Raises BadValueError for settings out of range, around Accumulate (whose steps are micro-batches: put it outside), and
    for a `momentum` that finds no `momentum_buffer`.

    >>> p = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = Lookahead(torch.optim.SGD([p], lr=0.1), k=2, alpha=0.5)
    >>> for _ in range(2):
    ...     p.grad = torch.ones(1)
    ...     optimizer.step()
    >>> round(p.item(), 4)  # halfway between 1 and 0.8
    0.9
    """

    key = "lookahead"

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        k: int = 5,
        alpha: float = 0.5,
        *,
        momentum: Literal["keep", "reset", "pullback"] = "keep",
    ) -> None:
        whole(k, "Lookahead: k", 1)
        number(alpha, "Lookahead: alpha", "(0, 1]")
        if momentum not in MOMENTUM:
            raise BadValueError(f"Lookahead: momentum must be one of {', '.join(map(repr, MOMENTUM))}, got {momentum!r}")
        if isinstance(optimizer, Accumulate):
            raise BadValueError(
                "Lookahead: optimizer must not be an Accumulate, whose steps are micro-batches; write Accumulate(Lookahead(...))"
            )
        super().__init__(optimizer)
        self.k, self.alpha, self.momentum = k, float(alpha), momentum
        self._count = 0  # steps of this cycle so far
        self._slow: Slow = {}
        self._buffers: Slow = {}

    @property
    def _step_supports_amp_scaling(self) -> bool:
        return bool(getattr(self.optimizer, "_step_supports_amp_scaling", False))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The slow weights in the parameters; afterwards the fast ones are back to the bit, also after an exception."""
        with swapped(list(self._slow.items())):
            yield

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        with torch.no_grad():
            fresh = [p for p in self._params() if p not in self._slow]
            if fresh:
                caught_up(self.optimizer)
            self._slow.update((p, p.detach().clone()) for p in fresh)
            if self.momentum == "pullback":
                for p in fresh:
                    buffer = self._buffer(p)
                    self._buffers[p] = torch.zeros_like(p) if buffer is None else buffer.clone()
        loss = self._step_inner(closure)
        if not skipped(self):
            self._count += 1
            if self._count >= self.k:
                self._synchronize()
        return loss

    @torch.no_grad()
    def _synchronize(self) -> None:
        caught_up(self.optimizer)
        if self.momentum != "keep":
            self._pull_momentum()
        for p, slow in self._slow.items():
            p.lerp_(slow, 1 - self.alpha)
        self._count = 0
        self._slow.clear()
        self._buffers.clear()

    def _pull_momentum(self) -> None:
        found = {p: b for p in self._slow if (b := self._buffer(p)) is not None}
        if not found:
            raise BadValueError(
                f"Lookahead: momentum={self.momentum!r} needs an optimizer with a {BUFFER!r} in its state, which "
                f"{type(self.optimizer).__name__} does not have here; leave momentum='keep'"
            )
        for p, buffer in found.items():
            if self.momentum == "reset":
                buffer.zero_()
            else:
                buffer.lerp_(self._buffers[p], 1 - self.alpha)

    def _buffer(self, p: torch.Tensor) -> torch.Tensor | None:
        buffer = self.state[p].get(BUFFER) if p in self.state else None
        return buffer if isinstance(buffer, torch.Tensor) else None

    def __getstate__(self) -> dict[str, Any]:
        kept = ("optimizer", "k", "alpha", "momentum", "_count", "_slow", "_buffers")
        return {name: self.__dict__[name] for name in kept}

    def _settings(self) -> str:
        return f"k={self.k}, alpha={self.alpha:g}, momentum={self.momentum!r}"

    def _saved(self, ids: Mapping[torch.Tensor, Any]) -> dict[str, Any]:
        slow, buffers = ({ids[p]: x for p, x in held.items()} for held in (self._slow, self._buffers))
        settings = {"k": self.k, "alpha": self.alpha, "momentum": self.momentum}
        return {**settings, "count": self._count, "slow": slow, "buffers": buffers}

    def _loaded(self, own: Mapping[str, Any], params: Mapping[Any, torch.Tensor]) -> Callable[[], None]:
        slow = loaded_tensors("Lookahead", "slow weights", own["slow"], params)
        buffers = loaded_tensors("Lookahead", "momentum", own["buffers"], params)

        def put() -> None:
            self.k, self.alpha, self.momentum, self._count = (own[name] for name in ("k", "alpha", "momentum", "count"))
            self._slow, self._buffers = slow, buffers

        return put
