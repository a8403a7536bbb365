"""Numbers that are not finite in the data."""

from __future__ import annotations

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.probes.columns import not_finite


def look(case: Case) -> list[Finding]:
    """Rows of the training or validation part with NaN or infinity; told before the first step."""
    evidence, rows = [], {}
    parts = {"train": case.setup.train, **({"val": case.setup.val} if case.setup.val is not None else {})}
    for part, pair in parts.items():
        for name, tensor in zip(("X", "y"), pair, strict=True):
            bad = not_finite(tensor)
            if bad:
                some = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
                words = f"rows of {part} {name} with NaN or infinity (rows {some}, counted from 0)"
                evidence.append(Figure(f"{part}_{name}", float(len(bad)), 1.0, words))
                rows[f"{part}_{name}"] = bad
    return [finding("nonfinite_data", evidence, 0.99, 0, rows=rows)] if evidence else []
