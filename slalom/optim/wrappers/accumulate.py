"""Gradient accumulation: micro-batches are added up, and every k-th steps with their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from slalom.core.checks import whole, yes_or_no
from slalom.core.errors import BadValueError
from slalom.optim.wrappers.base import WIDER, Wrapper, loaded_tensors


class Accumulate(Wrapper):
    """Steps any optimizer once in `every` calls of `step()`, with the mean (`mean=False`: the sum) of the gradients since.

    Use it as if each micro-batch were a batch: `zero_grad(); loss.backward(); step()`. Each `step()` takes the gradients
    over into sums of its own and sets `p.grad` to None, so that neither calling nor leaving out `zero_grad` (of
    the model too) loses or doubles anything. float16 and bfloat16 are summed in float32. A parameter without a gradient in
    some of the micro-batches counts as 0 there; without one in all of them, it is left out.

    `stepped` says whether the last call stepped the weights; schedulers count those alone:
    `if optimizer.stepped: scheduler.step()`. `flush()` steps with what is left over at the end, the mean of those few.
    The state dict holds the sums, so a run goes on in the middle of them. Clip in the inner optimizer (or in a step hook
    of it): before `step()` there is only one micro-batch's gradient to clip.

    With `torch.amp.GradScaler`, call `scaler.step(optimizer)` and `scaler.update()` for every micro-batch: gradients are
    unscaled before they are added, each by its own scale, and a micro-batch that overflows is left out and not counted.

    Under DDP let every backward synchronise, without `no_sync()`: what is added up is what a backward leaves in `p.grad`.

    Equal to one batch `every` times as large where the loss is a mean over equal micro-batches and nothing in the model
    mixes samples (BatchNorm does). Memory: one more copy of the gradients. Elsewhere: optax.MultiSteps is the same with
    the mean; torch leaves it to the loop, where the division and the last few are forgotten easily.

    Raises BadValueError for `every` below 1 and for a closure, which would have to be called for several micro-batches.

    >>> p = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = Accumulate(torch.optim.SGD([p], lr=1.0), every=2)
    >>> for g in (0.25, 0.75):
    ...     p.grad = torch.tensor([g])
    ...     optimizer.step()
    ...     print(optimizer.stepped, p.item())
    False 1.0
    True 0.5
    """

    key = "accumulate"

    def __init__(self, optimizer: torch.optim.Optimizer, every: int = 4, *, mean: bool = True) -> None:
        whole(every, "Accumulate: every", 1)
        yes_or_no(mean, "Accumulate: mean")
        super().__init__(optimizer)
        self.every, self.mean = every, mean
        self._count = 0  # micro-batches since the last step
        self._sums: dict[torch.Tensor, torch.Tensor] = {}
        self._stepped = False

    @property
    def stepped(self) -> bool:
        """Whether the last call of `step` or `flush` stepped the weights."""
        return self._stepped

    @property
    def pending(self) -> int:
        """Micro-batches that are added up and not stepped with yet."""
        return self._count

    @torch.no_grad()
    def _step(self, closure: Callable[[], Any] | None) -> None:
        if closure is not None:
            raise BadValueError(
                "Accumulate: step takes no closure, which would be one micro-batch's; call backward, then step(), for each"
            )
        for p in self._params():
            if p.grad is not None:
                self._add(p, p.grad)
                p.grad = None
        self._count += 1
        self._stepped = False
        if self._count >= self.every:
            self.flush()

    @torch.no_grad()
    def flush(self) -> bool:
        """Steps with what is pending, fewer than `every` micro-batches too; whether there was anything."""
        self._stepped = self._count > 0
        if not self._stepped:
            return False
        count = self._count
        for p, total in self._sums.items():
            p.grad = (total.div_(count) if self.mean else total).to(p.dtype)
        self._sums.clear()
        self._count = 0
        try:
            self._step_inner(None)
        finally:
            for p in self._params():
                p.grad = None
        return True

    def _add(self, p: torch.Tensor, g: torch.Tensor) -> None:
        g = g.detach()
        total = self._sums.get(p)
        if total is None:  # a copy: what DDP hands out is a view of memory that it uses again
            self._sums[p] = g.to(WIDER.get(g.dtype, g.dtype), copy=True)
        elif total.layout == torch.strided:
            total.add_(g)
        else:
            self._sums[p] = total + g

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("optimizer", "every", "mean", "_count", "_sums", "_stepped")}

    def _settings(self) -> str:
        return f"every={self.every}, mean={self.mean}"

    def _saved(self, ids: Mapping[torch.Tensor, Any]) -> dict[str, Any]:
        sums = {ids[p]: total for p, total in self._sums.items()}
        return {"every": self.every, "mean": self.mean, "count": self._count, "sums": sums}

    def _loaded(self, own: Mapping[str, Any], params: Mapping[Any, torch.Tensor]) -> Callable[[], None]:
        sums: dict[torch.Tensor, torch.Tensor] = {}
        for key, value in own["sums"].items():
            dtype = value.dtype if isinstance(value, torch.Tensor) else None
            sums |= loaded_tensors("Accumulate", "sum of gradients", {key: value}, params, dtype)

        def put() -> None:
            self.every, self.mean, self._count = own["every"], own["mean"], own["count"]
            self._sums, self._stepped = sums, False

        return put
