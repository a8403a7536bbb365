"""The leaderboard on the terminal: figures with their spread, ties as ties, edges and empty rules marked."""

import dataclasses
import io
import math
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from slalom.race.results import LeaderRow
from slalom.terminal.race import standings

ROW = LeaderRow(
    rank=1, rule="adam", lr=1.7783e-3, lr_low=1e-3, lr_high=1e-2, seeds=3, val_metric=0.98, val_metric_sd=0.002, val_loss=0.1,
    val_loss_sd=0.01, test_metric=0.971, test_metric_sd=0.0034, test_loss=0.12, test_loss_sd=0.02, difference=0.0,
    standard_error=0.0, tied=True, at_edge=False, lanes=27, retired=0,
)  # fmt: skip


def row(**changes: Any) -> LeaderRow:
    """The leader's row, changed."""
    return dataclasses.replace(ROW, **changes)


def printed(rows: list[LeaderRow], width: int = 120) -> list[str]:
    """The table as lines of text."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(standings.table(rows, "accuracy", width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_each_rule_has_its_figures_with_spread_and_its_distance() -> None:
    behind = row(rank=2, rule="sgd", tied=False, difference=0.0213, standard_error=0.0011, at_edge=True, lr_low=1e-3, retired=3)
    tied = row(rank=3, rule="lion", difference=-0.001, standard_error=0.004)
    head, first, second, third = printed([ROW, behind, tied])
    assert "test accuracy" in head
    assert "lr [not told apart]" in head  # brackets are no markup
    assert "val accuracy" in head
    assert first.split("  ")[0].strip() == "1"
    assert "0.9710 ± 0.0034" in first
    assert "1.78e-3 [1e-3, 0.01]" in first
    assert "leads" in first
    assert "0.0213 ± 0.0011 behind" in second
    assert "tied" not in second
    assert "1.78e-3*" in second
    assert second.endswith("3/27")
    assert "tied (0.0010 ± 0.0040 ahead)" in third


def test_one_seed_has_no_spread_and_an_interval_of_one_rate_is_left_out() -> None:
    nan = math.nan
    alone = row(
        seeds=1, test_metric_sd=nan, val_metric_sd=nan, standard_error=nan, difference=0.5, lr_low=1.7783e-3, lr_high=1.7783e-3
    )
    first, second = printed([ROW, alone])[1:]
    assert "±" in first
    assert "±" not in second
    assert "[" not in second
    assert "tied (0.5000 behind)" in second


def test_a_rule_whose_lanes_all_retired_says_so() -> None:
    nan = math.nan
    out = row(rank=2, rule="nag", seeds=0, tied=False, test_metric=nan, test_metric_sd=nan, difference=nan, retired=27)
    out = dataclasses.replace(out, val_metric=nan, at_edge=True)
    line = printed([ROW, out])[2]
    assert "no lane finished" in line
    assert "e-3" not in line  # no rate of it is the best one
    assert standings.EDGE not in "".join(standings.legend([ROW, out]))
    assert line.endswith("27/27")
    assert standings.legend([out]) == []


def test_the_legend_explains_the_marks_that_occur_and_no_others() -> None:
    other = row(rank=2, rule="sgd", tied=False, difference=0.1)
    plain = "\n".join(standings.legend([ROW, other]))
    assert "3 seeds" in plain
    assert "tied:" not in plain
    assert standings.EDGE not in plain
    marked = "\n".join(standings.legend([ROW, dataclasses.replace(other, tied=True, at_edge=True)]))
    assert "tied:" in marked
    assert "* the last of its grid is the best rate of sgd" in marked


def test_no_figure_is_cut_on_a_narrow_terminal() -> None:
    long = row(rank=2, rule="adam(b2=0.99, amsgrad=True)", difference=0.01, standard_error=0.002, retired=4)
    for width in (140, 120, 100, 80, 60):
        lines = printed([ROW, long], width)
        text = "\n".join(lines)
        assert max(map(len, lines)) <= width
        assert "…" not in text
        assert text.count("0.9710 ± 0.0034") == 2
        assert text.count("1.78e-3 [1e-3, 0.01]") == 2
    assert "0.9800 ± 0.0020" in "\n".join(printed([ROW, long], 120))
    narrow = printed([ROW, long], 80)
    assert "val accuracy" not in narrow[0]
    assert narrow[1].endswith("leads")
    assert narrow[2].endswith("tied")


def test_a_leader_without_a_finite_figure_leads_nothing() -> None:
    out = row(test_metric=-math.inf, val_metric=-math.inf, difference=math.nan, at_edge=True)
    line = printed([out, dataclasses.replace(out, rank=2, rule="sgd")])[1]
    assert "leads" not in line
    assert "no finite figure" in line
    assert standings.EDGE not in line


def test_why_a_rule_fell_out_is_said() -> None:
    def lane(number: int, rule: str, status: str, step: int | None) -> SimpleNamespace:
        return SimpleNamespace(lane=number, rule=rule, status=status, lr=0.01, retired_step=step, reason=f"reason {step}")

    lanes = [
        lane(0, "nag", "retired", 7),
        lane(1, "nag", "retired", 3),
        lane(2, "sgd", "retired", 1),
        lane(3, "sgd", "finished", None),
    ]
    lines = standings.fallen(SimpleNamespace(lanes=[*lanes, lane(4, "lion", "retired", 2)]))
    assert lines == [
        "nag: all of its 2 lanes retired, the first (lr 0.01) at step 3: reason 3",
        "lion: its one lane retired (lr 0.01) at step 2: reason 2",
    ]


def test_on_a_very_narrow_terminal_names_stay_readable() -> None:
    lines = printed([ROW, row(rank=2, rule="adagrad")], 44)
    assert max(map(len, lines)) <= 44
    assert len(lines) == 3  # a line a rule
    assert "adagrad" in lines[2]
    assert "0.9710 ± 0.0034" in lines[2]
    assert "1.78e-3" in lines[2]
    assert "[" not in "".join(lines)
