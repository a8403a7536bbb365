"""The live screen: what is on it, that it fits, and that it costs little."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from slalom.terminal import marks
from slalom.terminal.race import live
from slalom.terminal.race.board import Board

RULES = {"sgd": 0.1, "adam": 0.003, "lion": 0.0003}


def drawn(board: Board, now: float, width: int = 120, height: int = 40, bars: str = marks.BARS) -> list[str]:
    """The screen as lines of text."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(live.screen(board, now, width, height, bars))
    return console.file.getvalue().splitlines()


@pytest.fixture
def half(made_up: SimpleNamespace) -> Board:
    """A race of three rules after ten of twenty epochs, a second each."""
    board, now = Board(), 0.0
    for event in made_up.race(RULES):
        now += type(event).__name__ == "EpochDone"
        board.apply(event, now)
        if now == 10:
            break
    return board


def test_the_screen_says_where_the_race_stands(half: Board) -> None:
    lines = drawn(half, 10.0)
    assert lines[0].startswith("slalom  mlp:64,64:relu on digits (1078 train, 359 val, 360 test)   81 lanes, 3 rules")
    # 72 lanes have 10 epochs to go, the 9 retired have nothing left: 720 of 1620 lane-epochs; 729 took 10 s
    assert "55%  epoch 11/20  0:10 elapsed  0:09 left" in lines[1]
    first = lines[4].split()
    assert first[:2] == ["sgd", "0.1"]
    assert first[2:5] == ["0.8474", "±", "0.0026"]  # 0.98 (1 - exp(-2)), and 0.003 (1 - exp(-2)) over seeds
    assert lines[4].rstrip().endswith("24 running, 3 retired")
    assert [line.split()[0] for line in lines[4:7]] == ["sgd", "adam", "lion"]
    assert "9 lanes retired: lion lr 3e-3 (x3), adam lr 0.03 (x3), sgd lr 1 (x3)" in lines
    assert "note: digits: scaled by the training part's mean and standard deviation" in lines


def test_the_profile_over_learning_rates_peaks_in_the_middle_and_marks_what_retired(half: Board) -> None:
    profile = drawn(half, 10.0)[4].split()[5]
    assert len(profile) == 9
    assert profile[4] == "█"
    assert profile[8] == "x"
    assert profile[0] < profile[3]


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (60, 12), (40, 10)])
def test_the_screen_is_never_longer_or_wider_than_the_terminal(made_up: SimpleNamespace, width: int, height: int) -> None:
    board = Board()
    for event in made_up.race({f"rule{i}": 0.1 for i in range(60)}, lrs=3, seeds=2, epochs=4):
        board.apply(event, 1.0)
    lines = drawn(board, 2.0, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any("rules more below" in line for line in lines)


def test_without_unicode_the_bars_are_plain_letters(half: Board) -> None:
    body = drawn(half, 10.0, bars=marks.ASCII_BARS)[4:7]
    assert not set("".join(body)) & set(marks.BARS)


def test_many_events_make_few_frames(made_up: SimpleNamespace) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=30)
    now = 0.0
    view = live.LiveView(console, clock=lambda: now)
    with view:
        before = view.frames
        for event in list(made_up.race(RULES, epochs=200))[:-1]:  # 200 epochs in two seconds
            now += 0.01 if type(event).__name__ == "EpochDone" else 0.0
            view(event)
        frames = view.frames - before
    assert 2 <= frames <= 2 * live.FRAMES_A_SECOND + 4
    assert view.board.row("sgd").finished == 24  # yet no event was missed


def test_the_table_is_gone_at_the_end_and_the_cursor_is_back(made_up: SimpleNamespace) -> None:
    out = io.StringIO()
    with live.LiveView(Console(file=out, force_terminal=True, width=100, height=30)) as view:
        for event in made_up.race(RULES):
            view(event)
    written = out.getvalue()
    assert written.index("\x1b[?25l") < written.rindex("\x1b[?25h")
    assert "\x1b[2K" in written[written.rindex("sgd") :]  # lines erased after the last frame


def test_before_the_first_event_it_says_that_it_gets_ready() -> None:
    out = io.StringIO()
    with live.LiveView(Console(file=out, force_terminal=True, width=100, height=30)):
        pass
    assert "getting ready" in out.getvalue()
