"""A race at the terminal from its first event to its last line: which view, what is left on the screen, which exit code."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from slalom.terminal import compared, exits, places, standings
from slalom.terminal.board import Board
from slalom.terminal.lines import JsonView, PlainView, QuietView
from slalom.terminal.live import LiveView
from slalom.terminal.output import console, say
from slalom.terminal.pages import OnEvent, served

Mode = Literal["live", "plain", "json", "quiet"]
View = LiveView | QuietView


def mode(*, json: bool, plain: bool, quiet: bool, terminal: bool) -> Mode:
    """The view that the options ask for; the live table needs a terminal.

    >>> mode(json=False, plain=False, quiet=False, terminal=False)
    'plain'
    """
    if json:
        return "json"
    if quiet:
        return "quiet"
    return "live" if terminal and not plain else "plain"


def view_of(chosen: Mode, out: Console) -> View:
    """The view of that mode, writing to stdout."""
    if chosen == "live":
        return LiveView(out)
    if chosen == "plain":
        return PlainView(say)
    return JsonView(say) if chosen == "json" else QuietView()


def race(given: dict[str, Any], resume: Path | None, chosen: Mode, report: Path | None, *, live: bool = False) -> int:
    """Start the race that the options describe, or go on with the one in `resume`; the exit code. `live`: serve its page too."""
    from slalom.race import api

    if report is not None:
        from slalom.report.shell import check_place

        check_place(report)
    if resume is not None:
        return watch(lambda view: api.resume(resume, on_event=view), chosen, report, resumed=True, live=live)
    if isinstance(given.get("lrs"), dict):  # named as typed; the race knows a rule by its label
        from slalom.race.entrants import entrant

        given = {**given, "lrs": {entrant(name).label: lrs for name, lrs in given["lrs"].items()}}
    if given.get("compare") is not None and "data" not in given:
        return _every_task(given, chosen, report, live)
    return _one(given, chosen, report, live)


def _every_task(given: dict[str, Any], chosen: Mode, report: Path | None, live: bool) -> int:
    """A comparison for which no data are named, on each task that it is made for; the worst exit code."""
    from slalom.core.errors import BadValueError
    from slalom.race.compare.kits import kit_of

    tasks = kit_of(given["compare"]).tasks
    if len(tasks) > 1 and report is not None:
        raise BadValueError(
            f"--compare {given['compare']} runs on {' and '.join(tasks)}, and --report names one page; name DATA too"
        )
    codes = []
    for task in tasks:
        own = {**given, "data": task}
        if len(tasks) > 1 and "directory" in given:
            own["directory"] = Path(given["directory"]) / task
        codes.append(_one(own, chosen, report, live))
    return max(codes)


def _one(given: dict[str, Any], chosen: Mode, report: Path | None, live: bool) -> int:
    from slalom.race import api

    if "directory" in given:
        return watch(lambda view: api.race(**given, on_event=view), chosen, report, live=live)
    where = places.fresh(given.get("data", "digits"))
    try:
        return watch(lambda view: api.race(**given, directory=where, on_event=view), chosen, report, live=live)
    finally:  # mistyped options leave nothing behind
        places.drop_if_empty(where)


def watch(
    start: Callable[[OnEvent], Any], chosen: Mode, report: Path | None = None, *, resumed: bool = False, live: bool = False
) -> int:
    """Run `start(on_event)`, show it, make the page (at `report`, else in the run directory), and return the exit code.

    `live`: serve the page while it runs; at a terminal, on while a page is open.

    When it is stopped or fails on the way, what is kept and how to go on is said on stderr; errors go on to the caller.
    A new run that fails before the end of its first epoch leaves no directory behind.
    """
    with served(live, linger=chosen == "live") as heard:
        return _watch(lambda view: start(heard(view)), chosen, report, resumed)


def _watch(start: Callable[[View], Any], chosen: Mode, report: Path | None, resumed: bool) -> int:
    out = console()
    view = view_of(chosen, out)
    try:
        with view:
            result = start(view)
    except KeyboardInterrupt:
        if isinstance(view, JsonView):
            view.say("interrupted", {"directory": view.board.directory})
        kept(view.board)
        raise
    except Exception as error:
        if resumed or isinstance(error, BrokenPipeError) or any(lane.epoch for lane in view.board.lanes.values()):
            kept(view.board)
        elif view.board.directory is not None:  # it failed before its first epoch, and would again: nothing is kept
            places.drop_unused(Path(view.board.directory))
        raise
    page: str | None = None
    try:
        where = report or (None if result.directory is None else Path(result.directory) / "report.html")
        if where is not None:
            result.report(where)
            page = str(where)
    finally:  # a page that cannot be written must not cost the leaderboard
        close(view, result, page, out)
    return exits.FINE if any(lane.status == "finished" for lane in result.lanes) else exits.NOTHING_FINISHED


def kept(board: Board) -> None:
    """Say on stderr what a stopped race leaves behind."""
    if board.directory is not None:
        print(f"slalom: what finished is kept in {board.directory}", file=sys.stderr)
        print(f"slalom: go on with: slalom race --resume {board.directory}", file=sys.stderr)


def close(view: View, result: Any, page: str | None, out: Console) -> None:
    """The last words of a race, in the manner of its view."""
    if isinstance(view, JsonView):
        view.say("result", standings.outcome(result, page))
    elif isinstance(view, LiveView | PlainView):
        seconds = view.board.done.seconds if view.board.done else None
        show(result, out, seconds=seconds, notes=isinstance(view, LiveView))  # plain lines have said them already
        if result.directory is not None:
            out.print(Text(f"directory  {result.directory}", "dim"), soft_wrap=True)
        if page is not None:
            out.print(Text(f"page       {page}   (one file: open it in a browser)", "dim"), soft_wrap=True)
    elif result.directory is not None:
        say(str(result.directory))


def show(result: Any, out: Console, *, seconds: float | None = None, notes: bool = True) -> None:
    """The leaderboard of a finished race: table, legend, notes and verdict."""
    rows = list(result.leaderboard())
    out.print(standings.title(result, seconds))
    out.print()
    if result.plan.get("compare"):
        _show_comparison(result, out)
    if rows:
        out.print(standings.table(rows, result.metric, out.width))
        out.print()
        for line in standings.legend(rows):
            out.print(Text(line, "dim"))
    for line in standings.fallen(result):
        out.print(Text(line, "red"))
    for line in standings.found(result, rows):
        out.print(Text(line, "yellow"))
    for note in result.notes if notes else []:
        out.print(Text(f"note: {note}", "yellow"))
    out.print()
    out.print(Text(standings.verdict(result), "bold"))
    if result.directory is not None and any(lane.status == "unfinished" for lane in result.lanes):
        out.print(Text(f"go on with: slalom race --resume {result.directory}", "dim"), soft_wrap=True)
    out.print()


def _show_comparison(result: Any, out: Console) -> None:
    from slalom.core.errors import BadValueError

    try:
        comparison = result.comparison()
    except BadValueError:  # stopped before the baseline had run
        return
    out.print(compared.table(comparison, out.width))
    out.print()
    for line in compared.LEGEND:
        out.print(Text(line, "dim"))
    out.print()
    out.print(Text("Every variant by itself, against the best of all:", "dim"))
    out.print()


def show_directory(directory: Path, *, json: bool) -> int:
    """The leaderboard of a run directory, as a table or one JSON object; the exit code."""
    from slalom.race import api
    from slalom.terminal import search

    if search.is_search(directory):
        return search.show_directory(directory, json=json)
    result = api.load(directory)
    if json:
        JsonView(say).say("result", standings.outcome(result))
    else:
        show(result, console())
    return exits.FINE if any(lane.status == "finished" for lane in result.lanes) else exits.NOTHING_FINISHED


def report_directories(directories: Sequence[Path], output: Path | None, range_test: Path | None = None) -> None:
    """Make one page of run directories, with the range test of a JSON file where one is named, and say where it is."""
    from slalom.core.errors import BadDataError
    from slalom.race import api
    from slalom.report import report
    from slalom.terminal import search

    results: list[Any] = [search.loaded(d) if search.is_search(d) else api.load(d) for d in directories]
    if range_test is not None:
        try:
            results.append(json_format.loads(range_test.read_text()))
        except ValueError as error:
            made = f"make it with: slalom range --json > {range_test}"
            raise BadDataError(f"{range_test} holds no JSON ({error}); {made}") from error
    say(str(report(*results, path=output or directories[0] / "report.html")))
