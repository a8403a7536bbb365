"""sparse="dense-equivalent": which rows of a parameter are behind, and how they catch up.

A row that a gradient does not touch has still to take a step with a gradient of 0: averages shrink, momentum carries on,
weights decay. That step is put off until the row is needed; the journal holds what it will take. Rows that no gradient has
touched yet have nothing to catch up where a zero gradient moves nothing at the start (most rules without decay), and no row
has where it never moves anything (SGD without momentum and decay, Adagrad without decay): both are found by trying the rule
on numbers.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings, get_rule
from slalom.engines.sparse import eager
from slalom.engines.sparse.gradient import RowGradient
from slalom.engines.sparse.journal import Journal
from slalom.engines.sparse.kernels import ReplayKernel, StepKernel, compiled
from slalom.engines.sparse.lazy import apart
from slalom.engines.sparse.params import State, advance, changed, real_dtype, scalars_of, steps_taken, table, width_of
from slalom.engines.sparse.zero import rest

NEVER = -1  # in `seen`: no gradient has touched the row, and until then a step leaves it as it is


class Behind:
    """The rows of one parameter, and the journal of the steps that some of them have still to take.

    `lead`: the axes that the gradient's indices run over. `seen [rows]`: the journal's entry that each row takes next.
    """

    def __init__(self, settings: Settings, p: torch.Tensor, cell: State, lead: tuple[int, ...]) -> None:
        self.settings = settings
        self.lead = lead
        self.journal = Journal(settings)
        first = NEVER if steps_taken(cell) == 0 and rest(settings).untouched else self.journal.end
        self.seen = torch.full((prod(lead),), first, dtype=torch.int32, device=p.device)

    def catch_up(self, p: torch.Tensor, cell: State, rows: torch.Tensor | None = None) -> None:
        """Replays the steps that these rows (default: all) have missed; int64, in any order, on the parameter's device."""
        to = self.journal.end
        if self.journal.count == 0 and rows is None:
            return
        kernel = compiled(ReplayKernel, self.settings, real_dtype(p))
        at = None if kernel is None else table(self.settings, kernel.states, p, cell)
        if kernel is not None and at is not None:
            coefficients = self.journal.coefficients(kernel)
            done = kernel.replay(at, width_of(p, self.lead), rows, self.seen, to, self.journal.start, coefficients)
            if done < 0:
                assert rows is not None
                raise _outside(rows, len(self.seen))
            if done:
                changed(p)
        else:
            self._catch_up_eagerly(p, cell, rows, to)
        if rows is None:
            self.journal.forget(to)

    def _catch_up_eagerly(self, p: torch.Tensor, cell: State, rows: torch.Tensor | None, to: int) -> None:
        if rows is None:
            rows = torch.arange(len(self.seen), device=p.device)
        elif len(rows):
            if int(rows.min()) < 0 or int(rows.max()) >= len(self.seen):
                raise _outside(rows, len(self.seen))
            rows = torch.unique(rows)
        late = self.seen[rows]
        rows, late = (x[(late >= 0) & (late < to)] for x in (rows, late))
        if not len(rows):
            return
        order = late.argsort(stable=True)
        rows, seen = rows[order], late[order].cpu().numpy()
        matrices = eager.Matrices(self.settings, p, cell, self.lead)
        for entry in range(int(seen[0]), to):
            some = rows[: int(np.searchsorted(seen, entry, "right"))]
            t, values, scalars = self.journal.at(entry)
            none = torch.zeros(len(some), matrices.width, dtype=matrices.dtype, device=p.device)
            told = {name: torch.tensor(x, dtype=torch.float64, device=p.device) for name, x in scalars.items()}
            eager.step(self.settings, values, matrices, some, none, t, told)
        self.seen[rows] = to

    def step(self, p: torch.Tensor, cell: State, gradient: RowGradient, settings: Settings, factor: float) -> None:
        """Steps the touched rows, caught up first, in place along `factor` times the gradient; the others will follow."""
        rows = gradient.rows
        self.follow(settings, p, cell)
        self.catch_up(p, cell, rows)
        taken, scalars = steps_taken(cell), scalars_of(settings, cell)
        self._note(settings, taken + 1, scalars)
        kernel = compiled(StepKernel, settings, real_dtype(p))
        at = None if kernel is None else table(settings, kernel.states, p, cell)
        if kernel is not None and at is not None:
            told = {name: np.array([value]) for name, value in scalars.items()}
            coefficients, after = kernel.coefficients(settings.values, np.array([taken + 1.0]), told)
            if gradient.entries.numel():
                kernel.step(at, gradient, apart(gradient.entries, p), None, coefficients, factor)
                changed(p)
            new: dict[str, Any] = {name: x[0] for name, x in zip(kernel.scalars, after, strict=True)}
        else:
            matrices = eager.Matrices(settings, p, cell, self.lead)
            now = {name: torch.tensor(x, dtype=torch.float64, device=p.device) for name, x in scalars.items()}
            new = eager.step(settings, settings.values, matrices, rows, gradient.values * factor, taken + 1, now)
        self.seen[rows] = self.journal.end
        advance(settings, cell, new)

    def _note(self, settings: Settings, t: int, scalars: dict[str, float]) -> None:
        found = rest(settings)
        if found.always:  # a step that moves no row without gradient need not be replayed
            return
        if not found.untouched:
            self.seen.masked_fill_(self.seen == NEVER, self.journal.end)
        if self.journal.full():
            late = self.seen[self.seen != NEVER]
            self.journal.forget(int(late.min()) if len(late) else self.journal.end)
        self.journal.note(t, settings.values, scalars)

    def follow(self, settings: Settings, p: torch.Tensor, cell: State) -> None:
        """Goes over to new settings; where their program is another one, all rows are caught up by the old one first."""
        if settings.program != self.settings.program:
            self.catch_up(p, cell)
            self.journal = Journal(settings, self.journal.end)
        self.settings = settings

    def __getstate__(self) -> dict[str, Any]:
        s = self.settings  # a rule is found again by its name
        return {**self.__dict__, "settings": (s.rule.name, dict(s.values), dict(s.options), dict(s.on))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name, values, options, on = state["settings"]
        self.__dict__.update(state, settings=Settings(get_rule(name), values, options, on))


def _outside(rows: torch.Tensor, count: int) -> BadValueError:
    wrong = rows[(rows < 0) | (rows >= count)]
    return BadValueError(f"rows must be in [0, {count}), got {int(wrong[0])}")
