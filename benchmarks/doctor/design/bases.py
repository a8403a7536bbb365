"""Healthy set-ups of the design set, split by task: rules are fitted on one part and checked, seldom, on the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.nn import functional as F

from benchmarks.doctor.design.tasks import TASKS
from slalom.testing.faults.nets import Attention, Recurrent, cnn, mlp
from slalom.testing.faults.spec import Spec

Make = Callable[[int], Spec]
LOSSES = {"mse": F.mse_loss, "huber": F.smooth_l1_loss, "l1": F.l1_loss, "ce": F.cross_entropy,
          "bce": F.binary_cross_entropy_with_logits}  # fmt: skip


def _base(task: str, build: Any, net: dict[str, Any], opt: str, lr: float, batch: int, epochs: int, loss: str = "",
          **more: Any) -> Make:  # fmt: skip
    def make(seed: int) -> Spec:
        x, y, xv, yv = TASKS[task](seed)
        number = y.is_floating_point()
        name = loss or ("mse" if number else "ce")
        if name == "bce":
            y, yv = y.float()[:, None], yv.float()[:, None]
        out = 1 if name == "bce" else y.shape[1] if number else int(y.max()) + 1
        shape = (
            {"features" if build in (Recurrent, Attention) else "n": x.shape[-1]} if build is not cnn else {"side": x.shape[-1]}
        )
        return Spec(task, x, y, xv, yv, build, {**shape, "out": out, **net}, LOSSES[name], opt, lr, batch, epochs,
                    score="r2" if number else "accuracy", seed=seed, **more)  # fmt: skip

    return make


FIT: dict[str, Make] = {
    "teacher": _base("teacher", mlp, {"hidden": (48,)}, "adam", 5e-3, 32, 30),
    "teacher of three, tanh": _base("teacher of three", mlp, {"hidden": (32, 32), "act": "tanh"}, "sgd", 0.1, 16, 30,
                                    momentum=0.9),
    "classes by a teacher": _base("teacher_classes", mlp, {"hidden": (64,), "dropout": 0.1}, "adamw", 5e-3, 64, 15, decay=1e-2),
    "rings": _base("rings", mlp, {"hidden": (24, 24), "act": "tanh"}, "sgd", 0.1, 16, 40, momentum=0.9),
    "checkers": _base("checkers", mlp, {"hidden": (64, 64)}, "adam", 1e-2, 32, 40),
    "mixture, short": _base("mixture", mlp, {"hidden": (96,)}, "adam", 1e-2, 32, 8),
    "two moons, logits": _base("overlapping_moons", mlp, {"hidden": (16, 16), "act": "gelu"}, "adam", 1e-2, 32, 20, "bce"),
    "sinc, huber": _base("sinc", mlp, {"hidden": (32, 32), "act": "tanh"}, "adam", 1e-2, 16, 60, "huber"),
    "plane, l1": _base("plane", mlp, {"hidden": (16,)}, "adam", 1e-2, 32, 25, "l1"),
    "bars cnn": _base("bars", cnn, {"channels": (6, 12)}, "sgd", 0.1, 16, 15, momentum=0.9),
    "decayed sum gru": _base("decayed_sum", Recurrent, {"kind": "gru", "hidden": 24}, "adam", 1e-2, 32, 15),
    "low rank autoencoder": _base("low_rank", mlp, {"hidden": (32, 6, 32), "act": "tanh"}, "adam", 1e-2, 32, 40),
    "quantiles bn": _base("quantiles", mlp, {"hidden": (32, 32), "norm": True}, "sgd", 0.1, 32, 20, momentum=0.9),
}  # fmt: skip
CHECK: dict[str, Make] = {
    "noisy teacher": _base("noisy teacher", mlp, {"hidden": (32,)}, "sgd", 0.05, 32, 25, momentum=0.9),
    "binary teacher": _base("binary teacher", mlp, {"hidden": (40,)}, "adam", 3e-3, 32, 30),
    "noisy rings": _base("noisy rings", mlp, {"hidden": (32, 32)}, "adam", 1e-2, 32, 25),
    "two of twelve, logits": _base("two of twelve", mlp, {"hidden": (24,), "act": "tanh"}, "sgd", 0.2, 32, 20, "bce"),
    "hastie deep": _base("hastie", mlp, {"hidden": (32,) * 4, "init": "he"}, "adam", 3e-3, 32, 20),
    "close blobs": _base("close_blobs", mlp, {"hidden": (16,)}, "sgd", 0.1, 16, 12, momentum=0.9),
    "waves, huber": _base("waves", mlp, {"hidden": (64, 32), "act": "gelu"}, "adamw", 5e-3, 32, 40, "huber", decay=1e-3),
    "friedman2": _base("friedman2", mlp, {"hidden": (32,)}, "sgd", 0.1, 16, 30),
    "friedman3 bn, l1": _base("friedman3", mlp, {"hidden": (48,), "norm": True}, "adam", 1e-2, 32, 30, "l1"),
    "corners cnn": _base("corners", cnn, {"channels": (8, 8), "side": 4}, "adam", 1e-2, 32, 15),
    "more ups rnn": _base("more_ups", Recurrent, {"kind": "lstm", "hidden": 16}, "adam", 1e-2, 32, 12),
    "which first attention": _base("which_first", Attention, {}, "adam", 5e-3, 32, 15),
    "small digits": _base("small_digits", mlp, {"hidden": (32, 32)}, "rmsprop", 3e-3, 16, 10),
}  # fmt: skip
