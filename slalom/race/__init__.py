"""Races: rules x learning rates x seeds on one model and data set."""

from slalom.race.api import load, race, resume

__all__ = ["load", "race", "resume"]
