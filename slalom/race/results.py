"""What a race hands back: one record a lane, curves, and a leaderboard that calls a tie a tie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LaneResult:
    """One lane at its end. Figures of a retired lane are NaN; `step` counts from 1.

    With early stopping the figures and weights are those of the epoch that was best on validation, `kept_epoch`.
    """

    lane: int
    rule: str  # "adam", or "adam(amsgrad=True)" where a race holds variants of a rule
    lr: float
    seed: int
    status: str  # "finished", "retired" or "unfinished"
    train_loss: float  # mean over the last epoch, or the one whose weights are kept
    val_loss: float
    val_metric: float
    test_loss: float
    test_metric: float
    steps: int
    retired_step: int | None = None
    last_finite_step: int | None = None
    reason: str = ""
    mechanism: str = ""  # how the lane was run: "native", "stacked", "traced", "vmap", "solo"
    hypers: Mapping[str, Any] = field(default_factory=dict)
    variant: Mapping[str, Any] = field(default_factory=dict)  # what it was regularised with, as in the plan
    stopped_epoch: int | None = None  # early stopping: the epoch after which it stopped, from 1; None: it ran to the end
    kept_epoch: int | None = None  # early stopping: the epoch whose weights and figures these are


@dataclass(frozen=True)
class LeaderRow:
    """A rule at its best learning rate. Spreads are standard deviations over seeds.

    `lr_low`, `lr_high`: the neighbouring learning rates that validation over these seeds cannot tell from the best.
    `difference`, `standard_error`: paired over seeds, test metric of the leader minus this rule's, positive = worse.
    `tied`: not distinguishable from the leader (always true of the leader). `at_edge`: the best lr is the grid's last.
    """

    rank: int
    rule: str
    lr: float
    lr_low: float
    lr_high: float
    seeds: int
    val_metric: float
    val_metric_sd: float
    val_loss: float
    val_loss_sd: float
    test_metric: float
    test_metric_sd: float
    test_loss: float
    test_loss_sd: float
    difference: float
    standard_error: float
    tied: bool
    at_edge: bool
    lanes: int
    retired: int
