"""Where the lanes method spends its steps: a wide short look, a longer one where the best may lie, the rest on three rates.

Rates stand on rungs half a decade apart. A rate that goes on keeps what it has learnt, so it is paid for once.

Short looks flatter high rates: noise and late blow-ups are not seen yet, and a network that starts on a plateau has not moved;
and a rate far too high can leap away and back, and then stand still (an adaptive rule divides by what it saw on the way). So the
first look's pick passes over rates that leapt, and is the lowest of those that did about as well. Where the first look hardly
lowers the loss (a plateau, a trained model) the second goes to the rates below the cliff, the highest rate that does no harm;
rates that have raised the loss by then wait; and most steps are kept for three rates alone.

All constants were found on the design problems of `benchmarks/range` (`record.py` names them), with other seeds than their
truth's, never on the study that judges them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from slalom.race.range.curve import SHARE
from slalom.race.range.heats import Floats, Heat, Run, Subject
from slalom.race.range.pick import Profile

PER_DECADE = 2
LOW, HIGH = 1e-5, 1e2
BUDGET = 800  # steps of each seed, over all its rates
FIRST, SHORT, SECOND = 6, 30, 70  # steps after the first look, after the second's check for raised losses, after the second
DOWN, UP = 1, 1  # rungs around the first look's pick that the second goes on with
ALIKE = 0.1  # of the drop: the first look's pick is the lowest rate that does no worse than the best by more
LEAP = 1.0  # of the loss: a rate that was above the least rate's loss by more at any step of the first look has leapt
FLAT = 0.1  # of the loss: where the first look lowers it by less, its least loss says nothing, and the second goes by the cliff
DAMAGE = 0.5  # of the loss: the cliff is the highest rung up to which no rate raises it by more in the first look
CLIFF_DOWN, CLIFF_UP = 3, 1  # rungs around the cliff
RAISED = 0.5  # of the loss: a rate that is still above the start by more after SHORT steps waits
UPWARD = 0.15  # decades by which the second look's pick is moved: a rate that did damage at first is still catching up then
LAST_DOWN, LAST_UP = 1, 1  # rungs around the second look's pick that get the rest
NOISES = 2.0  # standard errors of the loss before training that a later loss must be above it to have gone wrong
TAILS = (0.5, 0.3, 0.2)  # of each look's steps, over which its losses are averaged
MAX_WIDENINGS = 3
WIDEN_BY = 4  # rungs: two decades
LEAST_BUDGET = 300


@dataclass
class Look:
    """A rung's losses so far: `losses [steps, seeds]`."""

    lr: float
    losses: Floats

    @property
    def alive(self) -> bool:
        """Whether any seed is still finite."""
        return bool(np.isfinite(self.losses[-1]).any())

    def level(self, tail: float) -> Floats:
        """Each seed's mean loss over the last share of its steps."""
        n = max(2, round(len(self.losses) * tail))
        return np.asarray(self.losses[-n:].mean(0))


@dataclass
class Board:
    """All rungs looked at, by number; `lr = 10 ** (rung / PER_DECADE)`, or the given rates in their order."""

    subject: Subject
    seeds: list[int]
    given: Sequence[float] | None = None
    looks: dict[int, Look] = field(default_factory=dict)
    places: dict[int, tuple[list[int], Heat]] = field(default_factory=dict)  # the heat that a rung is in, and all its rungs
    cost: int = 0

    def lr(self, rung: int) -> float:
        if self.given is None:
            return float(10.0 ** (rung / PER_DECADE))
        inside = min(max(rung, 0), len(self.given) - 1)
        ratio = (self.given[-1] / self.given[0]) ** (1 / max(len(self.given) - 1, 1))  # beyond the given rates, at their spacing
        return float(self.given[inside] * float(ratio) ** (rung - inside))

    def train(self, rungs: Sequence[int], steps: int) -> None:
        """These rungs up to `steps` in all, each from where it stands; one whose seeds have all diverged is left alone."""
        going: list[tuple[list[int], Heat]] = []
        for held, heat in {id(place[1]): place for place in self.places.values()}.values():
            kept = [r for r in held if r in rungs and self.looks[r].alive and self.places[r][1] is heat]
            if kept:
                runs = [held.index(r) * len(self.seeds) + k for r in kept for k in range(len(self.seeds))]
                going.append((kept, heat.only(runs) if kept != held else heat))
        new = [r for r in rungs if r not in self.looks]
        if new:
            going.append((new, self.subject.start([Run(self.lr(r), seed) for r in new for seed in self.seeds])))
        for held, heat in going:
            done = len(self.looks[held[0]].losses) if held[0] in self.looks else 0
            if steps <= done:
                continue
            losses = heat.advance(steps - done).reshape(steps - done, len(held), len(self.seeds))
            self.cost += losses.size
            for k, r in enumerate(held):
                before = [self.looks[r].losses] if r in self.looks else []
                self.looks[r] = Look(self.lr(r), np.concatenate([*before, losses[:, k]]))
                self.places[r] = (held, heat)

    def profile(self, rungs: Sequence[int], tail: float, initial: float) -> Profile:
        """Median over seeds of each rung's level."""
        levels = [float(np.median(self.looks[r].level(tail))) for r in rungs]
        return Profile(np.log10([self.lr(r) for r in rungs]), np.array(levels), initial)

    def initial(self) -> float:
        """The loss before training: that of the least rate's first steps, median over seeds."""
        least = self.looks[min(self.looks)]
        return float(np.median(least.losses[:FIRST].mean(0)))

    def noise(self) -> float:
        """The standard error of that loss, from batch to batch."""
        first = self.looks[min(self.looks)].losses[:FIRST]
        return float(np.median(first.std(0, ddof=1)) / math.sqrt(len(first)))

    def leapt(self, rungs: Sequence[int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which were far above the least of them, on the same batches, at some step that all have had (median over seeds)."""
        steps = min(len(self.looks[r].losses) for r in rungs)
        least = self.looks[rungs[0]].losses[:steps]
        above = np.array([np.median((self.looks[r].losses[:steps] - least).max(0)) for r in rungs])
        return ~(above <= LEAP * abs(float(np.median(least.mean(0)))))


@dataclass(frozen=True)
class Spent:
    """What the search leaves: the board, the last look's rungs, the profile that picks, the loss before training, and whether any
    look was below it."""

    board: Board
    last: list[int]
    profile: Profile
    initial: float
    widened: int
    falls: bool


def staged(subject: Subject, seeds: list[int], low: float, high: float, budget: int, widen: bool) -> Spent:
    """The three looks. A least loss at the grid's edge in the first adds two decades beyond it."""
    scale = budget / BUDGET
    first, short, second = max(4, round(FIRST * scale)), max(8, round(SHORT * scale)), max(12, round(SECOND * scale))
    board = Board(subject, seeds)
    rungs = list(range(math.floor(math.log10(low) * PER_DECADE + 1e-9), math.ceil(math.log10(high) * PER_DECADE - 1e-9) + 1))
    board.train(rungs, first)
    initial = board.initial()
    rungs, widened = _widen(board, rungs, first, TAILS[0], initial, widen)
    near = _near(board, rungs, initial)
    board.train(near, short)
    near = _not_raised(board.profile(near, TAILS[1], initial), near)
    board.train(near, second)
    at = _rung(board.profile(near, TAILS[1], initial), near, UPWARD)
    further = {near[0]: near[0] - 1, near[-1]: near[-1] + 1}.get(at)
    # The best may lie beyond; a rate that waited goes on from where it stands.
    if further is not None and further in rungs and board.looks[further].alive:
        near = sorted([*near, further])
        board.train([further], second)
        at = _rung(board.profile(near, TAILS[1], initial), near, UPWARD)
    last = [r for r in range(at - LAST_DOWN, at + LAST_UP + 1) if r in rungs]
    board.train(last, _steps_left(board, last, second, budget))
    seen = [board.profile(*look, initial) for look in ((last, TAILS[2]), (near, TAILS[1]), (rungs, TAILS[0]))]
    # Where all of the last went wrong in the end, what was seen before them counts; noise alone is no reason to go back.
    profile = next((p for p in seen if p.falls(NOISES * board.noise())), seen[-1])
    return Spent(board, last, profile, initial, widened, any(p.falls() for p in seen))


def every(subject: Subject, seeds: list[int], lrs: Sequence[float], steps: int, widen: bool) -> Spent:
    """All given rates for as many steps, and rates beyond where the pick is the first or the last."""
    board = Board(subject, seeds, given=lrs)
    board.train(list(range(len(lrs))), steps)
    initial = board.initial()
    rungs, widened = _widen(board, list(range(len(lrs))), steps, TAILS[2], initial, widen and len(lrs) > 1)
    profile = board.profile(rungs, TAILS[2], initial)
    return Spent(board, rungs, profile, initial, widened, profile.falls())


def _widen(board: Board, rungs: list[int], steps: int, tail: float, initial: float, wanted: bool) -> tuple[list[int], int]:
    """Adds rungs beyond an end of the grid while the least loss is there; the rungs, and how often they were added to."""
    for done in range(MAX_WIDENINGS if wanted else 0):
        profile = board.profile(rungs, tail, initial)
        least = int(np.argmin(profile.loss))
        drop = profile.ceiling - profile.loss[least]
        gain = np.delete(profile.loss, least).min() - profile.loss[least] if len(rungs) > 1 else 0.0
        # A flat end is no reason to look beyond it: rates there that no one uses can be as good by accident.
        if not profile.falls() or least not in (0, len(rungs) - 1) or not gain > SHARE * drop:
            return rungs, done
        if not least and initial - profile.loss[0] < FLAT * abs(initial):  # a warm start, which the least rate harms least
            return rungs, done
        added = range(rungs[-1] + 1, rungs[-1] + WIDEN_BY + 1) if least else range(rungs[0] - WIDEN_BY, rungs[0])
        board.train(list(added), steps)
        rungs = sorted([*rungs, *added])
    return rungs, MAX_WIDENINGS if wanted else 0


def _near(board: Board, rungs: Sequence[int], initial: float) -> list[int]:
    """The rungs of the second look: around the first's pick, or where that says nothing, around the cliff."""
    profile = board.profile(rungs, TAILS[0], initial)
    calm = replace(profile, loss=np.where(board.leapt(rungs), np.inf, profile.loss))
    start = float(profile.loss[0])
    flat = bool(start - calm.loss.min() < FLAT * abs(start))
    at, below, above = (_cliff(profile, rungs), CLIFF_DOWN, CLIFF_UP) if flat else (_rung(calm, rungs, alike=ALIKE), DOWN, UP)
    return [r for r in range(at - below, at + above + 1) if r in rungs]


def _not_raised(profile: Profile, rungs: list[int]) -> list[int]:
    """Those whose loss is not above the start's, or the least rate's, by more than RAISED of it."""
    start = max(profile.initial, float(profile.loss[0]))
    return [r for r, loss in zip(rungs, profile.loss, strict=True) if loss <= start + RAISED * abs(start)] or rungs


def _cliff(profile: Profile, rungs: Sequence[int]) -> int:
    """The highest rung up to which no rate raises the least rate's loss by more than DAMAGE of it."""
    over = ~(profile.loss <= profile.loss[0] + DAMAGE * abs(profile.loss[0]))
    return rungs[int(np.argmax(over)) - 1 if over.any() else -1]


def _rung(profile: Profile, rungs: Sequence[int], up: float = 0.0, alike: float = 0.0) -> int:
    """The rung nearest to the profile's pick, moved by so many decades."""
    return rungs[int(np.argmin(np.abs(profile.x - profile.place(alike) - up)))]


def _steps_left(board: Board, rungs: Sequence[int], at_least: int, budget: int) -> int:
    """Steps that each of these rungs can be brought to with what is left of the budget."""
    going = [r for r in rungs if r not in board.looks or board.looks[r].alive]
    done = sum(len(board.looks[r].losses) for r in going if r in board.looks)
    left = budget - board.cost // len(board.seeds)
    return max(at_least, (left + done) // max(len(going), 1))
