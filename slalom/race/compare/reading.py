"""What a race of variants says of each method: its gain over the baseline, paired over seeds, and whether that is a tie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from slalom.core.errors import BadValueError
from slalom.race.leaderboard import by_lr, finished, mean_of, merit, paired, sd_of
from slalom.race.results import LaneResult

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"
LINEAR = "identity"


@dataclass(frozen=True)
class ComparedRow:
    """A method at the strength and learning rate that validation picks, on test against the baseline's best.

    `gain`: how much better its test metric is, in the metric's own units, positive = better; mean of paired differences
    over seeds. `verdict`: "baseline", "helps", "tie", "hurts", or "no lane finished". `tried`: how many strengths.
    """

    method: str
    rule: str  # the variant's name on the leaderboard
    lr: float
    seeds: int
    val_metric: float
    test_metric: float
    test_metric_sd: float
    gain: float
    standard_error: float
    verdict: str
    tried: int


def method_of(variant: Mapping[str, Any]) -> str:
    """The name of what a variant is: its settings' names, without strengths; activations by their own.

    >>> method_of({"l1": 0.1, "l2": 1.0}), method_of({"augment": "shift=1+noise=0.1"}), method_of({"dropout": 0.0})
    ('elastic_net', 'shift+noise', 'none')
    """
    parts = [variant["activation"]] if "activation" in variant else []
    named = ("width", "batch_norm", "dropout", "l1", "l2", "weight_decay", "label_smoothing", "early_stopping")
    on = [k for k in named if variant.get(k)]
    if "l1" in on and "l2" in on:
        on = ["elastic_net" if k == "l1" else k for k in on if k != "l2"]
    if "l1_method" in variant:
        on = [f"{k} (subgradient)" if k in ("l1", "elastic_net") else k for k in on]
    if "augment" in variant:
        on.append("+".join(way.partition("=")[0] for way in variant["augment"].split("+")))
    return ", ".join([*parts, *on]) or NONE


class Comparison(Sequence[ComparedRow]):
    """Rows from the largest gain to the smallest, the baseline among them; printing it gives a table.

    A gain counts where it is beyond its standard error by Student's t at 95 %, shared among all methods held against the
    baseline; else it is a tie. Strength and learning rate of each, the baseline's too, are picked on validation.
    """

    def __init__(
        self,
        lanes: Sequence[LaneResult],
        metric: str,
        higher_is_better: bool,
        baseline: str | None = None,
        samples: int | None = None,
    ) -> None:
        self.metric, self.higher_is_better = metric, higher_is_better
        sign = 1 if higher_is_better else -1
        groups: dict[str, dict[tuple[str, float], list[LaneResult]]] = {}
        for rule in dict.fromkeys(lane.rule for lane in lanes):
            for lr, group in by_lr([lane for lane in lanes if lane.rule == rule]).items():
                groups.setdefault(method_of(group[0].variant), {})[rule, lr] = group
        self.baseline = baseline or (NONE if NONE in groups else next(iter(groups), NONE))
        if self.baseline not in groups:
            raise BadValueError(f"comparison: the baseline must be one of {', '.join(groups) or 'the methods'}, got {baseline!r}")
        picked = {m: max(g, key=lambda at: merit(g[at], higher_is_better)) for m, g in groups.items()}
        score = {m: {s: sign * v for s, v in finished(groups[m][at], "test_metric").items()} for m, at in picked.items()}
        made = []
        for method, (rule, lr) in picked.items():
            group = groups[method][rule, lr]
            gap = paired(score[method], score[self.baseline], samples)
            values = list(finished(group, "test_metric").values())
            tried = len({name for name, _ in groups[method]})
            verdict = self._verdict(method, bool(values), gap.mean, gap.tied(max(len(groups) - 1, 1)))
            made.append(
                ComparedRow(
                    method, rule, lr, len(values), mean_of(list(finished(group, "val_metric").values())), mean_of(values),
                    sd_of(values), 0.0 if method == self.baseline else gap.mean, gap.standard_error, verdict, tried,
                )
            )  # fmt: skip
        self._rows = sorted(made, key=lambda r: (r.gain != r.gain, -r.gain))

    def _verdict(self, method: str, ran: bool, gain: float, tied: bool) -> str:
        if method == self.baseline:
            return "baseline"
        if not ran or math.isnan(gain):
            return "no lane finished"
        return "tie" if tied else "helps" if gain > 0 else "hurts"

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[ComparedRow]:
        return iter(self._rows)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self._rows])

    @property
    def sentence(self) -> str:
        """The answer in a sentence or two: what helps, what hurts, what is a tie."""
        base = next(r for r in self._rows if r.method == self.baseline)
        seeds = f"over {base.seeds} seed{'s' * (base.seeds != 1)}"
        of = {v: [r for r in self._rows if r.verdict == v] for v in ("helps", "tie", "hurts", "no lane finished")}
        first = f"Against {self.baseline} (test {self.metric} {base.test_metric:.4g}), {seeds}: "
        if not base.seeds:
            return f"No lane of {self.baseline} finished, so there is nothing to hold the others against."
        if base.seeds < 2:
            return f"{first}with one seed a gain cannot be told from luck."
        parts = []
        if of["helps"]:
            parts.append("better " + ", ".join(f"{r.method} {r.gain:+.3g} ± {r.standard_error:.2g}" for r in of["helps"]))
        if of["hurts"]:
            parts.append("worse " + ", ".join(f"{r.method} {r.gain:+.3g} ± {r.standard_error:.2g}" for r in of["hurts"]))
        if of["tie"]:
            parts.append(("all others are ties" if parts else "all are ties") + f" ({', '.join(r.method for r in of['tie'])})")
        if of["no lane finished"]:
            parts.append(f"no lane finished of {', '.join(r.method for r in of['no lane finished'])}")
        return first + "; ".join(parts) + "." + self._control(base)

    def _control(self, base: ComparedRow) -> str:
        linear = next((r for r in self._rows if r.method == LINEAR), None)
        if linear is None or base.method == LINEAR or linear.verdict not in ("tie", "helps"):
            return ""
        return f" A linear network ({LINEAR}) does as well as {base.method}: this task cannot rank activations."

    def __str__(self) -> str:
        wide = max([12, *(len(r.rule) for r in self._rows)])
        name = max([10, *(len(r.method) for r in self._rows)])
        lines = [f"{'method':<{name}}  {'picked on validation':<{wide}} {'lr':>9}  {f'test {self.metric}':>18}  gain"]
        for r in self._rows:
            test = f"{r.test_metric:.4f} ± {r.test_metric_sd:.4f}"
            gain = "" if r.verdict == "baseline" else f"{r.gain:+.4f} ± {r.standard_error:.4f}  "
            lines.append(f"{r.method:<{name}}  {r.rule:<{wide}} {r.lr:>9.3g}  {test:>18}  {gain}{r.verdict}")
        return "\n".join([*lines, self.sentence])

    __repr__ = __str__
