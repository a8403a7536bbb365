"""Where later floors attach to this one: imports run one way, so the package's face fills these in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Writes an examination's or a repair's page: (result, path) -> None. Set by slalom/__init__.py to slalom.report's.
report: Callable[[Any, Any], None] | None = None
