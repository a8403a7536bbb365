"""Where a run is kept when nobody says where."""

from __future__ import annotations

import contextlib
import re
from datetime import date
from pathlib import Path

RUNS = Path("runs")
UNUSED = {".lock", "plan.json", "environment.json", "journal.jsonl"}  # what a run writes before the end of its first epoch


def fresh(data: str, *, runs: Path = RUNS, today: date | None = None) -> Path:
    """Make and return `runs/<date>-<data>-<n>`, n being the first that is free; two races at once get two directories."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(data).stem).strip("-.") or "data"
    stem = f"{(today or date.today()).isoformat()}-{name}"
    n = 1
    while True:
        where = runs / f"{stem}-{n}"
        try:
            where.mkdir(parents=True)
            return where
        except FileExistsError:
            if not runs.is_dir():
                raise _store_error(
                    f"{runs} is not a folder, so no run directory can be made in it; say where with --directory"
                ) from None
            n += 1
        except OSError as error:
            reason = error.strerror or error
            raise _store_error(f"cannot make the run directory {where}: {reason}; say where with --directory") from None


def drop_if_empty(where: Path) -> None:
    """Remove a fresh directory that nothing was written to, and its parent if that leaves it empty too."""
    with contextlib.suppress(OSError):
        where.rmdir()
        where.parent.rmdir()


def drop_unused(where: Path) -> None:
    """Remove the directory of a run that failed before its first epoch ended; one that holds anything else stays whole."""
    with contextlib.suppress(OSError):
        if {path.name for path in where.iterdir()} <= UNUSED:
            for name in UNUSED:
                (where / name).unlink(missing_ok=True)
            where.rmdir()


def _store_error(text: str) -> Exception:
    from slalom.core.errors import StoreError  # brings torch along, which takes seconds

    return StoreError(text)
