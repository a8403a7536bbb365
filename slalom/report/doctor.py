"""The page of an examination or a repair: words, tables and one chart, without any script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.figures.doctor import DoctorFigure, build_doctor
from slalom.report.chart import chart, evidence_charts
from slalom.report.shell import document, write_text


def write_doctor(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write the page of an `Examination` or a `Repair` to `path` and return the path.

    One HTML file without scripts or requests. Errors: `StoreError` where the place cannot be written.
    """
    return write_text(render_doctor(build_doctor(result)), path)


def render_doctor(figure: DoctorFigure) -> str:
    """The page as text; the same figure gives the same, byte for byte. Every word in it is escaped."""
    drawn: dict[str, Any] = {"figure": figure, "chart": chart(figure.lines), "small": evidence_charts(figure)}
    return document("doctor.html", (), styles=("system.css", "doctor.css"), **drawn)
