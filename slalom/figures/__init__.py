"""Figures as data: what a race shows, as frozen records that a page, a plot or a program can draw."""

from slalom.figures.race import build_race
from slalom.figures.records import CurveSet, LaneTable, LrResponse, RaceFigure, RetiredLane
from slalom.figures.words import format_lr, verdict

__all__ = [
    "CurveSet", "LaneTable", "LrResponse", "RaceFigure", "RetiredLane", "build_race", "format_lr",
    "verdict",
]  # fmt: skip
