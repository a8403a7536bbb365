"""Reading loss curves: of a whole run, and while it goes on."""

from slalom.doctor.curve.detectors import Convergence, Detector, Divergence, Oscillation
from slalom.doctor.curve.probe import Probe
from slalom.doctor.curve.read import read_curve
from slalom.doctor.curve.record import SHAPES, Figure, Reading, Verdict

__all__ = [
    "SHAPES",
    "Convergence",
    "Detector",
    "Divergence",
    "Figure",
    "Oscillation",
    "Probe",
    "Reading",
    "Verdict",
    "read_curve",
]
