"""Kinds of health that look like faults to rules that read a run alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from slalom.testing.faults.nets import mlp
from slalom.testing.faults.spec import Spec


def _noise(share: float) -> Callable[[Spec], Spec | None]:
    """Some labels of both parts are wrong: a noise floor."""

    def change(spec: Spec) -> Spec | None:
        if spec.score == "r2":
            generator = torch.Generator().manual_seed(spec.seed)
            noise = [torch.randn(part.shape, generator=generator) * 0.5 for part in (spec.y, spec.yv)]
            return None if spec.task == "faces" else spec.but(y=spec.y + noise[0], yv=spec.yv + noise[1])
        generator = torch.Generator().manual_seed(spec.seed + 1)
        parts = []
        for y in (spec.y, spec.yv):
            wrong = torch.rand(len(y), generator=generator) < share
            parts.append(torch.where(wrong, torch.randint(0, int(spec.y.max()) + 1, y.shape, generator=generator), y))
        return spec.but(y=parts[0], yv=parts[1], epochs=min(spec.epochs, 12), decay=1e-3)

    return change


def _outliers(spec: Spec) -> Spec | None:
    if spec.score != "r2" or spec.task == "faces":
        return None
    y = spec.y.clone()
    y[::25] += 6.0
    return spec.but(y=y, loss=F.huber_loss)


def _logistic(spec: Spec) -> Spec | None:
    linear = ("breast_cancer", "wine", "iris", "linear", "diabetes")
    return spec.but(net={"hidden": (), "norm": False}) if spec.task in linear and spec.build is mlp else None


def _warm_up(spec: Spec) -> Spec:
    few = max(1, spec.epochs // 8)
    return spec.but(schedule=lambda o: LambdaLR(o, lambda e: min(1.0, (e + 1) / (few + 1))))


def _cosine(spec: Spec) -> Spec:
    return spec.but(schedule=lambda o: CosineAnnealingLR(o, spec.epochs))


def _one_sigmoid(spec: Spec) -> Spec | None:
    return spec.but(net={"hidden": (48,), "act": "sigmoid", "norm": False}, opt="adam", lr=1e-2) if (
        spec.build is mlp and spec.task != "faces" and len(spec.net["hidden"]) < 3) else None  # fmt: skip


def _tiny_batches(spec: Spec) -> Spec | None:
    if spec.net.get("norm") or spec.epochs * len(spec.y) > 12_000:
        return None
    return spec.but(batch=4, lr=spec.lr / 4, epochs=max(5, spec.epochs // 2))


def _binary(spec: Spec) -> Spec | None:
    """Two classes as one score a row, with the loss that applies the sigmoid itself."""
    if spec.score == "r2" or int(spec.y.max()) != 1:
        return None
    return spec.but(
        y=spec.y.float()[:, None], yv=spec.yv.float()[:, None], net={"out": 1}, loss=F.binary_cross_entropy_with_logits
    )


def _dropout(spec: Spec) -> Spec | None:
    return (
        spec.but(net={"dropout": 0.3}) if spec.task not in ("faces", "linear") and len(spec.net.get("hidden", (1,))) < 4 else None
    )


def _log_softmax(spec: Spec) -> Spec | None:
    return None if spec.score == "r2" else spec.but(net={"last": nn.LogSoftmax(1)}, loss=F.nll_loss)


def _mild_decay(spec: Spec) -> Spec:
    return spec.but(opt="adamw" if spec.opt == "adam" else spec.opt, decay=1e-2 if spec.opt == "adam" else 1e-4)


def _pixels(spec: Spec) -> Spec | None:
    return spec.but(x=spec.x * 4, xv=spec.xv * 4, lr=spec.lr / 4) if spec.task.startswith("digits") else None


HEALTHY: dict[str, Callable[[Spec], Spec | None]] = {
    "as it is": lambda s: s,
    "label noise": _noise(0.15),
    "outliers with Huber": _outliers,
    "no hidden layer": _logistic,
    "warm-up": _warm_up,
    "cosine": _cosine,
    "one sigmoid layer": _one_sigmoid,
    "tiny noisy batches": _tiny_batches,
    "binary logits": _binary,
    "dropout": _dropout,
    "log-softmax and nll": _log_softmax,
    "mild decay": _mild_decay,
    "larger pixels": _pixels,
    "half as long": lambda s: s.but(epochs=max(4, s.epochs // 2)),
    "twice as long": lambda s: s.but(epochs=2 * s.epochs) if s.epochs * len(s.y) < 15_000 else None,
}  # fmt: skip
