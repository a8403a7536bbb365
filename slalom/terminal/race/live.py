"""The live view: one screen that says where the race stands, drawn from the board and never longer than the screen."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from slalom.race.events import Event, RaceDone
from slalom.terminal import marks
from slalom.terminal.race.board import Board, Cell, Row

FRAMES_A_SECOND = 4  # at most, however fast the events come; a frame costs some milliseconds
CLOCK_A_SECOND = 1  # between events, so that the clock is seen to run while a long epoch is under way
CURVE = 12  # characters of the curve over epochs
WIDE, WIDER = 72, 100  # columns from which there is room for one curve, and for two
Clock = Callable[[], float]


def header(board: Board) -> Text:
    """What races on what: model, data and its parts, lanes."""
    data = board.data
    parts = ", ".join(f"{data[part]} {part}" for part in ("train", "val", "test") if part in data)
    text = Text.assemble(
        ("slalom  ", "bold"), (board.model, "cyan"), " on ", (str(data.get("name", "data")), "cyan"),
        (f" ({parts})" if parts else "", "dim"), f"   {marks.count(board.total, 'lane')}",
        f", {marks.count(len(board.rules), 'rule')}",
    )  # fmt: skip
    if board.done_before:
        text.append(f", {board.done_before} finished before", "dim")
    return text


def progress(board: Board, now: float) -> Table:
    """The bar with epoch, time elapsed and time left."""
    grid = Table.grid(padding=(0, 2), expand=True)
    for ratio in (1, None, None, None, None):
        grid.add_column(ratio=ratio, no_wrap=True)
    share = board.share
    grid.add_row(
        ProgressBar(total=1.0, completed=share, complete_style="green", finished_style="green"),
        f"{math.floor(100 * share):3d}%",
        f"epoch {board.epoch}/{board.epochs}",
        f"{marks.clock(board.elapsed(now))} elapsed",
        f"{marks.clock(board.left(now))} left",
    )
    return grid


def _scale(rows: list[Row], higher: bool) -> tuple[float, float]:
    """From the middle learning rate of all rules to the best: the bars then tell good from very good."""
    means = sorted((c.mean for row in rows for c in row.cells if math.isfinite(c.mean)), reverse=higher)
    if not means:
        return 0.0, 1.0
    best, middle = means[0], means[len(means) // 2]
    return (middle - (best - middle), best) if best != middle else (best, best)


def _profile(cells: list[Cell], best: Cell | None, low: float, high: float, bars: str) -> Text:
    text = Text(no_wrap=True)
    for cell in cells:
        mark = marks.spark([cell.mean], low, high, missing="x" if cell.retired else "·", bars=bars)
        style = "bold green" if cell is best else "red" if cell.retired else "dim"
        text.append(mark if bars is marks.BARS or mark != "·" else " ", style)
    return text


def _lanes(row: Row) -> Text:
    text = Text(no_wrap=True)
    for n, word, style in (
        (row.running, "running", ""), (row.waiting, "waiting", "dim"), (row.finished, "done", "green"),
        (row.retired, "retired", "red"),
    ):  # fmt: skip
        if n:
            text.append(f"{', ' if text else ''}{n} {word}", style)
    return text


def table(board: Board, rows: list[Row], width: int, bars: str = marks.BARS) -> Table:
    """A row a rule, the best first: best learning rate so far, its figure, and how its lanes stand.

    A narrow terminal goes without the curves, the one over epochs first.
    """
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    made.add_column("rule", no_wrap=True, style="bold", overflow="ellipsis", min_width=8)
    made.add_column("best lr", no_wrap=True, justify="right", min_width=7)
    made.add_column(Text(f"val {board.metric}"), no_wrap=True, min_width=15 if width >= WIDE else 6)
    if width >= WIDE:
        made.add_column("over lr", no_wrap=True)
    if width >= WIDER:
        made.add_column("over epochs", no_wrap=True)
    made.add_column("lanes", no_wrap=True, overflow="ellipsis")
    low, high = _scale(rows, board.higher_is_better)
    for place, row in enumerate(rows):
        best = row.best
        curve = marks.thin(best.epochs, CURVE) if best else []
        ends = (min(curve, default=0.0), max(curve, default=1.0))
        cells: list[RenderableType] = [
            Text(row.rule, "bold green" if best and place == 0 else "bold"),
            marks.rate(best.lr) if best else "",
            marks.spread(best.mean, best.sd) if best else "",
        ]
        if width >= WIDE:
            cells.append(_profile(row.cells, best, low, high, bars))
        if width >= WIDER:
            cells.append(Text(marks.spark(curve, *ends, bars=bars), "cyan"))
        made.add_row(*cells, _lanes(row))
    return made


def footer(board: Board, width: int) -> list[Text]:
    """The latest retirements and notes, a line each."""
    lines = []
    if board.retired:
        groups = Counter(f"{r.rule} lr {marks.rate(r.lr)}" for r in reversed(board.retired))  # the latest first
        what = ", ".join(name if n == 1 else f"{name} (x{n})" for name, n in groups.items())
        lines.append(Text(f"{marks.count(len(board.retired), 'lane')} retired: {what}", "red"))
    lines += [Text(f"note: {note}", "yellow") for note in board.notes[-3:]]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def screen(board: Board, now: float, width: int, height: int, bars: str = marks.BARS) -> RenderableType:
    """Everything, cut to `height` lines: rules beyond the screen are counted in one line, never scrolled away."""
    rows = board.rows()
    below = footer(board, width)
    room = max(height - 6 - len(below), 1)  # header, bar, two blanks, table's head, a line of reserve
    cut = max(len(rows) - room, 0)
    shown = rows[: len(rows) - cut] if cut else rows
    top = header(board)
    top.truncate(width, overflow="ellipsis")
    parts: list[RenderableType] = [top, progress(board, now), Text(), table(board, shown, width, bars)]
    if cut:
        parts.append(Text(f"and {marks.count(cut, 'rule')} more below", "dim"))
    return Group(*parts, *([Text(), *below] if below else []))


class LiveView:
    """Draws the race while it runs: `with LiveView(console) as view: race(..., on_event=view)`.

    Events are folded at once and drawn at most four times a second; a thread redraws once a second for the clock.
    The screen is cleared of the table at the end, so that the leaderboard is what stays.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self.board = Board()
        self.frames = 0
        self._console = console
        self._clock = clock
        self._guard = threading.RLock()
        self._drawn = -math.inf
        self._bars = marks.BARS if console.encoding.startswith("utf") else marks.ASCII_BARS
        self._live = Live(self, console=console, refresh_per_second=CLOCK_A_SECOND, transient=True, vertical_overflow="crop")

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        now = self._clock()
        with self._guard:
            self.board.apply(event, now)
            due = now - self._drawn >= 1 / FRAMES_A_SECOND or isinstance(event, RaceDone)
            if due:
                self._drawn = now
        if due:
            self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._guard:
            self.frames += 1
            if self.board.started_at is None:
                yield Text("getting ready: torch, data, model ...", "dim")
            else:
                yield screen(self.board, self._clock(), options.max_width, options.size.height, self._bars)
