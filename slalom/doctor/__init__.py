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
