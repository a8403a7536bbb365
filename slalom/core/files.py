"""Files and folders that appear whole or not at all, and are still there after a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from slalom.core.errors import StoreError


def sync(path: str | os.PathLike[str]) -> None:
    """Wait until the disk has this file, or the names in this folder, where its file system can say so."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def check_place(path: Path) -> None:
    """OSError where no file could be written at `path` now: for work that ends in one, before it begins."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file in it")
    if path.exists() and not path.is_file():  # a device or a pipe: a rename would put a file in its place
        raise OSError(errno.EINVAL, "it is no ordinary file; name one")
    folder = next(p for p in path.absolute().parents if p.exists())
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextlib.contextmanager
def whole_path(path: Path, *, lasting: bool = True, ending: str = "") -> Iterator[Path]:
    """An empty file beside `path`, to be filled, that takes its name when all went well; nothing is left of one that failed.

    `lasting`: the disk has its content before it has the name, so that a power cut leaves the old file or the new one. `ending`
    is that of the file to be filled, for writers that go by it. Folders are made. Errors: OSError.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_path(pathlib.Path(folder) / "deep" / "note.txt") as made:
    ...         _ = made.write_text("whole")
    ...     (pathlib.Path(folder) / "deep" / "note.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=ending)
    os.close(handle)
    made = Path(name)
    try:
        yield made
        if lasting:
            sync(made)
        made.chmod(0o666 & ~_umask())
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    if lasting:
        sync(path.parent)


@contextlib.contextmanager
def whole_file(path: Path, *, lasting: bool = True) -> Iterator[IO[bytes]]:
    """`whole_path`, opened to write bytes."""
    with whole_path(path, lasting=lasting) as made, made.open("wb") as file:
        yield file


def write_whole(path: Path, text: str, *, lasting: bool = True) -> None:
    """A text file, as UTF-8, by `whole_file`."""
    with whole_file(path, lasting=lasting) as file:
        file.write(text.encode())


@contextlib.contextmanager
def whole_directory(directory: Path) -> Iterator[Path]:
    """A directory to fill that takes its name (new, or of an empty directory) only when it is complete and on the disk.

    Errors: StoreError where there is no place for it.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise StoreError(f"cannot write {directory}: {error.strerror or error}") from error
    try:
        yield made
        for path in (*made.rglob("*"), made):
            sync(path)
        made.chmod(0o777 & ~_umask())
        if directory.exists():
            directory.rmdir()
        made.replace(directory)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync(directory.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
