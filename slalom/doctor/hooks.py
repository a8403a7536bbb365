"""Where later floors attach to this one: imports run one way, so the package's face fills these in (see `slalom.race.hooks`).

`report`: writes an examination's or a repair's page, (result, path) -> None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slalom.race import hooks

report: Callable[[Any, Any], None] | None


def __getattr__(name: str) -> Any:
    if name == "report":
        return hooks.doctor_report
    raise AttributeError(f"module 'slalom.doctor.hooks' has no attribute {name!r}")
