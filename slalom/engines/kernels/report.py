"""What a step tells of each row it was given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UPDATED, SKIPPED, BAD_GRADIENT, BAD_PARAMETER = range(4)
MEANING = ("updated", "skipped", "gradient not finite", "new parameters not finite")


@dataclass(frozen=True)
class StepReport:
    """Per row, in the order of `rows`: squared norm of the gradient as given (float64), and what became of the row.

    `status` (uint8): 0 updated; 1 skipped on request; 2 the gradient held NaN or infinity; 3 the new parameters would
    have. Only rows of status 0 were changed.
    """

    grad_sq: NDArray[np.float64]
    status: NDArray[np.uint8]

    @property
    def updated(self) -> NDArray[np.bool_]:
        """Whether the row was changed."""
        return np.equal(self.status, UPDATED)
