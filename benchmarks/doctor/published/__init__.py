"""Published rules, re-implemented at their default thresholds (references: doctor.md, section 1), on what a watched run holds."""

from benchmarks.doctor.published.rules import RULES
from benchmarks.doctor.published.trace import Trace

__all__ = ["RULES", "Trace"]
