"""Slalom: an optimizer workbench for PyTorch. Which optimizer, why it does not converge, how the methods behave."""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING, Any

# MKL picks its kernel by where in memory a matrix starts, so a lane's last bits would depend on its place among the others.
# In this mode they do not, at no measured cost; MKL reads it at its first call, hence here. A setting of yours is kept.
_os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

from slalom.race import hooks as _hooks
from slalom.race import load, race, resume

if TYPE_CHECKING:
    from slalom import claims, data, doctor, landscape, nets, optim, report, rules, schedules, testing, tune
    from slalom.doctor.examine import examine
    from slalom.doctor.online import Doctor
    from slalom.doctor.repairing import repair
    from slalom.engines.lanes import Lane, Lanes, TorchOptimizer, lanes_of
    from slalom.race.learning_curve import learning_curve
    from slalom.race.range import range_test

__version__ = "0.1.0"

__all__ = [
    "Doctor",
    "Lane",
    "Lanes",
    "TorchOptimizer",
    "__version__",
    "claims",
    "data",
    "doctor",
    "examine",
    "landscape",
    "lanes_of",
    "learning_curve",
    "load",
    "nets",
    "optim",
    "race",
    "range_test",
    "repair",
    "report",
    "resume",
    "rules",
    "schedules",
    "testing",
    "tune",
]

_LANES = ("Lane", "Lanes", "TorchOptimizer", "lanes_of")
_HOMES = {  # public names that are loaded when first used, and the module that each is at home in
    "Doctor": "slalom.doctor.online",
    "examine": "slalom.doctor.examine",
    "learning_curve": "slalom.race.learning_curve",
    "range_test": "slalom.race.range",
    "repair": "slalom.doctor.repairing",
}
_ROOMS = ("claims", "data", "doctor", "landscape", "nets", "optim", "report", "rules", "schedules", "testing", "tune")


def __getattr__(name: str) -> Any:
    # Loaded when first used: `import slalom` stays light.
    import importlib

    if name in _LANES:
        importlib.import_module("slalom.rules")  # so that lanes_of("adam") finds its rule
        return getattr(importlib.import_module("slalom.engines.lanes"), name)
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"slalom.{name}")
    raise AttributeError(f"module 'slalom' has no attribute {name!r}")


def _write_report(result: Any, path: Any) -> None:
    from slalom.report.combined import report

    report(result, path=path)


def _write_search(result: Any, path: Any) -> None:
    from slalom.report import write_search

    write_search(result, path)


def _write_doctor(result: Any, path: Any) -> None:
    from slalom.report.doctor import write_doctor

    write_doctor(result, path)


def _lane_findings(result: Any) -> Any:
    from slalom.doctor.lanes import lane_findings

    return lane_findings(result)


def _draw(how: str) -> Any:
    def draw(record: Any, *args: Any, **options: Any) -> Any:
        from slalom.figures import pictures

        return getattr(pictures, how)(record, *args, **options)

    return draw


def _inline(result: Any) -> str:
    from slalom.report.inline import inline

    return inline(result)


_hooks.report, _hooks.search_report, _hooks.inline = _write_report, _write_search, _inline
_hooks.doctor_report, _hooks.findings = _write_doctor, _lane_findings
_hooks.plot, _hooks.save, _hooks.png = _draw("plot"), _draw("save"), _draw("png")
