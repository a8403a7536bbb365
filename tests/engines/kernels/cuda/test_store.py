"""Compiled images on disk: found again, never believed when they are not what was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slalom.core.errors import StoreError
from slalom.engines.kernels.cuda.store import image


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "slalom" / "kernels"


def never() -> bytes:
    raise AssertionError("built again")


def test_an_image_is_built_once(folder: Path) -> None:
    assert image(("source", "sm_90"), lambda: b"one\0two") == b"one\0two"
    assert image(("source", "sm_90"), never) == b"one\0two"
    assert image(("source", "sm_80"), lambda: b"other") == b"other"
    (path, _) = sorted(folder.iterdir())
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("harm", ["altered", "truncated", "writable", "link"])
def test_what_is_not_as_it_was_written_is_built_anew(harm: str, folder: Path, tmp_path: Path) -> None:
    image(("source",), lambda: b"right")
    (path,) = folder.iterdir()
    if harm == "altered":
        path.write_bytes(b"wrong")
    elif harm == "truncated":
        os.truncate(path, 2)
    elif harm == "writable":
        path.chmod(0o666)
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AssertionError, match="built again"):
        image(("source",), never)
    assert image(("source",), lambda: b"right") == b"right"
    assert image(("source",), never) == b"right"


def test_a_store_that_is_open_to_others_is_refused(folder: Path) -> None:
    image(("source",), lambda: b"right")
    folder.chmod(0o755)
    with pytest.raises(StoreError, match="open to others"):
        image(("source",), never)
