"""What a page is put together from: each part is a tab or more, with its template, its scripts and its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slalom.figures.doctor import DoctorFigure
from slalom.figures.ground import GroundFigure
from slalom.figures.records import RaceFigure, RangeFigure
from slalom.figures.search import SearchFigure
from slalom.report.chart import chart, evidence_charts
from slalom.report.ground import ground_payload
from slalom.report.payload import common, race_payload, rounded
from slalom.report.shell import ENGINE, document

FIRST = tuple(
    f"js/basis/{name}.js" for name in ("base", "numbers", "ticks", "csv", "bytes", "decode", "palette", "theme", "tabs", "tip")
)
CHART = ("uplot/uPlot.iife.min.js", "js/basis/plot.js")
PLAYER = ("js/landscape/field.js", "js/landscape/player.js")


@dataclass(frozen=True)
class Part:
    """`template`: of the assets; `data`: its share of the page's JSON; `fields`: what the template asks for."""

    template: str
    scripts: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()


def race_part(figure: RaceFigure) -> Part:
    """The race: leaderboard, curves, learning rates, findings, what ran."""
    names = ("state", "scale", "strip", "comparison", "leaderboard", "legend", "curves", "lr", "heat", "range", "schedule",
             "findings", "details", "download")  # fmt: skip
    scripts = (*CHART, *(f"js/race/{name}.js" for name in names))
    return Part("race.html", scripts, race_payload(figure), {"verdict": figure.verdict})


def range_part(figure: RangeFigure) -> Part:
    """A range test in a tab of its own."""
    return Part("range.html", (*CHART, "js/race/range.js"), {"range_test": rounded(dataclasses.asdict(figure))})


def ground_part(figures: Sequence[GroundFigure], coloured: Sequence[str] = ()) -> Part:
    """Landscapes, one below the other."""
    tab = "Landscape" if len(figures) == 1 else "Landscapes"
    return Part(
        "landscape.html", (*PLAYER, "js/landscape/lines.js", "js/landscape/recorded.js"), ground_payload(figures, coloured),
        {"landscape_tab": tab},
    )  # fmt: skip


def search_part(figure: SearchFigure) -> Part:
    """A search: history, importance, parallel coordinates, slices, contour."""
    scripts = tuple(f"js/search/{name}.js" for name in ("axes", "plots", "start"))
    data = {"search": rounded(dataclasses.asdict(figure))}
    return Part("search.html", scripts, data, {"search_verdict": figure.verdict}, ("search.css",))


def doctor_part(figures: Sequence[DoctorFigure]) -> Part:
    """Examinations and repairs, a tab each."""
    return Part(
        "doctors.html",
        fields={"examined": [(one, chart(one.lines), evidence_charts(one)) for one in figures]},
        styles=("doctor.css",),
    )


def play_part(coloured: Sequence[str] = ()) -> Part:
    """The playground, where rules keep the colours that they have in `coloured`, and the activations."""
    scripts = (*PLAYER, ENGINE, "js/landscape/walk.js", "js/landscape/playground.js", "js/landscape/activations.js")
    return Part("play.html", scripts, common(coloured))


def page_of(parts: Sequence[Part], title: str, *, connect: str = "'none'", more: Sequence[str] = (), **data: Any) -> str:
    """The page of these parts, in their order; the same parts give the same text, byte for byte.

    `connect`, `more`: for a live page, where its scripts may ask and which there are besides; `data`: what else is in its JSON.
    """
    scripts = dict.fromkeys([*FIRST, *(name for part in parts for name in part.scripts), "js/basis/start.js", *more])
    told: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for part in parts:
        told |= part.data
        fields |= part.fields
    styles = dict.fromkeys(name for part in parts for name in part.styles)
    names = [part.template for part in parts]
    fields |= {"title": title, "parts": names}
    return document("page.html", tuple(scripts), told | data, connect=connect, styles=tuple(styles), **fields)
