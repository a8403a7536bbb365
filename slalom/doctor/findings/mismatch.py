"""Outputs that are not what the loss expects."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.fixes.loss_kind import log_probabilities, probabilities
from slalom.doctor.run import ForwardError

LABEL = "loss_output_mismatch"
BOUNDED = {
    "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0), "relu": (0.0, math.inf), "hardtanh": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0), "relu6": (0.0, 6.0), "logsigmoid": (-math.inf, 0.0), "log_softmax": (-math.inf, 0.0),
}  # fmt: skip
BEYOND = 0.1  # of the targets that no output can reach: with fewer, it may be meant so
LOSS_ERRORS = (
    "out of bounds", "expected scalar type", "size mismatch", "must match the size", "between 0 and 1", "expected floating point",
    "class probabilities", "target", "same size", "same shape", "batch_size", "shape", "0d or 1d", "dtype", "broadcast",
)  # fmt: skip


def look(case: Case) -> list[Finding]:
    """How outputs and loss go together on a batch; told before the first step."""
    outputs, y = case.outputs, case.batch[1]
    facts = case.loss
    if facts is None or not isinstance(outputs, Tensor):
        return []
    last = case.start.last
    if not facts.paired:
        words = "loss of targets in another order over the loss of these: it does not matter which target belongs to which output"
        shapes = f" (outputs {list(outputs.shape)}, targets {list(y.shape)})"
        return [_found(Figure("unpaired", 1.0, 1.0, words + shapes), broadcast=True)]
    if facts.softmax:
        sums = outputs.double().sum(facts.axis)
        if not log_probabilities(outputs) and (probabilities(outputs) or bool((outputs >= 0).all() and _ones(sums))):
            words = "sum of a row's outputs: they are probabilities already, and the loss applies softmax itself"
            return [_found(_figure("softmax", float(sums.mean()), words, 0.999))]
        if outputs.dim() == 2 and bool((outputs >= 0).all()) and len(outputs) > 2 and last == "softmax":
            return [_found(_figure("softmax", 1.0, "softmax at the output, along another axis than the classes"))]
        if last in ("sigmoid", "tanh", "hardsigmoid", "hardtanh", "logsigmoid") and not log_probabilities(outputs):
            size = float(outputs.abs().max())
            return [_found(_figure("bounded", size, f"largest output: {last} bounds what the loss takes as scores", 0.0))]
    if facts.linear and not log_probabilities(outputs):
        total = float(outputs.double().exp().sum(1).mean()) if outputs.dim() > 1 else math.nan
        return [_found(_figure("not_log", total, "sum over classes of exp(output), which is 1 for log-probabilities: the loss "
                               "takes those", 1.0))]  # fmt: skip
    if facts.sigmoid and last in ("sigmoid", "hardsigmoid", "tanh", "hardtanh", "softmax"):
        return [
            _found(
                _figure("sigmoid", float(outputs.max()), f"largest output: {last}, and the loss applies a sigmoid itself", 0.0)
            )
        ]
    if facts.distance and last in BOUNDED:
        low, high = BOUNDED[last]
        targets = case.setup.train[1].double()
        slack = 0.02 * float(targets.std()) if targets.numel() > 1 else 0.0
        beyond = float(((targets < low - slack) | (targets > high + slack)).double().mean())
        if beyond >= BEYOND:
            words = f"share of targets beyond what {last} at the output can reach, [{low:g}, {high:g}]"
            return [_found(Figure("beyond", beyond, BEYOND, words))]
    return []


def raised(error: ForwardError) -> Finding | None:
    """An exception of the loss on these outputs, as a finding where it is of a kind that is known; None for any other."""
    said = str(error.cause).lower()
    if error.stage == "loss_fn" and (isinstance(error.cause, IndexError) or any(word in said for word in LOSS_ERRORS)):
        first = str(error.cause).splitlines()[0]
        return finding(
            LABEL, (Figure("raised", 1.0, 1.0, f"the loss raised {type(error.cause).__name__}: {first}"),), 0.95, error.step
        )
    if error.stage == "model" and "more than 1 value per channel" in said:
        words = "rows of a batch, of which batch normalisation needs two"
        return finding("batch_too_small", (Figure("rows", 1.0, 2.0, words),), 0.95, error.step,
                       symptom="the model refuses a batch of one row", remedy="drop_last=True, or larger batches")  # fmt: skip
    return None


def _ones(sums: Tensor) -> bool:
    return bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))


def _figure(name: str, value: float, words: str, threshold: float = 1.0) -> Figure:
    return Figure(name, value, threshold, words)


def _found(figure: Figure, **about: Any) -> Finding:
    return finding(LABEL, (figure,), 0.96, 0, **about)
