"""Files that appear whole: the disk has what is renamed before it is renamed, and nothing is left of what failed."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from slalom.core.errors import StoreError
from slalom.core.files import sync, whole_directory, whole_file, whole_path, write_whole
from slalom.race.directory import RunDirectory
from slalom.race.store import Store


@pytest.fixture
def told(monkeypatch) -> list[tuple[str, str]]:
    """What the kernel is asked to do, in order: ("sync" | "name", file name); names of temporary files end in ~."""
    calls: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def short(path) -> str:
        name = os.path.basename(path)
        return f"{name[1:].rsplit('.', 1)[0]}~" if name.startswith(".") else name

    def synced(handle) -> None:
        calls.append(("sync", short(os.readlink(f"/proc/self/fd/{handle}"))))
        fsync(handle)

    def replaced(a, b, **kw) -> None:
        calls.append(("name", short(b)))
        replace(a, b, **kw)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return calls


def test_the_disk_has_a_file_before_it_has_its_name(tmp_path: Path, told) -> None:
    write_whole(tmp_path / "note", "text")
    assert told == [("sync", "note~"), ("name", "note"), ("sync", tmp_path.name)]
    assert (tmp_path / "note").read_text() == "text"
    told.clear()
    with whole_file(tmp_path / "curve", lasting=False) as file:
        file.write(b"text")
    assert told == [("name", "curve")]


def test_the_disk_has_every_file_of_a_directory_before_it_has_its_name(tmp_path: Path, told) -> None:
    with whole_directory(tmp_path / "run") as made:
        (made / "deep").mkdir()
        (made / "deep" / "a").write_text("x")
    assert set(told[:3]) == {("sync", "a"), ("sync", "deep"), ("sync", "run~")}
    assert told[3:] == [("name", "run"), ("sync", tmp_path.name)]


def test_a_run_directory_and_its_journal_last(tmp_path: Path, told) -> None:
    run = RunDirectory(tmp_path / "run")
    run.start({"plan.json": "{}"})
    assert told == [("sync", "plan.json~"), ("name", "plan.json"), ("sync", "run"), ("sync", tmp_path.name)]
    told.clear()
    run.append_lines(["one"])
    run.append_lines(["two"])
    run.close()
    assert told == [("sync", "journal.jsonl"), ("sync", "run"), ("sync", "journal.jsonl")]


def test_checkpoints_are_waited_for_once_a_second(tmp_path: Path, told, monkeypatch) -> None:
    store, now = Store(tmp_path), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for at in (0.0, 0.9, 1.0, 1.1):
        now[0] = at
        store.checkpoint(0, {"curves": {}})
    assert told.count(("sync", "000.pt~")) == 2
    assert told.count(("name", "000.pt")) == 4


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "000.json"
    path.write_text("old")

    def half() -> None:
        with whole_file(path) as file:
            file.write(b"ne")
            file.flush()
            assert path.read_text() == "old"
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        half()
    assert [p.name for p in tmp_path.iterdir()] == ["000.json"]
    assert path.read_text() == "old"


def test_modes_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "page", "x")
        with whole_directory(tmp_path / "run") as made:
            (made / "a").write_text("x")
    finally:
        os.umask(mask)
    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o750


def test_a_writer_that_goes_by_the_ending_gets_it(tmp_path: Path) -> None:
    with whole_path(tmp_path / "a.png", ending=".png") as made:
        assert made.suffix == ".png"


def test_a_file_system_that_cannot_sync_is_no_error_and_a_fault_is(tmp_path: Path, monkeypatch) -> None:
    def fails(code):
        def fsync(handle) -> None:
            raise OSError(code, "fsync")

        return fsync

    monkeypatch.setattr(os, "fsync", fails(errno.EINVAL))
    sync(tmp_path)
    monkeypatch.setattr(os, "fsync", fails(errno.EIO))
    with pytest.raises(OSError, match="fsync"):
        write_whole(tmp_path / "a", "x")
    assert not list(tmp_path.iterdir())


def test_no_place_for_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"), whole_directory(tmp_path / "file" / "run"):
        raise AssertionError
