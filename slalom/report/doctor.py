"""The page of an examination or a repair: words, tables and one chart, without any script."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from slalom.figures.doctor import DoctorFigure, build_doctor
from slalom.report.chart import Chart, chart
from slalom.report.shell import asset, policy, write_text

STYLES = ("page.css", "doctor.css")


def write_doctor(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write the page of an `Examination` or a `Repair` to `path` and return the path.

    One HTML file without scripts or requests. Errors: `StoreError` where the place cannot be written.
    """
    return write_text(render_doctor(build_doctor(result)), path)


def render_doctor(figure: DoctorFigure) -> str:
    """The page as text; the same figure gives the same, byte for byte. Every word in it is escaped."""
    import jinja2
    from markupsafe import Markup

    styles = [asset(name) for name in STYLES]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["short"] = _short
    drawn: Chart | None = chart(figure.lines)
    text = environment.from_string(asset("doctor.html")).render(
        policy=policy([], styles), styles=[Markup(style) for style in styles], figure=figure, chart=drawn
    )
    return text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates, which no file can hold


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "not finite"
