"""A search at the terminal from its first event to its last line: views, what is left on the screen, exit codes."""

from __future__ import annotations

import json as json_format
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from slalom.terminal import exits, marks, places
from slalom.terminal.output import console, say
from slalom.terminal.race.session import Mode

SHOWN = 8  # of the best trials on the live screen


class Watch:
    """What is known of a search while it runs; says nothing. Views build on it."""

    def __init__(self) -> None:
        self.started: Any = None
        self.history: Any = None
        self.begin = time.monotonic()
        self.confirming = False

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __call__(self, event: Any) -> None:
        from slalom.tune.events import Started

        if isinstance(event, Started):
            self.started, self.begin = event, time.monotonic() - event.seconds
        self.told(event)

    def told(self, event: Any) -> None:
        """An event has come; `self.history` knows it already."""

    def share(self) -> float:
        """How much of the budget is used."""
        if self.history is None:
            return 0.0
        used: float = self.history.budget.share(len(self.history.told()), self.seconds, self.history.lane_steps)
        return min(used, 1.0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def left(self) -> float | None:
        """Seconds to go, by what has been used so far."""
        share = self.share()
        return self.seconds * (1 - share) / share if share > 0.02 else None

    def line(self) -> str:
        """Where the search stands, in one line."""
        told = self.history.told()
        rate = len(told) / max(self.seconds, 1e-9)
        best = self.history.ranking()[:1]
        left = self.left()
        said = f"{len(told)} trials, {rate:.1f}/s, {100 * self.share():.0f} % of {self.started.budget}"
        said += f", {marks.clock(left)} left" if left is not None and self.share() < 1 else ""
        return said + (f"; best so far {_figures(self.started.metric, best[0])}" if best else "")


def _figures(metric: str, trial: Any) -> str:
    return f"trial {trial.number}: loss {trial.loss:.4f}, {metric} {trial.metric:.4f} after {trial.epoch} epochs"


class PlainSearch(Watch):
    """A line for the start, each rung's end, the finalists and each note."""

    def told(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "Started":
            say(f"{event.model} on {event.data}: {event.space} parameters, {event.budget}, {event.lanes} side by side")
            say(f"{event.method}: {event.why}; compared after {', '.join(map(str, event.rungs))} epochs")
            if event.directory:
                say(f"directory: {event.directory}")
        elif kind == "Note" and not event.text.startswith(f"{self.started.method}:"):
            say(f"note: {event.text}")
        elif kind == "RungDone":
            say(self.line())
        elif kind == "Confirmed":
            say(f"{len(event.finalists)} finalists trained anew: trial {event.winner} wins")


class JsonSearch(Watch):
    """One JSON object a line."""

    def told(self, event: Any) -> None:
        from slalom.tune.events import line_of, to_text

        say(to_text(line_of(event)))


class LiveSearch(Watch):
    """One screen: budget, speed, the best so far."""

    def __init__(self, out: Console) -> None:
        super().__init__()
        self.live = Live(self.screen(), console=out, transient=True, refresh_per_second=4, get_renderable=self.screen)

    def __enter__(self) -> Watch:
        self.live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.live.__exit__(*error)

    def told(self, event: Any) -> None:
        self.confirming = self.confirming or (type(event).__name__ == "RungDone" and self.share() >= 1)

    def screen(self) -> Group:
        """What is on the screen now."""
        if self.started is None or self.history is None:
            return Group(Text("slalom  reading the data", "dim"))
        s = self.started
        head = Text.assemble(
            ("slalom  ", "bold"), "tuning ", (s.model, "cyan"), " on ", (s.data, "cyan"), f"   {s.space} parameters, {s.method}"
        )
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        share = self.share()
        bar.add_row(ProgressBar(total=1.0, completed=share, complete_style="green"), f"{100 * share:3.0f}% of {s.budget}")
        running = sum(t.state == "running" for t in self.history.trials)
        told = len(self.history.told())
        left = self.left()
        speed = f"{told} told, {running} running, {told / max(self.seconds, 1e-9):.1f} trials/s"
        speed += f", {marks.clock(self.seconds)} elapsed"
        speed += f", {marks.clock(left)} left" if left is not None and share < 1 else ""
        speed += "; training the finalists anew" if share >= 1 and not running else ""
        return Group(head, bar, Text(speed, "dim"), self._best())

    def _best(self) -> Table:
        from slalom.tune.history import shown

        table = Table(box=None, padding=(0, 1), header_style="dim", expand=True)
        for name in ("trial", "epochs", "loss", self.started.metric):
            table.add_column(name, no_wrap=True, justify="right", min_width=max(len(name), 6))
        table.add_column("configuration", overflow="fold", ratio=1)
        for k, t in enumerate(self.history.ranking()[:SHOWN]):
            config = Text(shown(self.history.space.varying(t.config)))
            if k:  # the best one is shown whole
                config.no_wrap, config.overflow = True, "ellipsis"
            row = (str(t.number), str(t.epoch), f"{t.loss:.4f}", f"{t.metric:.4f}", config)
            table.add_row(*row, style="bold green" if k == 0 else "")
        return table


def view_of(chosen: Mode, out: Console) -> Watch:
    """The view of that mode."""
    if chosen == "live":
        return LiveSearch(out)
    return {"plain": PlainSearch, "json": JsonSearch, "quiet": Watch}[chosen]()


def run(given: dict[str, Any], resume: Path | None, chosen: Mode, report: Path | None) -> int:
    """Start the search that the options describe, or go on with the one in `resume`; the exit code."""
    from slalom.report.shell import check_place
    from slalom.tune import api

    if report is not None:
        check_place(report)
    if resume is not None:
        return watch(lambda view: api.resume(resume, on_event=view, **given), chosen, report)
    if given.get("halving") == 1:
        given = {**given, "halving": None}
    if "directory" in given:
        return watch(lambda view: api.tune(**given, on_event=view), chosen, report)
    where = places.fresh(given.get("data", "digits"))
    try:
        return watch(lambda view: api.tune(**given, directory=where, on_event=view), chosen, report)
    finally:  # mistyped options leave nothing behind
        places.drop_if_empty(where)


def watch(start: Callable[[Watch], Any], chosen: Mode, report: Path | None) -> int:
    """Run `start(on_event)`, show it, make the page, and return the exit code."""
    from slalom.tune.start import NothingFinishedError

    out = console()
    view = view_of(chosen, out)
    try:
        with view:
            result = start(view)
    except NothingFinishedError as error:
        print(f"slalom: {error}", file=sys.stderr)
        return exits.NOTHING_FINISHED
    except (Exception, KeyboardInterrupt):
        _kept(view)
        raise
    page: str | None = None
    try:
        where = report or (None if result.directory is None else Path(result.directory) / "report.html")
        if where is not None:
            with out.status("importance and the page") if chosen == "live" else nullcontext():
                page = str(result.report(where))
    finally:  # a page that cannot be written must not cost the answer
        close(view, result, chosen, page, out)
    if result.stopped is not None:
        _kept(view)
        return exits.report(result.stopped, debug=False)
    return exits.FINE


def _kept(view: Watch) -> None:
    if view.started is not None and view.started.directory is not None:
        print(f"slalom: what was told is kept in {view.started.directory}", file=sys.stderr)
        print(f"slalom: go on with: slalom tune --resume {view.started.directory}", file=sys.stderr)


def close(view: Watch, result: Any, chosen: Mode, page: str | None, out: Console) -> None:
    """The last words of a search, in the manner of its view."""
    if chosen == "json":
        from slalom.tune.events import to_text

        say(to_text({"event": "result", **summary(result), "page": page}))
    elif chosen == "quiet":
        if result.directory is not None:
            say(str(result.directory))
    else:
        out.print(Text(str(result)), soft_wrap=True)
        if result.directory is not None:
            out.print(Text(f"directory  {result.directory}", "dim"), soft_wrap=True)
        if page is not None:
            out.print(Text(f"page       {page}   (one file: open it in a browser)", "dim"), soft_wrap=True)


def summary(result: Any) -> dict[str, Any]:
    """The result as plain data."""
    return {
        "directory": None if result.directory is None else str(result.directory),
        "interrupted": result.interrupted,
        "trials": len(result.trials),
        "best": {"number": result.best.number, "config": result.config, "epoch": result.best.epoch},
        "metric": result.metric,
        "searched": {"loss": result.best.loss, "metric": result.best.metric},
        "validation": {"loss": list(result.validation.loss), "metric": list(result.validation.metric)},
        "test": {"loss": list(result.test.loss), "metric": list(result.test.metric)},
        "importance": {k: [v, result.importance.sd[k]] for k, v in result.importance.mean.items()},
        "warnings": result.warnings,
    }


def is_search(directory: Path) -> bool:
    """Whether a run directory is that of a search."""
    try:
        return bool(json_format.loads((directory / "plan.json").read_text()).get("kind") == "tune")
    except (OSError, ValueError, AttributeError):
        return False  # whoever reads it says what is wrong


def loaded(directory: Path) -> Any:
    """The result in a run directory."""
    from slalom.tune import api

    return api.load(directory)


def show_directory(directory: Path, *, json: bool) -> int:
    """The result of a search's run directory."""
    result = loaded(directory)
    if json:
        say(json_format.dumps(summary(result)))
    else:
        console().print(Text(str(result)), soft_wrap=True)
    return exits.FINE
