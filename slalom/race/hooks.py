"""Where later floors attach to this one: imports run one way, so the package's face fills these in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Writes a result's page: (result, path) -> None. Set by slalom/__init__.py to slalom.report's.
report: Callable[[Any, Any], None] | None = None

# Writes a search's page, likewise.
search_report: Callable[[Any, Any], None] | None = None

# The same for an examination or a repair, which `slalom.doctor.hooks` hands on; here, since the doctor is loaded when first used.
doctor_report: Callable[[Any, Any], None] | None = None

# What is wrong with each lane of a result: lane number -> findings. Set to slalom.doctor's.
findings: Callable[[Any], dict[int, list[Any]]] | None = None

# Draw a record (of `slalom.landscape`): as a matplotlib figure, into a file, as PNG bytes. Set to slalom.figures'.
plot: Callable[..., Any] | None = None
save: Callable[..., Any] | None = None
png: Callable[..., bytes] | None = None

# A result as a piece of HTML for a notebook. Set to slalom.report's.
inline: Callable[[Any], str] | None = None
