"""Hooks that are there for a step that is looked at, and for no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from slalom.doctor.online.inputs import first_floating, look_at
from slalom.doctor.online.layers import Layers
from slalom.doctor.online.ledger import Ledger
from slalom.doctor.online.record import LayerLook, Watched

log = logging.getLogger("slalom.doctor")
INPUT_LOOKS = 3
PATIENCE = 64  # calls without an optimizer step seen, after which gradients are read where they lie


def expect(before: float, cost: float) -> float:
    """What the next one will cost, by what was expected and what the last one did."""
    return min(cost, 1.5 * before) if before else cost


class Watch:
    """Looks at single steps of a model's training: `arm` before a step, `take` after it.

    In between, a hook before the model's forward sees its input and a hook after each optimizer's step sees the gradients:
    there they are unscaled (AMP), clipped and whole (accumulation), also where a closure has made them in the step. Both are
    gone after `disarm`; in a compiled graph they do nothing.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], ledger: Ledger) -> None:
        self.model, self.optimizers, self.ledger = model, list(optimizers), ledger
        inner = getattr(model, "_orig_mod", model)  # what torch.compile has wrapped
        self.layers = Layers(inner, self.optimizers)
        self.record: Watched = self.layers.record
        self.armed = False
        self._handles: list[Any] = []
        self._gradients: Any = None
        self._silent: dict[str, Any] = {}
        self._waited = 0
        self._hookable = all(hasattr(o, "register_step_post_hook") for o in self.optimizers)
        self.cost = 0.0  # seconds of the look that goes on, or of the last one
        self.expected = 0.0  # seconds of the next one: what others on the machine took from a single look counts little

    def arm(self) -> None:
        """Prepares to look at the next step."""
        begin = time.perf_counter()
        self.cost = 0.0
        self.armed, self._gradients, self._silent, self._waited = True, None, {}, 0
        self.layers.remember()
        if len(self.record.inputs) < INPUT_LOOKS:
            self._handles.append(self.model.register_forward_pre_hook(self._before_forward, with_kwargs=True))
        if self._hookable:
            self._handles += [o.register_step_post_hook(self._after_step) for o in self.optimizers]
        self.cost += self.ledger.spend(begin)

    def disarm(self) -> None:
        """Takes the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.armed = False

    def take(self) -> bool:
        """After a step: whether a look is now in the record. While no optimizer has stepped (accumulation), it stays armed."""
        if not self.armed:
            return False
        begin = time.perf_counter()
        if self._gradients is None:
            self._waited += 1
            if self._hookable and self._waited < PATIENCE:
                self.cost += self.ledger.spend(begin)
                return False
            self._hookable = False
            self._read()
        ratios = self.layers.ratios()
        lr = max((float(g["lr"]) for o in self.optimizers for g in o.param_groups if "lr" in g), default=float("nan"))
        self.record.looked(LayerLook(self.record.steps, self._gradients, ratios, lr))
        self._count_silent()
        self.disarm()
        self.cost += self.ledger.spend(begin)
        self.expected = expect(self.expected, self.cost)
        return True

    def _read(self) -> None:
        gradients = self.layers.gradients()
        self._gradients, self._silent = gradients, self.layers.silent()
        seen = gradients[gradients == gradients]
        missing = len(seen) < sum(p.grad is not None for p in self.layers.parameters)
        bad = missing or bool((seen == float("inf")).any())
        self.record.bad_gradients = self.record.bad_gradients + 1 if bad else 0

    def _count_silent(self) -> None:
        for name, now in self._silent.items():
            looks, before = self.record.silent.get(name, (0, now))
            both = before & now
            alive = not both.any()
            self.record.silent[name] = (0, now) if alive else (looks + 1, both)

    def _before_forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_compiling():
            return
        self._guarded(lambda: self._input(args, kwargs))

    def _input(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.model.training or (self.record.inputs and self.record.inputs[-1].step == self.record.steps):
            return
        x = first_floating((args, kwargs))
        seen = None if x is None else look_at(x, self.record.steps)
        if seen is not None:
            self.record.inputs.append(seen)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling():
            return
        self._guarded(self._read)

    def _guarded(self, look: Callable[[], None]) -> None:
        """Books the time; whatever goes wrong in a look is the doctor's own and stops nobody's training."""
        begin = time.perf_counter()
        try:
            look()
        except Exception:
            log.debug("a look failed", exc_info=True)
        self.cost += self.ledger.spend(begin)
