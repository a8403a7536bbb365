"""Run directories: dated, numbered, never shared, gone when unused."""

from datetime import date
from pathlib import Path

import pytest

from slalom.core.errors import StoreError
from slalom.terminal import places

DAY = date(2026, 11, 21)


def test_directories_are_dated_named_and_numbered(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    made = [places.fresh("digits", runs=runs, today=DAY) for _ in range(3)]
    assert [p.name for p in made] == ["2026-11-21-digits-1", "2026-11-21-digits-2", "2026-11-21-digits-3"]
    assert all(p.is_dir() for p in made)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("/data/my table.csv", "my-table"),
        ("spirals:n=100,noise=0.1", "spirals-n-100-noise-0"),
        ("../..", "data"),
        ("a/../../b.npz", "b"),
        ("größe.csv", "gr-e"),
    ],
)
def test_names_are_safe_whatever_the_data_are_called(tmp_path: Path, data: str, name: str) -> None:
    made = places.fresh(data, runs=tmp_path, today=DAY)
    assert made == tmp_path / f"2026-11-21-{name}-1"


def test_an_unused_directory_goes_and_a_used_one_stays(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    used, unused = places.fresh("iris", runs=runs), places.fresh("iris", runs=runs)
    (used / "plan.json").write_text("{}")
    places.drop_if_empty(used)
    places.drop_if_empty(unused)
    assert used.exists()
    assert not unused.exists()
    (used / "plan.json").unlink()
    places.drop_if_empty(used)
    assert not runs.exists()


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot make the run directory .*Not a directory; say where with --directory"):
        places.fresh("iris", runs=tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="link is not a folder, so no run directory can be made in it; say where with"):
        places.fresh("iris", runs=tmp_path / "link")


def test_a_run_that_failed_before_its_first_epoch_leaves_nothing(tmp_path: Path) -> None:
    begun, further, own = (tmp_path / name for name in ("begun", "further", "own"))
    for where in (begun, further, own):
        where.mkdir()
        for name in (".lock", "plan.json", "environment.json"):
            (where / name).write_text("")
    (further / "checkpoints").mkdir()
    (own / "notes.txt").write_text("mine")
    for where in (begun, further, own):
        places.drop_unused(where)
    assert not begun.exists()
    assert (further / "plan.json").exists()
    assert sorted(p.name for p in own.iterdir()) == [".lock", "environment.json", "notes.txt", "plan.json"]
