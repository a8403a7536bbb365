"""The learning rate, its schedule, momentum and the batch: causes that show in the same curves, told apart by branches."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from slalom.doctor.case import Case, Trial
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.gain import CLEAR, MUCH, gain
from slalom.doctor.experiments.suspects import Suspect
from slalom.doctor.finding import Finding, finding
from slalom.doctor.fixes.batch import GROUP_NORM
from slalom.doctor.fixes.learning_rate import times

GAINED = 0.6  # of the skill at a higher rate: a run at a usual rate that has come so far wants more steps, and is not at fault
COOLED, EARLY = 0.03, 0.6  # of the peak rate; of the epochs
SPENT = 0.35  # of the epochs: schedules of healthy runs, steps at 30, 60 and 90 % among them, are not over so soon
MOMENTUM = 0.95
FEW, TINY = 8, 2  # rows of a batch
WHOLE = 0.4  # of the rows in one batch
NEARLY_ALL, HARDLY = 0.9, 100  # of the rows; steps that make a whole run of such batches too short for nearly any model
AWAY, GROWING = 100.0, 10.0  # times its start: a loss that has left; times what it was half a run before
LEARNT = 0.2  # skill of a run that has learnt something
KEPT = 0.35  # training skill that a branch without so much momentum may lack, where validation rows win that much
HASTY = 0.03  # update of a parameter over its size: healthy runs stay below a half of it
BOLD = 49.0  # times a usual rate
STAYED, BARELY = 0.03, 0.15  # way of the weights over their size, and skill, of a run that has not begun
FAR, STILL = 100.0, 0.02  # times below the usual rate; skill that two higher rates must win for a third to be tried
PEAK = 3.0  # times the loss of a constant prediction: no rate that suits goes there
SMOOTH = 1.1  # times its start: a loss that never went beyond
STUCK, ROUGH = 0.05, 0.3  # skill of a run that has learnt nothing; share of looks at which a run that does not settle rises
ADAPTIVE = ("Adam", "Adagrad", "RMSprop", "Adadelta", "Lion", "Adafactor", "Lamb")
USUAL = {True: 2e-4, False: 2e-3}  # rates that are low for adaptive optimizers, and for the others


def rough(case: Case) -> float:
    """The share of looks in the second half at which the training loss has risen."""
    seen = case.run.train()
    half = seen[len(seen) // 2 :]
    return float((np.diff(half) > 0).mean()) if len(half) > 2 else 0.0


def away(case: Case) -> bool:
    """Whether the loss left for infinity: not finite, or far above its start and still growing by factors."""
    losses = np.array(case.run.losses)
    if case.run.broke is not None:
        return True
    if len(losses) < 8:
        return False
    quarters = [float(np.median(part)) for part in np.array_split(losses, 4)]
    return bool(quarters[3] > AWAY * max(abs(losses[0]), case.skills[0].constant) and quarters[3] > GROWING * quarters[1])


def crawls(case: Case) -> bool:
    """A run at a low rate that never rose: a higher rate is asked before a lower one."""
    seen = case.run.train()
    return _slow(case) and not away(case) and bool(seen.max() <= SMOOTH * abs(seen[0]))


def higher(case: Case) -> list[Suspect]:
    """A rate that may be raised: where the loss neither leaves nor jumps."""
    if away(case) or case.reached[0] < -0.5:
        return []
    pace = _pace(case)
    slow = _slow(case) or any(f.value > f.threshold for f in pace)
    return [Suspect("lr_too_low", pace, _raised, need=MUCH, most=1.0 if slow else GAINED)]


def _raised(case: Case) -> list[Trial]:
    """Branches at higher rates, until one is good, or goes worse. From far below what is usual they go there at once."""
    rate = case.hyper("lr")
    if not rate > 0:
        return []
    away_by = 5 * _usual(case) / rate
    slow = _slow(case) or case.reached[0] < STUCK
    lost = crawls(case) and case.reached[0] < STUCK
    first = 10.0 ** round(math.log10(away_by)) if away_by > FAR else 100.0 if lost else 10.0
    found: list[Trial] = []
    for factor in (first, 10 * first, 100 * first) if first != 100.0 else (100.0, 1000.0, 300.0 if lost else 10.0):
        trial = case.trial(times(factor))
        if trial is None:
            break
        found.append(trial)
        if trial.train > 0.9 or (not lost and trial.train < case.reached[0] + (-0.05 if slow else STILL)):
            break
        if not lost and len(found) == 2 and max(t.train for t in found) - case.reached[0] < STILL:
            break
    return found


def _usual(case: Case) -> float:
    return USUAL[type(case.optimizer).__name__.startswith(ADAPTIVE)]


def _slow(case: Case) -> bool:
    return case.hyper("lr") < _usual(case)


def _pace(case: Case) -> tuple[Figure, ...]:
    pace = _median_ratio(case)
    if math.isnan(pace):
        return ()
    return (Figure("update", -pace, -1e-3, "(minus the) median update of a parameter over its size"),)


def _median_ratio(case: Case) -> float:
    """The median update of a parameter over its size; NaN where none moved."""
    ratios = [v for row in case.run.ratios.values() for v in row if math.isfinite(v) and v > 0]
    return float(np.median(ratios)) if ratios else math.nan


def moved(case: Case) -> float:
    """How far the weights have come in the whole run, over their size: the median of the matrices; NaN for none."""
    start, end = dict(case.setup.model.named_parameters()), dict(case.run.model.named_parameters())
    shares = [
        float((end[n].detach() - p.detach()).norm() / p.detach().norm())
        for n, p in start.items()
        if p.dim() > 1 and p.requires_grad and float(p.detach().norm()) > 0
    ]
    known = [s for s in shares if math.isfinite(s)]
    return float(np.median(known)) if known else math.nan


def idle(case: Case) -> list[Finding]:
    """A run that has learnt nothing, at a low rate, with weights that have hardly moved: it never got the chance."""
    if case.run.broke is not None or not case.reached[0] < BARELY or not _slow(case):
        return []
    far = moved(case)
    if not far < STAYED:
        return []
    figures = (Figure("moved", -far, -STAYED, "(minus the) median way of a weight matrix in the whole run, over its size"),)
    return [finding("lr_too_low", figures, 0.7, max(1, case.setup.steps // 10))]


def lower(case: Case) -> list[Suspect]:
    """A rate that may be lowered: where the loss leaves, jumps, or has learnt nothing."""
    unsteady = rough(case)
    gone = away(case)
    high = _peak(case)
    if not (gone or unsteady >= ROUGH or case.reached[0] < STUCK or high > PEAK or case.reached[1] < 0):
        return []
    if gone:
        words = "the loss is not finite from step" if case.run.broke is not None else "largest loss over its start"
        losses = np.array(case.run.losses)
        value = float(case.run.broke) if case.run.broke is not None else float(losses.max() / max(abs(losses[0]), 1e-12))
        figures: tuple[Figure, ...] = (Figure("away", value, 0.0 if case.run.broke is not None else AWAY, words),)
    elif high > PEAK:
        figures = (Figure("peak", high, PEAK, "largest training loss over that of a constant prediction"),)
    elif unsteady < ROUGH and case.reached[1] < 0:
        figures = (Figure("behind", -case.reached[1], 0.0, "(minus the) validation skill: worse than a constant prediction"),)
    else:
        figures = (Figure("rough", unsteady, ROUGH, "share of looks in the second half at which the training loss rises"),)
    pace = _median_ratio(case)
    hasty = pace > HASTY
    if hasty:
        figures = (*figures, Figure("update", pace, HASTY, "median update of a parameter over its size"))
    rate = _bare_rate(case)
    if rate > BOLD:
        figures = (*figures, Figure("rate", rate, BOLD, "rate over a usual one for such an optimizer, momentum counted"))
    bounded = case.loss is not None and (
        case.loss.softmax or case.loss.sigmoid
    )  # its gradient is, so it rises and does not leave
    left = gone and (case.run.broke is not None or not bounded)
    return [Suspect("divergence" if left else "lr_too_high", figures, _lowered, by_val=True, strong=hasty or rate > BOLD)]


def _bare_rate(case: Case) -> float:
    """The rate, as momentum multiplies it, over one that suits most models: 0.002 for adaptive optimizers, 0.1 for the others."""
    name = type(case.optimizer).__name__
    if name.startswith("Adadelta"):  # its rate is 1 by default
        return 0.0
    if name.startswith(ADAPTIVE):
        return case.hyper("lr") / 2e-3
    return case.hyper("lr") / (1 - min(case.hyper("momentum"), 0.99)) / 0.1


def _peak(case: Case) -> float:
    """The largest loss after the first quarter of the looks, over that of a constant prediction."""
    seen = case.run.train()
    later = [float(v) for v in seen[len(seen) // 4 :] if math.isfinite(v)]
    return max(later, default=0.0) / max(case.skills[0].constant, 1e-12)


def _lowered(case: Case) -> list[Trial]:
    found: list[Trial] = []
    for factor in (0.1, 0.01, 0.001):
        trial = case.trial(times(factor))
        if trial is None:
            break
        found.append(trial)
        if trial.train > max(0.5, case.reached[0] + 0.3):
            break
        if factor == 0.01 and not away(case):
            break
        if not away(case) and trial.train < case.reached[0] > LEARNT:  # worse at a lower rate: it was not too high
            break
    return found


def decayed(case: Case) -> list[Suspect]:
    """A schedule that has taken the rate away long before the end."""
    rates = np.array(case.run.rates)
    if case.setup.schedule is None or len(rates) < 3 or not rates.max() > 0:
        return []
    peak = int(np.argmax(rates))
    low = np.flatnonzero(rates[peak:] < COOLED * rates.max())
    if not len(low) or (peak + low[0]) / len(rates) > EARLY:
        return []
    at = peak + int(low[0])
    figure = Figure(
        "cooled", -at / len(rates), -EARLY, f"(minus the) share of the run after which the rate is below {COOLED:.0%} of its peak"
    )
    return [
        Suspect(
            "lr_decays_too_early",
            (figure,),
            lambda k: k.fixed("lr_decays_too_early", 2),
            1.15,
            at * case.setup.steps_per_epoch,
            strong=at / len(rates) < SPENT,
        )
    ]


def momentum(case: Case) -> list[Suspect]:
    """Momentum that outlives the run's own turns."""
    value = case.hyper("momentum")
    if value <= MOMENTUM:
        return []
    return [
        Suspect(
            "oscillation", (Figure("momentum", value, MOMENTUM, "momentum"),), lambda k: k.fixed("oscillation"), 1.15, strong=True
        )
    ]


def overshot(case: Case) -> list[Finding]:
    """A validation loss that rises since momentum carries the weights ever further, told from learning by heart by a branch."""
    found = []
    for suspect in momentum(case):
        for trial in suspect.trials(case):
            won = gain(case, trial)
            if won.val >= CLEAR and won.train >= -KEPT:
                found.append(finding(suspect.label, (*suspect.evidence, *won.figures()), 0.9, won.step))
    return found


def small_batch(case: Case) -> list[Suspect]:
    """Batches of a few rows."""
    size = case.setup.batch_size
    if size > FEW or case.setup.rows < 8 * size:
        return []
    norm = any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) for m in case.setup.model.modules())
    figure = Figure(
        "rows",
        -float(size),
        -float(FEW),
        "(minus the) rows of a batch" + (", which batch normalisation averages over" if norm else ""),
    )
    weight = 1.1 if size <= TINY or norm else 0.85
    noise = Figure("noise", case.noise, float(size), "batch at which the gradient's noise equals its signal, at the start")
    figures = (figure, noise) if noise.value > size else (figure,)
    return [Suspect("batch_too_small", figures, lambda k: _batched(k, norm), weight, 0 if norm else None, strong=weight > 1)]


def _batched(case: Case, norm: bool) -> list[Trial]:
    alone = case.trial(GROUP_NORM) if norm else None  # as many steps as before, which larger batches do not have
    return [*case.fixed("batch_too_small", 3), *([alone] if alone is not None else [])]


def large_batch(case: Case) -> list[Suspect]:
    """Batches of nearly all rows: hardly any steps."""
    share = case.setup.batch_size / case.setup.rows
    if share < WHOLE or case.setup.rows < 32:
        return []
    figure = Figure("share", share, WHOLE, f"share of the rows in one batch ({case.setup.steps} steps in all)")
    starved = share > NEARLY_ALL and case.setup.steps <= HARDLY and not _slow(case)
    weight = 0.8 if _slow(case) else 1.1
    return [Suspect("batch_too_large", (figure,), lambda k: k.fixed("batch_too_large"), weight, need=MUCH, strong=starved)]
