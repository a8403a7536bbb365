"""What the inputs of the first steps say."""

from __future__ import annotations

import numpy as np

from slalom.doctor.curve.record import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.online.record import Watched
from slalom.doctor.online.rules import thresholds as bound


def nonfinite(record: Watched) -> Finding | None:
    """NaN or infinity in a batch of inputs."""
    bad = next((look for look in record.inputs if not look.finite), None)
    if bad is None:
        return None
    columns = int((~np.isfinite(bad.mean)).sum())
    return finding("nonfinite_data", [Figure("columns", columns, 1, "features of a batch that are not finite")], 0.97, bad.step)


def mismatched(record: Watched) -> Finding | None:
    """A loss that is given what it does not take."""
    if record.misfit is None:
        return None
    step, words = record.misfit
    return finding("loss_output_mismatch", [Figure("misfit", 1.0, 1.0, words)], 0.9, step)


def unnormalised(record: Watched) -> Finding | None:
    """Features that differ in size by orders of magnitude, or are all large, or lie far from 0."""
    look = next((look for look in record.inputs if look.finite), None)
    if look is None or record.normalised or look.rows < 2:
        return None
    size = np.sqrt(look.mean**2 + look.sd**2)
    varies = look.sd > 1e-9 * np.maximum(size, 1e-300)
    if not varies.any():
        return None
    size, sd, mean = size[varies], look.sd[varies], np.abs(look.mean[varies])
    typical = float(np.median(size))
    figures = [Figure("size", typical, bound.SIZE, "root mean square of a typical feature")]
    if size.max() > 1:  # below it, large differences are those of rare features, and do no harm
        spread = float(size.max() / max(typical, 1e-300))
        figures.append(Figure("spread", spread, bound.SPREAD, "size of the largest feature over the median one's"))
    if typical > 1:
        offset = float(np.median(mean / np.maximum(sd, 1e-300)))
        figures.append(Figure("offset", offset, bound.OFFSET, "mean over standard deviation of a typical feature"))
    crossed = [figure for figure in figures if figure.crossed]
    return finding("unnormalised_inputs", crossed, 0.9, look.step) if crossed else None
