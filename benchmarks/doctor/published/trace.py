"""What the published rules read, taken from a watched run: losses and accuracies by epoch, gradients by parameter, zeros."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from slalom.doctor.case import Case
from slalom.doctor.run import ForwardError
from slalom.doctor.setup import setup_of


@dataclass(frozen=True)
class Trace:
    """`loss`: by step; `train`, `val`, `accuracy`: by look; `gradients`: mean size by weight matrix [steps, matrices] (root mean
    square, which the tools' mean of absolute values follows); `dead`: largest share of ReLU units at 0, by glance; `saturated`:
    of activations; `ratios`: update over weight; `inputs`: the training inputs; `last`: what makes the outputs.
    """

    loss: np.ndarray
    train: np.ndarray
    val: np.ndarray
    accuracy: np.ndarray
    gradients: np.ndarray
    dead: tuple[float, ...]
    saturated: float
    ratios: np.ndarray
    inputs: torch.Tensor
    counts: list[int] | None
    lr: float
    last: str
    linear: bool
    dropout: float
    variances: np.ndarray

    @classmethod
    def of(cls, arguments: dict[str, Any]) -> Trace | None:
        """Runs a set-up and keeps what the rules read; None where it cannot run."""
        torch.manual_seed(0)
        case = Case(setup_of(**arguments), 0.0)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                run, start = case.run, case.start
        except ForwardError:
            return None
        named = dict(run.model.named_parameters())
        wide = [k for k, n in enumerate(run.names) if named[n].dim() > 1]
        size = np.array([math.sqrt(named[run.names[k]].numel()) for k in wide])
        layers = np.array(run.layers, dtype=float).reshape(len(run.layers), -1)
        drops = [m.p for m in case.setup.model.modules() if isinstance(m, torch.nn.Dropout)]
        return cls(
            np.array(run.losses), run.train(), run.val(), np.array([look.train_right for look in run.looks]),
            layers[:, wide] / size if len(layers) else np.zeros((0, len(wide))), tuple(s.dead for _, s in case.glances),
            max((op.saturated for op in start.ops), default=0.0), np.array(list(run.ratios.values())), case.setup.train[0],
            case.counts, case.hyper("lr"), start.last, bool(start.bare), max(drops, default=0.0),
            np.array([float(named[run.names[k]].detach().var()) for k in wide]),
        )  # fmt: skip
