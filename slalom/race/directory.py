"""A run directory, whatever runs in it: one writer, whole files, and a journal that a kill at any moment leaves readable."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from slalom.core.errors import StoreError
from slalom.core.files import sync, whole_directory, whole_file

JOURNAL = "journal.jsonl"
# What a kill while a file was being written leaves beside it.
LEFT_OVER = re.compile(r"\.(plan\.json|environment\.json|([\d-]{3,}|model)\.(json|safetensors|pt))\.[a-z0-9_]{8}")


def to_json(value: Any) -> Any:
    """Plain JSON: NaN and infinities, which JSON lacks, as the strings `nan`, `inf`, `-inf`."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


class RunDirectory:
    """A run directory that this process writes; a second writer is refused. `folders`: those that files appear in."""

    folders: tuple[str, ...] = ("checkpoints",)

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.path = Path(directory)
        self._lock: IO[str] | None = None

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            why = error.strerror or error
            kept = "; what was finished before is kept" if (self.path / "plan.json").exists() else "; name another directory"
            raise StoreError(f"cannot {doing} in {self.path}: {why}{kept}") from error

    def start(self, texts: dict[str, str]) -> None:
        """Make the directory (it must be new or empty) and write these files; the last of them, the plan, makes it a run."""
        with self._told("start a run"):
            self._must_be_new()
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock()
            try:
                self._must_be_new()  # another start may have been quicker
                self.clean()
                for name, text in texts.items():
                    self._write_text(name, text)
                sync(self.path.parent)
            except BaseException:
                self.close()
                raise

    def _must_be_new(self) -> None:
        """New, empty, or left by a start that was killed before its plan was whole."""
        if not self.path.exists():
            return
        if not self.path.is_dir() or any(
            p.name not in (".lock", "environment.json") and not LEFT_OVER.fullmatch(p.name) for p in self.path.iterdir()
        ):
            raise StoreError(f"{self.path} exists and is not an empty directory; name a new one, or resume it")

    def clean(self) -> None:
        """Remove what a kill left behind: unfinished files."""
        with self._told("clean up"):
            for folder in (self.path, *(self.path / k for k in self.folders)):
                for path in folder.iterdir() if folder.is_dir() else ():
                    if LEFT_OVER.fullmatch(path.name):
                        path.unlink(missing_ok=True)

    def lock(self) -> None:
        """Hold the directory until this process ends; the kernel lets go of it even after kill -9."""
        with self._told("lock the run"):
            self._lock = open(self.path / ".lock", "w")  # noqa: SIM115  (held open on purpose)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.close()
                raise StoreError(f"another process is running {self.path}; wait for it or stop it first") from None

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _write(self, name: str, write: Callable[[IO[bytes]], object], *, lasting: bool = True) -> None:
        with self._told(f"write {name}"), whole_file(self.path / name, lasting=lasting) as file:
            write(file)

    def _write_text(self, name: str, text: str) -> None:
        self._write(name, lambda file: file.write(text.encode()))

    def _read_text(self, name: str) -> str:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            raise StoreError(f"{self.path} is not a run directory: it has no {name}") from None
        except NotADirectoryError:
            raise StoreError(f"{self.path} is not a run directory: it is a file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"cannot read {self.path / name}: {error}") from error

    def environment(self) -> dict[str, Any]:
        """Where it was run."""
        try:
            found: dict[str, Any] = json.loads(self._read_text("environment.json"))
        except json.JSONDecodeError as error:
            raise StoreError(f"{self.path / 'environment.json'} is damaged: {error}") from error
        return found

    def journal(self) -> list[dict[str, Any]]:
        """Every whole line of the journal; a torn last line is passed over."""
        lines = []
        for line in self._read_text(JOURNAL).splitlines() if (self.path / JOURNAL).exists() else []:
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return lines

    def append_lines(self, lines: Iterable[str]) -> None:
        """Add lines to the journal: one write, one fsync. What a full disk left of them is taken off again."""
        text = "".join(line + "\n" for line in lines).encode()
        if not text:
            return
        # Unbuffered: a buffer would write again, when it is closed, what the disk had no room for.
        with self._told(f"write {JOURNAL}"), open(self.path / JOURNAL, "ab", buffering=0) as file:
            end = file.tell()
            try:
                done = 0
                while done < len(text):
                    done += file.write(text[done:])
                os.fsync(file.fileno())
                if not end:
                    sync(self.path)  # the name of a new file is its folder's
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self.path / JOURNAL, end)
                raise

    def cut_torn_tail(self) -> None:
        """Drop a last line that a kill left half-written."""
        path = self.path / JOURNAL
        if path.exists():
            with self._told(f"mend {JOURNAL}"), open(path, "rb+") as file:
                text = file.read()
                file.truncate(text.rfind(b"\n") + 1)

    def copy_to(self, directory: Path) -> None:
        """The whole run, copied beside its destination and renamed."""
        with self._told(f"copy the run to {directory}"), whole_directory(directory) as temporary:
            shutil.copytree(self.path, temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
