"""A training set-up in parts, so that one of them can be exchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

Builder = Callable[..., nn.Module]
Act = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Spec:
    """`net`: what `build` is called with; `after`: changes made to the built model, in order. `which`: of the model's
    parameters, those
    that the optimizer is given. `score`: "accuracy" or "r2", which is what a fault must hurt.
    """

    task: str
    x: Tensor
    y: Tensor
    xv: Tensor
    yv: Tensor
    build: Builder
    net: Mapping[str, Any]
    loss: Callable[[Any, Tensor], Tensor]
    opt: str
    lr: float
    batch: int
    epochs: int
    momentum: float = 0.0
    decay: float = 0.0
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None
    after: tuple[Act, ...] = ()
    which: Callable[[nn.Module], list[nn.Parameter]] = field(default=lambda m: list(m.parameters()))
    score: str = "accuracy"
    seed: int = 0

    def but(self, **fields: Any) -> Spec:
        """The same with some parts exchanged; `net` is merged."""
        if "net" in fields:
            fields["net"] = {**self.net, **fields["net"]}
        return replace(self, **fields)

    def then(self, act: Act) -> Spec:
        """The same with one more change to the built model."""
        return replace(self, after=(*self.after, act))

    def model(self) -> nn.Module:
        torch.manual_seed(self.seed)
        made = self.build(**self.net)
        for act in self.after:
            made = act(made)
        return made

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        params = self.which(model)
        if self.opt == "sgd":
            return torch.optim.SGD(params, lr=self.lr, momentum=self.momentum, weight_decay=self.decay)
        if self.opt == "adamw":
            return torch.optim.AdamW(params, lr=self.lr, weight_decay=self.decay)
        if self.opt == "rmsprop":
            return torch.optim.RMSprop(params, lr=self.lr, weight_decay=self.decay)
        return torch.optim.Adam(params, lr=self.lr, weight_decay=self.decay)

    def arguments(self) -> dict[str, Any]:
        """What `slalom.examine` takes."""
        return {
            "model": self.model(), "loss_fn": self.loss, "optimizer": self.optimizer, "train": (self.x, self.y),
            "val": (self.xv, self.yv), "batch_size": self.batch, "epochs": self.epochs, "schedule": self.schedule,
            "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A set-up and the label of its fault, None for a healthy one. `kind`: which mutation or which kind of health."""

    name: str
    label: str | None
    kind: str
    base: Spec
    spec: Spec
