"""Repairing a run: the fixes of what was found compete, the best is trained and shown to be better."""

from slalom.doctor.repairing.record import Applied, Repair
from slalom.doctor.repairing.repair import repair

__all__ = ["Applied", "Repair", "repair"]
