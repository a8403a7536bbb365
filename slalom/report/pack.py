"""Curves as 12 bits a point: small enough for a page, exact to a fraction of a percent.

Each curve has its own scale: 4092 levels between its lowest and highest finite value, spaced evenly in the logarithm
(natural) where all its values are >= 0, evenly in the value where one is negative. Codes below 4 are special: 0 NaN,
1 exactly zero, 2 +infinity, 3 -infinity. So a loss that falls from 2.3 to 0.001 is stored to within 0.1 %, one that
explodes to the end of float32 to within about 2 %; `worst_error` tells the figure, and the page prints it.

Two codes a, b make three bytes: the low 8 bits of a; the high 4 bits of a below the low 4 of b; the high 8 bits of b.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

NAN, ZERO, PLUS_INFINITY, MINUS_INFINITY, FIRST = 0, 1, 2, 3, 4
LEVELS = 4096 - FIRST

Floats = npt.NDArray[np.float64]


def pack(values: npt.ArrayLike) -> dict[str, Any]:
    """`values` `[curves, points]` as a JSON-able dict.

    `lanes`, `points`: the shape. `codes`: base64, curve after curve. `ranges`: base64 of float32 (little-endian) lowest
    and highest, logarithms where the curve is logarithmic. `linear`: which curves are not.
    """
    array = np.asarray(values, dtype=np.float64)
    curves, points = array.shape
    codes = np.zeros((curves, points), dtype=np.uint16)
    ranges = np.zeros((curves, 2), dtype="<f4")
    linear = []
    for k, curve in enumerate(array):
        is_linear = bool((curve[np.isfinite(curve)] < 0).any())
        if is_linear:
            linear.append(k)
        codes[k], ranges[k] = _encode(curve, is_linear)
    return {
        "lanes": curves, "points": points, "codes": _base64(_twelve_bits(codes)),
        "ranges": _base64(ranges.tobytes()), "linear": linear,
    }  # fmt: skip


def unpack(packed: dict[str, Any]) -> Floats:
    """The inverse of `pack`, within half a level: what the page's decode.js computes.

    >>> unpack(pack([[1.0, 0.0, float("nan"), 100.0]])).round(3).tolist()
    [[1.0, 0.0, nan, 100.0]]
    """
    curves, points = packed["lanes"], packed["points"]
    b = np.frombuffer(base64.b64decode(packed["codes"]), dtype=np.uint8).reshape(-1, 3).astype(np.uint16)
    pairs = np.stack([b[:, 0] | (b[:, 1] & 15) << 8, b[:, 1] >> 4 | b[:, 2] << 4], axis=1)
    codes = pairs.reshape(-1)[: curves * points].reshape(curves, points)
    ranges = np.frombuffer(base64.b64decode(packed["ranges"]), dtype="<f4").reshape(curves, 2).astype(np.float64)
    low, high = ranges[:, :1], ranges[:, 1:]
    level = low + (high - low) * (codes.astype(np.float64) - FIRST) / (LEVELS - 1)
    is_linear = np.isin(np.arange(curves), packed["linear"])[:, None]
    values = np.where(is_linear, level, np.exp(level))
    for code, value in ((NAN, np.nan), (ZERO, 0.0), (PLUS_INFINITY, np.inf), (MINUS_INFINITY, -np.inf)):
        values = np.where(codes == code, value, values)
    return values


def worst_error(values: npt.ArrayLike, packed: dict[str, Any]) -> float:
    """The largest relative error of the stored curves; for a curve with negative values, relative to its range."""
    exact, stored = np.asarray(values, dtype=np.float64), unpack(packed)
    worst = 0.0
    for k in range(len(exact)):
        good = np.isfinite(exact[k]) & (exact[k] != 0)
        if not good.any():
            continue
        a, b = exact[k][good], stored[k][good]
        scale = (np.ptp(a) or 1.0) if k in packed["linear"] else a
        worst = max(worst, float(np.max(np.abs(b - a) / scale)))
    return worst


def _encode(curve: Floats, is_linear: bool) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    good = np.isfinite(curve) & ((curve != 0) | is_linear)
    codes = np.select(
        [np.isnan(curve), np.isposinf(curve), np.isneginf(curve)], [NAN, PLUS_INFINITY, MINUS_INFINITY], ZERO
    ).astype(np.uint16)
    bounds = np.zeros(2, dtype=np.float32)
    if good.any():
        level = curve[good] if is_linear else np.log(curve[good])
        bounds = np.array([level.min(), level.max()], dtype=np.float32)  # rounded first: both sides use the same
        span = float(bounds[1]) - float(bounds[0])
        place = (level - float(bounds[0])) / span if span > 0 else np.zeros_like(level)
        codes[good] = FIRST + np.rint(np.clip(place, 0, 1) * (LEVELS - 1)).astype(np.uint16)
    return codes, bounds


def _twelve_bits(codes: npt.NDArray[np.uint16]) -> bytes:
    flat = codes.reshape(-1)
    a, b = np.append(flat, np.zeros(len(flat) % 2, dtype=np.uint16)).reshape(-1, 2).T
    return np.stack([a & 255, a >> 8 | (b & 15) << 4, b >> 4], axis=1).astype(np.uint8).tobytes()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
