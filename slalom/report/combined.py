"""One page of several results: a tab for each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError
from slalom.figures import build_race
from slalom.figures.doctor import build_doctor
from slalom.figures.extras import build_range_test
from slalom.figures.ground import DRAWN, build_ground
from slalom.figures.search import build_search
from slalom.report.parts import Part, doctor_part, ground_part, page_of, play_part, race_part, range_part, search_part
from slalom.report.shell import write_text

KINDS = ("race", "range test", "search", "landscape", "examination")
ONCE = ("race", "range test", "search")


def report(*results: Any, path: str | os.PathLike[str] = "report.html", title: str | None = None) -> Path:
    """Write one page of several results, a tab each, to `path`, and return the path.

    `results`: of a race, a range test (or its `to_dict()`), a landscape, a slice, runs in their plane or the line between two
    networks, a search, an examination or a repair; of the first, second and search one at most. A range test given with a race
    stands in the race's own tab. With a race or a landscape comes the playground. `title`: what stands beside the brand.
    The page makes no request. Errors: `BadValueError` for what has no page, `StoreError` where it cannot be written.

    >>> import slalom, tempfile
    >>> scape = slalom.landscape("booth", ["sgd", "adam"], steps=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     where = slalom.report(scape, path=folder + "/page.html")
    ...     "Booth" in where.read_text()
    True
    """
    return write_text(render_results(*results, title=title), path)


def render_results(*results: Any, title: str | None = None) -> str:
    """The page as text; the same results give the same, byte for byte."""
    if not results:
        raise BadValueError("report needs a result: of slalom.race, range_test, landscape, tune, examine or repair")
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for result in results:
        found[_kind(result)].append(result)
    for kind in ONCE:
        if len(found[kind]) > 1:
            raise BadValueError(f"one page holds one {kind}, got {len(found[kind])}; write a page for each")
    parts: list[Part] = []
    titles: list[str] = []
    rules: tuple[str, ...] = ()
    tests = found["range test"]
    for race in found["race"]:
        figure = build_race(race, tests[0] if tests else None)
        rules = figure.rules
        parts.append(race_part(figure))
        titles.append(figure.title)
    if tests and not found["race"]:
        parts.append(range_part(build_range_test(tests[0])))
        titles.append("range test")
    for search in found["search"]:
        searched = build_search(search)
        parts.append(search_part(searched))
        titles.append(searched.title)
    if found["landscape"]:
        grounds = [build_ground(record) for record in found["landscape"]]
        parts.append(ground_part(grounds, rules))
        titles += [ground.title for ground in grounds]
    if found["examination"]:
        examined = [build_doctor(result) for result in found["examination"]]
        parts.append(doctor_part(examined))
        titles += [one.title for one in examined]
    if found["race"] or found["landscape"]:
        parts.append(play_part(rules))
    return page_of(parts, title or ", ".join(dict.fromkeys(titles)))


def _kind(result: Any) -> str:
    if isinstance(result, DRAWN):
        return "landscape"
    if hasattr(result, "leaderboard") and hasattr(result, "curves"):
        return "race"
    if hasattr(result, "trials") and hasattr(result, "history"):
        return "search"
    if hasattr(result, "applied") or (hasattr(result, "skill") and hasattr(result, "findings")):
        return "examination"
    if isinstance(result, dict) or hasattr(result, "suggestion"):
        return "range test"  # build_range_test says what is wrong with any other dict
    kind = type(result).__name__
    said = f"{kind} has no page; report takes what race, range_test, landscape, tune, examine or repair return"
    if isinstance(result, str | os.PathLike):
        said += "; of a run directory slalom.load or slalom.tune.load makes that"
    raise BadValueError(said)
