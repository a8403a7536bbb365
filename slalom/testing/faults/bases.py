"""Healthy set-ups to start from, split by task: thresholds are tuned on one half, figures are reported on the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.nn import functional as F

from slalom.testing.faults.nets import Attention, Recurrent, cnn, mlp
from slalom.testing.faults.spec import Spec
from slalom.testing.faults.tasks import TASKS

Make = Callable[[int], Spec]


def _base(task: str, build: Any, net: dict[str, Any], opt: str, lr: float, batch: int, epochs: int, **more: Any) -> Make:
    def make(seed: int) -> Spec:
        x, y, xv, yv = TASKS[task](seed)
        number = y.is_floating_point()
        loss = F.mse_loss if number else F.cross_entropy
        score = "r2" if number else "accuracy"
        return Spec(task, x, y, xv, yv, build, net, loss, opt, lr, batch, epochs, score=score, seed=seed, **more)

    return make


TUNED: dict[str, Make] = {
    "digits mlp": _base("digits", mlp, {"n": 64, "out": 10, "hidden": (64,), "act": "tanh"}, "sgd", 0.2, 32, 20),
    "digits cnn": _base("digits_images", cnn, {"out": 10}, "adam", 1e-2, 32, 20),
    "moons mlp": _base("moons", mlp, {"n": 2, "out": 2, "hidden": (32, 32)}, "adam", 1e-2, 32, 30),
    "breast_cancer mlp": _base("breast_cancer", mlp, {"n": 30, "out": 2, "hidden": (32,)}, "adam", 3e-3, 32, 20),
    "breast_cancer bn": _base("breast_cancer", mlp, {"n": 30, "out": 2, "hidden": (32, 32), "norm": True}, "sgd", 0.05, 64, 20,
                              momentum=0.9),
    "sine mlp": _base("sine", mlp, {"n": 1, "out": 1, "hidden": (32, 32), "act": "tanh"}, "adam", 1e-2, 32, 40),
    "blobs deep": _base("blobs", mlp, {"n": 6, "out": 4, "hidden": (32,) * 8, "init": "he"}, "adam", 1e-3, 32, 25),
    "linear regression": _base("linear", mlp, {"n": 10, "out": 1, "hidden": (24,)}, "sgd", 0.05, 32, 30, momentum=0.9),
    "first_sign gru": _base("first_sign", Recurrent, {"features": 2, "out": 2, "kind": "gru"}, "adam", 1e-2, 32, 20),
}  # fmt: skip
REPORTED: dict[str, Make] = {
    "wine mlp": _base("wine", mlp, {"n": 13, "out": 3, "hidden": (32,)}, "sgd", 0.05, 16, 40, momentum=0.9),
    "iris mlp": _base("iris", mlp, {"n": 4, "out": 3, "hidden": (16, 16), "act": "tanh"}, "adam", 1e-2, 16, 40),
    "circles mlp": _base("circles", mlp, {"n": 2, "out": 2, "hidden": (32, 32)}, "sgd", 0.1, 32, 40, momentum=0.9),
    "spirals deep": _base("spirals", mlp, {"n": 2, "out": 2, "hidden": (48,) * 4, "init": "he"}, "adam", 5e-3, 32, 40),
    "diabetes mlp": _base("diabetes", mlp, {"n": 10, "out": 1, "hidden": (16,)}, "adam", 3e-3, 32, 25),
    "friedman bn": _base("friedman", mlp, {"n": 8, "out": 1, "hidden": (48, 48), "norm": True}, "adam", 5e-3, 32, 30),
    "glyphs cnn": _base("glyphs", cnn, {"out": 4, "channels": (12, 16)}, "adam", 5e-3, 32, 20),
    "adding gru": _base("adding", Recurrent, {"features": 2, "out": 1, "kind": "gru"}, "adam", 1e-2, 32, 20),
    "majority attention": _base("majority", Attention, {"features": 3, "out": 3}, "adam", 3e-3, 32, 15),
    "faces autoencoder": _base("faces", mlp, {"n": 64, "out": 64, "hidden": (48, 16, 48)}, "adam", 3e-3, 32, 30),
}  # fmt: skip
BASES = {**TUNED, **REPORTED}


def base(name: str, seed: int = 0) -> Spec:
    """A healthy set-up by its name, for a seed of data, split and weights."""
    return BASES[name](seed)
