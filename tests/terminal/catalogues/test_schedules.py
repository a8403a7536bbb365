"""The schedules on a terminal: drawn as they are, at any width, in any letters; the numbers as JSON."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from slalom.core.errors import BadValueError
from slalom.schedules import Cosine, OneCycle
from slalom.schedules.spec import SCHEDULES
from slalom.terminal.catalogues import schedules
from slalom.terminal.output import Out
from slalom.terminal.plot import curve, framed


class Stream(io.StringIO):
    def __init__(self, encoding):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding


def shown(monkeypatch, specs, width, encoding="utf-8", epochs=20, steps=10, lr=1.0):
    stream = Stream(encoding)
    out = Out(highlight=False, width=width, file=stream)
    monkeypatch.setattr(schedules, "console", lambda: out)
    schedules.show(specs, epochs, steps, lr, as_json=False)
    return stream.getvalue().splitlines()


def dots(lines):
    """Heights of the braille dots, counted from below, of each column of dots."""
    grid = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    places = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]  # bit by bit, as Unicode defines the cell
    for i, line in enumerate(lines):
        for j, cell in enumerate(line):
            for bit, (row, column) in enumerate(places):
                grid[4 * i + row, 2 * j + column] = (ord(cell) - 0x2800) >> bit & 1
    return [{len(grid) - 1 - row for row in np.flatnonzero(column)} for column in grid.T]


def test_the_curve_goes_through_its_values_without_gaps():
    values = Cosine(99)(np.arange(100)).tolist()
    heights = dots(curve(values, 1.0, 5))
    for value, found in zip(values, heights, strict=True):
        assert any(abs(h - 19 * value) <= 0.5 for h in found)
    for before, after in itertools.pairwise(heights):
        assert min(abs(a - b) for a in before for b in after) <= 1
    jump = dots(curve([1.0, 1.0, 0.0, 0.0], 1.0, 3))
    assert jump == [{11}, {11}, set(range(11)), {0}]
    assert dots(curve([0.0, 1.0], 1.0, 2)) == [{0}, set(range(1, 8))]
    assert curve([2.0, -1.0, 0.5], 1.0, 3, braille=False) == ["*  ", " **", " * "]


def test_a_frame_is_as_wide_as_its_curve():
    lines = framed(["ab", "cd", "ef"], "0.25", "0", ("0", "9"))
    assert lines == ["0.25 │ab", "     │cd", "   0 │ef", "     └──", "      0 9"]
    assert framed(["abcdef"], "1", "0", ("0", "9"), braille=False) == ["1 |abcdef", "  +------", "   0    9"]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_all_are_drawn_within_the_width(monkeypatch, width):
    lines = shown(monkeypatch, [], width)
    assert max(map(len, lines)) <= width
    assert [
        line.split()[0] for line in lines if (line.split() and line.split()[0] in SCHEDULES and "⠀" in line) or "⠉" in line[:40]
    ]
    for name in SCHEDULES:
        assert any(line.startswith(f"{name:12}") for line in lines)
        assert any(f"{name}:" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_one_is_drawn_large(monkeypatch, width, encoding):
    lines = shown(monkeypatch, ["onecycle:momenta=.8/.9"], width, encoding, lr=0.5)
    assert max(map(len, lines)) <= width
    assert lines[0] == "onecycle:momenta=.8/.9"
    vertical = "│" if encoding == "utf-8" else "|"
    framed_ = [line for line in lines if vertical in line]
    assert [line.split(vertical)[0].strip() for line in framed_] == ["0.5", *[""] * 8, "0", "0.9", "", "", "0.8"]
    assert any(line.endswith("20 epochs") for line in lines)
    assert "t in steps, 10 an epoch" in " ".join(lines)
    if encoding == "ascii":
        assert "\n".join(lines).isascii()
        # A star a column, where the factor is: the peak is 30 % along, at the top.
        assert "*" in framed_[0].split("|")[1][int(0.3 * (min(width, 96) - 9)) - 2 :][:4]


def test_a_plateau_says_what_its_drawing_assumes(monkeypatch):
    text = "\n".join(shown(monkeypatch, ["plateau:3,factor=.5"], 80))
    assert schedules.STALLED in text
    drawn = schedules.Drawn("plateau:3,factor=.5", 20, 10)
    # The first metric is the best; four that are no better cut: after epochs 5, 9, 13, 17.
    assert [drawn.factor(10 * e) for e in (0, 4, 5, 9, 13, 17, 20)] == [1, 1, 0.5, 0.25, 0.125, 0.0625, 0.0625]
    assert schedules.Drawn("plateau:3,factor=.5,mode=max", 20, 10).factor(50) == 0.5
    warm = schedules.Drawn("warmup:2,plateau:3,factor=.5", 20, 10)
    assert warm.factor(5) == pytest.approx(1 / 21 + 20 / 21 * 5 / 20)


def test_numbers(capsys):
    schedules.show(["onecycle", "cosine"], 3, 4, 0.1, as_json=True)
    cycle, cosine = map(json.loads, capsys.readouterr().out.splitlines())
    np.testing.assert_allclose(cosine["lr"], 0.1 * Cosine(12)(np.arange(13)), rtol=1e-14)
    np.testing.assert_allclose(cycle["momentum"], OneCycle(12).momentum(np.arange(13)), rtol=1e-14)
    assert cosine["momentum"] is None
    assert cosine["formula"] == str(Cosine(12))
    assert cosine["latex"] == Cosine(12).latex
    schedules.show([], 3, 4, 0.1, as_json=True)
    every = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(every) == len(SCHEDULES)
    assert all(len(each["lr"]) == 13 for each in every)


def test_errors():
    for epochs, steps, lr, said in ((0, 1, 1.0, "--epochs"), (1, 0, 1.0, "--steps-per-epoch"), (1, 1, 0.0, "--lr")):
        with pytest.raises(BadValueError, match=said):
            schedules.show([], epochs, steps, lr, as_json=False)
    with pytest.raises(LookupError, match="there is no schedule 'cosin'"):
        schedules.show(["cosin"], 20, 10, 1.0, as_json=False)


def test_help_brings_no_torch_along():
    code = "import sys\nfrom slalom.cli import app\ntry:\n    app(['schedules', '--help'])\nexcept SystemExit: pass\n"
    code += "print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
