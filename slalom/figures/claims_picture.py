"""The small picture of a claim, as SVG: its curves, or its effects' intervals against what was asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from slalom.claims.claim import Claim
from slalom.claims.criteria import Criterion
from slalom.claims.decide import Verdict
from slalom.claims.outcome import Interval, Lines, Outcome
from slalom.claims.words import Language

WIDTH, LEFT, RIGHT = 640, 360, 70  # of the intervals: labels on the left, the bound's value on the right
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2")
MARKS = {"held": "#059669", "not seen": "#9ca3af", "reversed": "#dc2626"}
FONT = 'font-family="system-ui,sans-serif" font-size="11"'


def picture(claim: Claim, outcome: Outcome, verdict: Verdict, language: Language) -> str:
    """The claim's picture."""
    if outcome.lines is not None:
        return draw_lines(outcome.lines, language)
    return draw_intervals(claim.criteria, verdict, language)


def _svg(width: int, height: int, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {FONT}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *body, "</svg>"])


def _text(x: float, y: float, said: str, anchor: str = "start", colour: str = "#374151") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{escape(said)}</text>'


def draw_intervals(criteria: Sequence[Criterion], verdict: Verdict, language: Language) -> str:
    """A row an effect, each on its own scale: its interval, and its bounds as bars across."""
    body, row = [], 24
    for k, c in enumerate(criteria):
        y = 18 + row * k
        i = verdict.intervals[c.key]
        body.append(_text(LEFT - 12, y + 4, _cut(c.label.text(language)), "end"))
        body += _row(c, i, y, MARKS[verdict.states[c.key]])
        body.append(_text(WIDTH - 4, y + 4, c.asked, "end", "#6b7280"))
    return _svg(WIDTH, 18 + row * len(criteria), body)


def _cut(said: str, most: int = 58) -> str:
    wide = 0
    for k, letter in enumerate(said):
        wide += 2 if ord(letter) > 0x2E80 else 1
        if wide > most:
            return said[: k - 1] + "..."
    return said


def _row(c: Criterion, i: Interval, y: float, colour: str) -> list[str]:
    ends = [i.low, i.high, *c.nearest]
    low, high = min(ends), max(ends)
    pad = 0.12 * (high - low) or 1.0
    low, high = low - pad, high + pad

    def at(v: float) -> float:
        return LEFT + (WIDTH - RIGHT - LEFT) * (v - low) / (high - low)

    made = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e5e7eb"/>']
    made += [f'<line x1="{at(b):.1f}" x2="{at(b):.1f}" y1="{y - 8}" y2="{y + 8}" stroke="#111827"/>' for b in c.nearest]
    made.append(f'<line x1="{at(i.low):.1f}" x2="{at(i.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>')
    made.append(f'<circle cx="{at(i.mean):.1f}" cy="{y}" r="4" fill="{colour}"/>')
    return made


def draw_lines(lines: Lines, language: Language) -> str:
    """The curves, with first, last and extreme values on the axes."""
    width, height, left, bottom, top = 480, 240, 62, 36, 24
    beside = 130  # for the names of the curves
    k = 0 if language == "en" else 1
    xs = [math.log10(v) if lines.log_x else v for v in lines.x]
    shown = {n: [_log(v) if lines.log_y else v for v in values] for n, values in lines.series.items()}
    every = [v for values in shown.values() for v in values if math.isfinite(v)]
    low, high = min(every), max(every)
    pad = 0.06 * (high - low) or 0.5
    span = (xs[-1] - xs[0]) or 1.0

    def point(x: float, y: float) -> tuple[float, float]:
        right = left + (width - left - beside) * (x - xs[0]) / span
        return right, top + (height - top - bottom) * (1 - (y - low + pad) / (high - low + 2 * pad))

    frame = f'x="{left}" y="{top}" width="{width - left - beside}" height="{height - top - bottom}"'
    body = [f'<rect {frame} fill="none" stroke="#d1d5db"/>']
    for value in (low, high):
        _, y = point(xs[0], value)
        body.append(_text(left - 6, y + 4, _tick(value, lines.log_y), "end", "#6b7280"))
    for x, anchor in ((xs[0], "start"), (xs[-1], "end")):
        body.append(_text(point(x, low)[0], height - bottom + 14, _tick(x, lines.log_x), anchor, "#6b7280"))
    body.append(_text(left + (width - left - beside) / 2, height - 6, lines.x_label[k], "middle"))
    body.append(_text(4, 14, lines.y_label[k]))
    for n, (name, values) in enumerate(shown.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = [point(x, v) for x, v in zip(xs, values, strict=True) if math.isfinite(v)]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        body.append(_text(width - beside + 8, top + 12 + 15 * n, name, "start", colour))
    return _svg(width, height, body)


def _log(v: float) -> float:
    return math.log10(v) if v > 0 else math.nan


def _tick(v: float, log: bool) -> str:
    return f"{10**v:.2g}" if log else f"{v:.3g}"
