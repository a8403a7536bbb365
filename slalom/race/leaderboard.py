"""The leaderboard: each rule at the learning rate that validation picks, reported on test, ties called ties."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slalom.race.results import LaneResult, LeaderRow

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Paired:
    """Mean of differences over seeds and its standard error (NaN for one seed)."""

    mean: float
    standard_error: float
    seeds: int

    def tied(self, comparisons: int = 1) -> bool:
        """Whether 0 is within Student's t interval shared among `comparisons` (Bonferroni). One seed tells nothing apart."""
        if self.seeds < 2:
            return True
        from scipy.stats import t

        critical = float(t.ppf(1 - (1 - CONFIDENCE) / (2 * comparisons), self.seeds - 1))
        return bool(abs(self.mean) <= critical * self.standard_error)


def paired(first: dict[int, float], second: dict[int, float], samples: int | None = None) -> Paired:
    """First minus second over the seeds that both have.

    `samples`: for a share of right answers, how many were asked. Two shares that differ by d differ on d of the samples at
    least, so the standard error holds at least sqrt(d (1 - d) / samples) (McNemar 1947): seeds that agree on a difference
    of one sample do not make it a difference.

    >>> paired({0: 0.9, 1: 0.8, 2: 0.9}, {0: 0.2, 1: 0.1, 2: 0.2}, samples=100).tied()
    False
    >>> paired({0: 0.99, 1: 0.98}, {0: 0.98, 1: 0.97}, samples=100).tied()
    True
    """
    common = sorted(first.keys() & second.keys())
    if not common:
        return Paired(math.nan, math.nan, 0)
    d = np.array([first[s] - second[s] for s in common])
    mean = float(d.mean())
    variance = float(d.var(ddof=1)) / len(d) if len(d) > 1 else math.nan
    share = min(abs(mean), 1.0)
    floor = 0.0 if samples is None else share * (1 - share) / samples
    return Paired(mean, math.sqrt(variance + floor), len(d))


def by_lr(lanes: Sequence[LaneResult]) -> dict[float, list[LaneResult]]:
    """A rule's lanes by learning rate, ascending."""
    return {lr: [lane for lane in lanes if lane.lr == lr] for lr in sorted({lane.lr for lane in lanes})}


def best_lr(lanes: Sequence[LaneResult], higher_is_better: bool) -> float:
    """The rate of the most merit."""
    groups = by_lr(lanes)
    return max(groups, key=lambda lr: merit(groups[lr], higher_is_better))


def merit(group: Sequence[LaneResult], higher_is_better: bool) -> tuple[float, float, float]:
    """The most seeds that finished with a number, then the best mean validation metric, then the lowest validation loss."""
    done = [lane for lane in group if lane.status == "finished"]
    if not done:
        return (0, -math.inf, -math.inf)
    told = [lane.val_metric for lane in done if lane.val_metric == lane.val_metric]
    metric = mean_of(told) * (1 if higher_is_better else -1) if told else -math.inf
    loss = -mean_of([lane.val_loss for lane in done])
    return (len(told), metric, loss if loss == loss else -math.inf)


def finished(group: Sequence[LaneResult], field: str) -> dict[int, float]:
    return {lane.seed: getattr(lane, field) for lane in group if lane.status == "finished"}


def mean_of(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def sd_of(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def interval(groups: dict[float, list[LaneResult]], best: float, samples: int | None = None) -> tuple[float, float]:
    """The neighbouring rates around `best` that paired validation metrics cannot tell from it."""
    lrs, chosen = list(groups), finished(groups[best], "val_metric")
    at = lrs.index(best)

    def same(i: int) -> bool:
        other = finished(groups[lrs[i]], "val_metric")
        return len(chosen) > 1 and other.keys() == chosen.keys() and paired(chosen, other, samples).tied()

    low = high = at
    while low > 0 and same(low - 1):
        low -= 1
    while high < len(lrs) - 1 and same(high + 1):
        high += 1
    return lrs[low], lrs[high]


class Leaderboard(Sequence[LeaderRow]):
    """Rows from best to worst mean test metric; printing it gives a table.

    A rule is tied with the leader unless the paired difference over seeds is beyond its standard error by Student's t at 95 %,
    shared among all rules compared, since the leader is picked as the best of them. `samples`: sizes of the validation and
    test parts, where the metric is a share of right answers (see `paired`).
    """

    def __init__(
        self, lanes: Sequence[LaneResult], metric: str, higher_is_better: bool, samples: tuple[int, int] | None = None
    ) -> None:
        self.metric = metric
        self.higher_is_better = higher_is_better
        sign = 1 if higher_is_better else -1
        rules = list(dict.fromkeys(lane.rule for lane in lanes))
        per_rule = {rule: by_lr([lane for lane in lanes if lane.rule == rule]) for rule in rules}
        chosen = {rule: best_lr([lane for lane in lanes if lane.rule == rule], higher_is_better) for rule in rules}
        score = {rule: finished(per_rule[rule][chosen[rule]], "test_metric") for rule in rules}
        losses = {rule: finished(per_rule[rule][chosen[rule]], "test_loss") for rule in rules}

        def place(rule: str) -> tuple[bool, float, float]:
            mean, loss = mean_of(list(score[rule].values())), mean_of(list(losses[rule].values()))
            return (mean != mean, -sign * mean, loss)

        order = sorted(rules, key=place)
        self._rows = []
        for rank, rule in enumerate(order, 1):
            groups, lr = per_rule[rule], chosen[rule]
            group = groups[lr]
            leader = {s: sign * v for s, v in score[order[0]].items()}
            own = {s: sign * v for s, v in score[rule].items()}
            gap = Paired(0.0, 0.0, len(own)) if rank == 1 else paired(leader, own, samples[1] if samples else None)
            low, high = interval(groups, lr, samples[0] if samples else None)
            columns: dict[str, Any] = {}
            for field in ("val_metric", "val_loss", "test_metric", "test_loss"):
                values = list(finished(group, field).values())
                columns[field], columns[f"{field}_sd"] = mean_of(values), sd_of(values)
            edge = len(groups) > 1 and lr in (min(groups), max(groups))
            tied = rank == 1 or (bool(own) and gap.tied(len(rules) - 1))
            every = [lane for lanes_at in groups.values() for lane in lanes_at]
            self._rows.append(
                LeaderRow(
                    rank=rank, rule=rule, lr=lr, lr_low=low, lr_high=high, seeds=len(score[rule]), difference=gap.mean,
                    standard_error=gap.standard_error, tied=tied, at_edge=edge, lanes=len(every),
                    retired=sum(lane.status == "retired" for lane in every), **columns,
                )
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[LeaderRow]:
        return iter(self._rows)

    def untested(self) -> Leaderboard:
        """The same rows in the same order without test figures: of a race whose test part is still closed."""
        made, nan = copy.copy(self), math.nan
        made._rows = [replace(row, test_metric=nan, test_metric_sd=nan, test_loss=nan, test_loss_sd=nan) for row in self._rows]
        return made

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self._rows])

    def __str__(self) -> str:
        wide = max([24, *(len(r.rule) for r in self._rows)])
        head = f"{'':>2} {'rule':<{wide}} {'lr':>9}  {f'test {self.metric}':>18}  {f'val {self.metric}':>18}  against the leader"
        lines = [head]
        for r in self._rows:
            test, val = f"{r.test_metric:.4f} ± {r.test_metric_sd:.4f}", f"{r.val_metric:.4f} ± {r.val_metric_sd:.4f}"
            if not r.seeds:
                said = "no lane finished"
            elif math.isnan(r.test_metric):
                said = f"{self.metric} is not a number"
            elif r.rank == 1:
                said = "leads"
            else:
                said = "tied" if r.tied else f"behind by {r.difference:.4f} ± {r.standard_error:.4f}"
            edge = "  (best lr at the grid's edge)" if r.at_edge else ""
            lines.append(f"{r.rank:>2} {r.rule:<{wide}} {r.lr:>9.3g}  {test:>18}  {val:>18}  {said}{edge}")
        return "\n".join(lines)

    __repr__ = __str__
