"""Pictures say the learning rates, move, and reach the file whole or not at all."""

import builtins
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import slalom
from slalom.core.errors import BadValueError, MissingExtraError, StoreError
from slalom.figures.pictures.landscape import LandscapeScene, frames_of
from slalom.figures.pictures.scenes import scene_of
from slalom.figures.pictures.style import DARK
from tests.figures.pictures.seen import check_readable, texts


@pytest.fixture(scope="module")
def record():
    return slalom.landscape("saddle", ["sgd", "adam"], rotate=45, steps=40)


def test_the_picture_says_what_it_shows(record):
    said = texts(record.plot())
    assert {"Saddle, turned 45°", "f = x² - y²", "step 40", "sgd", "adam", "0.01", "0.03"} <= set(said)
    assert "learning rates: picked by hand, not tuned" in said
    assert any("|y| > 1, unturned" in text for text in said)
    band = slalom.landscape("booth", ["sgd", "adam"], lr=[1e-3 * 2**k for k in range(8)], steps=30)
    said = texts(band.plot(theme="light"))
    assert {"1e-3 … 0.13", "learning rates: a band of 8"} <= set(said)


def test_every_word_can_be_read(record):
    for made in (record, slalom.landscape("noisy_moons", steps=5), slalom.landscape("rosenbrock", lr="tuned", steps=20)):
        check_readable(made.plot())


def test_lines_are_the_paths(record):
    scene = LandscapeScene(record)
    scene.build(moving=True)
    scene.show(7)
    for path, line, head in zip(record.paths, scene.lines, scene.heads, strict=True):
        assert np.array_equal(line.get_xydata(), path.points[:8])
        assert np.array_equal(head.get_xydata(), path.points[7:8])
    assert scene.clock.get_text() == "step 7"


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_moving(record, tmp_path, ending):
    where = tmp_path / f"x.{ending}"
    record.save(where, frames=5, size=(4, 2.5), fps=10)
    with Image.open(where) as image:
        assert image.n_frames == 5
        assert image.size == (400, 250)
        first = np.asarray(image.convert("RGB")).astype(int)
        image.seek(4)
        last = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(first - last).max(-1) > 60).sum() > 100
    for colour in DARK.rules[:2]:  # few colours, but each rule keeps its own
        own = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        assert (np.abs(last - own).max(-1) < 12).sum() > 10
    assert [p.name for p in tmp_path.iterdir()] == [where.name]


def test_still_and_inline(record, tmp_path):
    record.save(tmp_path / "x.png")
    record.save(tmp_path / "x.svg")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (860, 520)
    assert record._repr_png_()[:4] == b"\x89PNG"
    shown = replace(record, notes=("<script>alert(1)</script>",))._repr_html_()
    assert shown.startswith('<img alt="Landscape" src="data:image/png;base64,iVBOR')
    assert "&lt;script&gt;alert" in shown  # a name of yours stays text
    assert "<script" not in shown
    assert "lr 0.03" in shown


def test_frames_are_even_and_end_at_the_end():
    assert frames_of(10, 5) == [0, 2, 5, 8, 10]
    assert frames_of(3, 100) == [0, 1, 2, 3]


def test_mp4_needs_ffmpeg(record, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs the program ffmpeg.*write \.webp or \.gif"):
        record.save(tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


def test_mp4_is_handed_to_ffmpeg(record, tmp_path, monkeypatch):
    # A stand-in for the program: it counts the bytes it is given and writes the number, or fails.
    tool = tmp_path / "bin" / "ffmpeg"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nfor last; do :; done\nwc -c > "$last"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    where = tmp_path / "x.mp4"
    record.save(where, frames=3, fps=2, size=(3.01, 2))
    assert int(where.read_text()) == 300 * 200 * 3 * (3 + 3)  # even sizes; the last frame stays 1.5 s
    tool.write_text("#!/bin/sh\necho no such codec >&2\nexit 1\n")
    with pytest.raises(StoreError, match=r"could not write.*no such codec"):
        record.save(tmp_path / "y.mp4", frames=3, size=(3, 2))
    assert not (tmp_path / "y.mp4").exists()


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("x.bmp", {}, BadValueError, "the ending must be one of .png"),
        ("x", {}, BadValueError, "the ending must be one of .png"),
        ("no/x.png", {}, StoreError, "there is no folder"),
        ("x.gif", {"frames": 0}, BadValueError, "frames must be a whole number in 1..2000, got 0"),
        ("x.gif", {"fps": 1000}, BadValueError, "fps must be"),
        ("x.png", {"theme": "pink"}, BadValueError, "theme must be 'dark' or 'light', got 'pink'"),
        ("x.png", {"size": (0, 3)}, BadValueError, "size must be"),
    ],
)
def test_errors(record, tmp_path, name, options, error, said):
    with pytest.raises(error, match=said):
        record.save(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named(record, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'slalom\[plot\]'"):
        record.plot()
    assert record._repr_png_() is None
    assert record._repr_html_() is None


def test_other_records_have_no_picture():
    with pytest.raises(BadValueError, match="no picture of a int"):
        scene_of(3)
