"""What `--save` writes: a picture, or for .html the page that plays the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError
from slalom.report.shell import check_place


def is_page(save: Path) -> bool:
    """Whether it is a page that is asked for."""
    return save.suffix.lower() in (".html", ".htm")


def ready(save: Path | None, picture: dict[str, Any]) -> None:
    """Whatever cannot be written is said before the work."""
    if save is None:
        return
    if is_page(save):
        if picture:
            raise BadValueError(f"--frames and --theme are of a picture; {save.name} is a page, which has both and plays itself")
        check_place(save)
        return
    from slalom.figures.pictures import ready as drawable

    drawable(save, **picture)


def write(record: Any, save: Path | None, picture: dict[str, Any]) -> None:
    """Write the record's picture or page."""
    if save is None:
        return
    if is_page(save):
        record.report(save)
    else:
        record.save(save, **picture)
