"""Why a run does not converge: reading its loss curve, and detectors to watch it with."""

from slalom.doctor.curve import (
    SHAPES,
    Convergence,
    Detector,
    Divergence,
    Figure,
    Oscillation,
    Probe,
    Reading,
    Verdict,
    read_curve,
)
from slalom.doctor.examination import Examination
from slalom.doctor.examine import examine
from slalom.doctor.finding import Finding
from slalom.doctor.labels import LABELS

__all__ = [
    "LABELS",
    "SHAPES",
    "Convergence",
    "Detector",
    "Divergence",
    "Examination",
    "Figure",
    "Finding",
    "Oscillation",
    "Probe",
    "Reading",
    "Verdict",
    "examine",
    "read_curve",
]
