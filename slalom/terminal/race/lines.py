"""The views for what is not a person at a terminal: plain lines, JSON lines, and nothing at all."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from slalom.race.events import EpochDone, Event, LanesAdded, Note, RaceStarted, event_name, plain
from slalom.terminal import marks
from slalom.terminal.race.board import Board

Write = Callable[[str], None]


class QuietView:
    """Listens, keeps the board, says nothing."""

    def __init__(self) -> None:
        self.board = Board()

    def __enter__(self) -> QuietView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def __call__(self, event: Event) -> None:
        self.board.apply(event, time.monotonic())


class PlainView(QuietView):
    """A line when the race starts, at most one for each epoch's worth of work, one for each widening and note.

    An epoch's worth is counted over all lanes, so that lanes run one at a time do not write a line for each of theirs.
    """

    def __init__(self, write: Write, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._write = write
        self._clock = clock
        self._told = 0

    def __call__(self, event: Event) -> None:
        now = self._clock()
        known = len(self.board.notes)
        self.board.apply(event, now)
        board = self.board
        if isinstance(event, RaceStarted):
            before = f", {event.done_lanes} finished before" if event.done_lanes else ""
            self._write(
                f"{event.model} on {event.data.get('name', 'data')}: {marks.count(event.lanes, 'lane')}, "
                f"{marks.count(len(event.rules), 'rule')}, {marks.count(event.epochs, 'epoch')}{before}"
            )
            if event.directory:
                self._write(f"directory: {event.directory}")
        elif isinstance(event, LanesAdded):
            if event.widened:
                rates = ", ".join(map(marks.rate, event.lrs))
                self._write(f"{event.rule}: best learning rate at the edge, adding {rates}")
                self._told = math.floor(board.share * board.epochs)  # there is more to do: the share has fallen
        elif isinstance(event, Note) and len(board.notes) > known:
            self._write(f"note: {event.text}")
        if not isinstance(event, EpochDone):
            return
        # A hair is added so that a whole epoch's worth, summed in floats, counts as whole.
        worth = math.floor(board.share * board.epochs + 1e-9)
        if worth > self._told:
            self._told = worth
            self._write(self._line(now))

    def _line(self, now: float) -> str:
        board = self.board
        rows = board.rows()
        best = rows[0].best if rows else None
        line = (
            f"{math.floor(100 * board.share):3d}%  {marks.clock(board.elapsed(now))} elapsed, {marks.clock(board.left(now))} left"
        )
        if best is not None:
            line += f"  best: {rows[0].rule} lr {marks.rate(best.lr)} val {board.metric} {marks.spread(best.mean, best.sd)}"
        return f"{line}  ({len(board.retired)} retired)" if board.retired else line


class JsonView(QuietView):
    """One JSON object a line: `{"event": "epoch_done", ...}` with the event's own fields; NaN and infinities are null."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        self.say(event_name(event), plain(event))

    def say(self, name: str, content: Mapping[str, Any]) -> None:
        """Write one object, `event` first."""
        self._write(json.dumps({"event": name, **plain(content)}, allow_nan=False))
