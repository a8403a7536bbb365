"""Repairing a run: the fixes of what was found compete, the best is trained and shown to be better."""

from slalom.doctor.repairing.mend import repair
from slalom.doctor.repairing.record import Applied, Repair

__all__ = ["Applied", "Repair", "repair"]
