"""The leaderboard as a table, with what its figures are and what they do not say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from slalom.race.results import LeaderRow
from slalom.terminal import marks

EDGE = "*"
AGAINST = "against the leader"
LR = "lr [not told apart]"
NARROWEST_NAME = 12  # letters of a rule's name that stay on one line
GAP = 2  # blanks between columns


def _measured(row: LeaderRow) -> bool:
    return math.isfinite(row.test_metric) or math.isfinite(row.val_metric)


def interval(row: LeaderRow) -> str:
    """The best learning rate with its interval, and a star where it is the grid's last; a dash where none was found."""
    if not _measured(row):
        return "-"
    ends = (row.lr_low, row.lr_high)
    around = f" [{marks.rate(ends[0])}, {marks.rate(ends[1])}]" if all(map(math.isfinite, ends)) and ends[0] != ends[1] else ""
    return f"{marks.rate(row.lr)}{EDGE if row.at_edge else ''}{around}"


def behind(row: LeaderRow, leader: bool) -> str:
    """The paired difference to the leader with its standard error, or that it is a tie."""
    if not row.seeds:
        return "no lane finished"
    if not math.isfinite(row.test_metric):
        return "no finite figure"
    if leader:
        return "leads"
    if not math.isfinite(row.difference):
        return "tied" if row.tied else "-"
    error = "" if math.isnan(row.standard_error) else f" ± {marks.number(row.standard_error)}"
    gap = f"{marks.number(abs(row.difference))}{error} {'ahead' if row.difference < 0 else 'behind'}"
    return f"tied ({gap})" if row.tied else gap


def table(rows: Iterable[LeaderRow], metric: str, width: int) -> Table:
    """A row a rule, best first: test metric (mean ± sd over seeds), learning rate, validation, distance to the leader.

    No figure is ever cut: where `width` is too small, whole columns are left out, then long names folded, then the
    intervals of the learning rates left out.
    """
    rows = list(rows)
    columns = {
        "": [str(row.rank) for row in rows],
        "rule": [row.rule for row in rows],
        f"test {metric}": [marks.spread(row.test_metric, row.test_metric_sd) for row in rows],
        LR: [interval(row) for row in rows],
        f"val {metric}": [marks.spread(row.val_metric, row.val_metric_sd) for row in rows],
        AGAINST: [behind(row, row is rows[0]) for row in rows],
        "retired": [f"{row.retired}/{row.lanes}" for row in rows],
    }
    if not any(row.retired for row in rows):
        del columns["retired"]
    short = ["none" if not row.seeds else "leads" if row is rows[0] else "tied" if row.tied else "behind" for row in rows]
    spared: list[tuple[str, list[str] | None]] = [("retired", None), (f"val {metric}", None), (AGAINST, short), ("leader", None)]
    for name, instead in spared:
        if sum(max(map(len, [title, *cells])) + GAP for title, cells in columns.items()) > width:
            columns.pop(name, None)
            if instead:
                columns["leader"] = instead
    names = columns["rule"]
    room = width - sum(max(map(len, [title, *cells])) + GAP for title, cells in columns.items() if title != "rule")
    if room < min(NARROWEST_NAME, max(map(len, names))) + GAP:  # a name must not stand upright, a letter a line
        columns = {("lr" if k == LR else k): ([c.split(" ")[0] for c in v] if k == LR else v) for k, v in columns.items()}
    made = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim")
    for name in columns:
        made.add_column(
            Text(name), no_wrap=name != "rule", overflow="fold", justify="right" if name in ("", "retired") else "left"
        )
    for row, cells in zip(rows, zip(*columns.values(), strict=True), strict=True):
        leader = row is rows[0]
        styles = {
            "rule": "bold green" if leader else "bold" if row.tied else "",
            AGAINST: "green" if leader else "yellow" if row.tied else "dim",
            "retired": "red" if row.retired else "dim",
        }
        made.add_row(*(Text(cell, styles.get(name, "")) for name, cell in zip(columns, cells, strict=True)))
    return made


def title(result: Any, seconds: float | None = None) -> Text:
    """What raced on what, and how long it took where that is known."""
    lanes = result.lanes
    retired = sum(lane.status == "retired" for lane in lanes)
    text = Text.assemble(
        (str(result.plan["model_name"]), "bold cyan"), " on ", (str(result.data["name"]), "bold cyan"),
        f": {marks.count(len(lanes), 'lane')}",
    )  # fmt: skip
    if retired:
        text.append(f", {retired} retired", "red")
    if unfinished := sum(lane.status == "unfinished" for lane in lanes):
        text.append(f", {unfinished} unfinished", "yellow")
    if seconds is not None:
        text.append(f", {marks.clock(seconds)}")
    return text


def legend(rows: Iterable[LeaderRow]) -> list[str]:
    """What the table's figures are, and what its marks mean where they occur."""
    from slalom.figures import words  # brings torch along, which takes seconds

    rows = list(rows)
    seeds = max((row.seeds for row in rows), default=0)
    if not seeds:
        return []
    lines = [
        f"Learning rates are chosen on the validation part; the figures are mean ± sd over {marks.count(seeds, 'seed')} "
        f"at the chosen one. In brackets: the neighbours that these seeds cannot tell from it."
    ]
    if any(row.tied for row in rows[1:]):
        lines.append(
            "tied: the 95 % interval of the paired difference to the leader, over the seeds and shared among the rules, holds 0."
        )
    if edges := [row.rule for row in rows if row.at_edge and _measured(row)]:
        lines.append(f"{EDGE} the last of its grid is the best rate of {words.list_names(edges)}: there may be a better one.")
    return lines


def found(result: Any, rows: Iterable[LeaderRow]) -> list[str]:
    """A line for each rule whose lanes at its best rate show something wrong: what, in how many of them, and the remedy."""
    told = result.findings
    lines = []
    for row in rows:
        lanes = [lane for lane in result.lanes if lane.rule == row.rule and lane.lr == row.lr and lane.status == "finished"]
        seen: dict[str, list[Any]] = {}
        for lane in lanes:
            for finding in told.get(lane.lane, ()):
                seen.setdefault(finding.label, []).append(finding)
        for label, own in seen.items():
            share = f" in {len(own)} of {len(lanes)} seeds" if len(lanes) > 1 else ""
            lines.append(f"{row.rule} at {marks.rate(row.lr)}: {label.replace('_', ' ')}{share}; {own[0].remedy}")
    return lines


def fallen(result: Any) -> list[str]:
    """A line for each rule all of whose lanes retired: where the first one fell, and why."""
    lines = []
    for rule in dict.fromkeys(lane.rule for lane in result.lanes):
        lanes = [lane for lane in result.lanes if lane.rule == rule]
        if all(lane.status == "retired" for lane in lanes):
            first = min(lanes, key=lambda lane: (lane.retired_step or 0, lane.lane))
            gone = f"all of its {len(lanes)} lanes retired, the first" if len(lanes) > 1 else "its one lane retired"
            lines.append(f"{rule}: {gone} (lr {marks.rate(first.lr)}) at step {first.retired_step}: {first.reason}")
    return lines


def verdict(result: Any) -> str:
    """The page's own sentence on this race: who leads, who is tied, what not to conclude."""
    from slalom.figures import words

    return words.verdict_of(result)


def outcome(result: Any, report: str | None = None) -> Mapping[str, Any]:
    """The final object of `--json`: everything of a race result but its curves."""
    return {
        "directory": None if result.directory is None else str(result.directory),
        "report": report,
        "metric": result.metric,
        "higher_is_better": result.higher_is_better,
        "plan": result.plan,
        "environment": result.environment,
        "data": result.data,
        "leaderboard": list(result.leaderboard()),
        **({"comparison": list(result.comparison())} if result.plan.get("compare") else {}),
        "lanes": list(result.lanes),
        "notes": list(result.notes),
    }
