"""Weights and signals at the start: constant or wild weights, units dead from the first, gradients that vanish or explode."""

from __future__ import annotations

import math

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.suspects import Suspect
from slalom.doctor.finding import Finding, finding
from slalom.doctor.findings import capacity
from slalom.doctor.probes.signals import Signals
from slalom.doctor.probes.weights import Start

WILD, TINY = 2.9, 0.25  # root mean square of weights over that of a fresh draw; He's and Xavier's lie between
BIAS = 15.0
DEAD = 0.6  # of a layer's units
VANISH, EXPLODE = 0.02, 10.0  # gradient at the first layer, or time step, over that at the last
DEEP = 4  # layers from which depth is to blame
LOST = 0.02  # what varies from row to row in the last hidden layer's outputs, as a share of them
GROWN = 30.0  # outputs of the last layer over those of the first


def alike(case: Case) -> list[Finding]:
    """Layers all of whose units start equal, and so stay; the last layer may."""
    matrices = [w for w in case.weights if w.matrix]
    same = [w for w in matrices[:-1] if w.alike]
    if not same or (len(same) < len(matrices) - 1 and not any(w.alike for w in matrices[:1])):
        return []
    words = f"layers whose units all start with equal weights ({', '.join(w.name for w in same[:4])})"
    return [finding("bad_init", (Figure("alike", float(len(same)), 1.0, words),), 0.96, 0, names=[w.name for w in same])]


def suspects(case: Case) -> list[Suspect]:
    """What a new start of the weights, or another activation, may mend; named by where the signals go."""
    odd = [w for w in case.weights if w.matrix and not TINY <= w.ratio <= WILD and not _small(w)]
    biased = [w for w in case.weights if not w.matrix and w.ratio > BIAS and abs(w.mean) > 1]
    s = case.start
    dead = None if capacity.tiny(case) else _dead(s)
    found: list[Suspect] = []
    name, why = _named(case, s, odd)
    if dead:
        found.append(Suspect("dead_relu", (dead,), lambda k: k.fixed("dead_relu", 2), 1.15, 0, strong=True))
    elif odd or biased:
        worst = max(odd or biased, key=lambda w: abs(math.log(max(w.ratio, 1e-12))))
        figure = Figure(
            "weights", worst.ratio, WILD if worst.ratio > 1 else TINY, f"size of {worst.name} over that of a fresh draw"
        )
        found.append(Suspect(name or "bad_init", (figure, *why), lambda k: k.fixed("bad_init", 2), 1.1, 0, strong=True))
    if name in ("vanishing_gradient", "exploding_gradient") and not dead:
        found.append(Suspect(name, why, lambda k: k.fixed(name, 2), 1.05, 0, strong=True))
    return found


def died(case: Case) -> list[Suspect]:
    """Units that are dead at the end but were not at the start."""
    if not case.glances or _dead(case.start) or capacity.tiny(case):
        return []
    step, figure = next(((s, d) for s, g in case.glances if (d := _dead(g))), (0, None))
    last = _dead(case.glances[-1][1])
    if figure is None or last is None:
        return []
    return [Suspect("dead_relu", (last,), lambda k: k.fixed("dead_relu", 3)[1:], 0.9, step)]


def _small(w: Start) -> bool:
    """Embeddings and the like that are drawn small or at 0 on purpose: nothing to compare with."""
    return math.isinf(w.ratio) or math.isnan(w.ratio)


def _dead(s: Signals) -> Figure | None:
    if s.dead < DEAD:
        return None
    op = max((o for o in s.ops if o.name == "relu"), key=lambda o: o.dead, default=None)
    where = f" after {op.after}" if op is not None and op.after else ""
    return Figure("dead", s.dead, DEAD, f"share of ReLU units that are 0 for every row{where}")


def _named(case: Case, s: Signals, odd: list[Start]) -> tuple[str, tuple[Figure, ...]]:
    """Vanishing or exploding by depth or time, and by what figure; "" for neither."""
    recurrent = [w for w in odd if "weight_hh" in w.name]
    if recurrent and len(recurrent) == len(odd) and recurrent[0].ratio > WILD:  # all of them wild: a bad start as such
        return "exploding_gradient", (_figure("recurrent", recurrent[0].ratio, WILD, "recurrent weights over a fresh draw's"),)
    if s.time and s.over_time < VANISH:
        return "vanishing_gradient", (_figure("time", s.over_time, VANISH, "gradient at the first time step over the last's"),)
    if s.time and s.over_time > EXPLODE:
        return "exploding_gradient", (_figure("time", s.over_time, EXPLODE, "gradient at the first time step over the last's"),)
    deep = [layer for layer in s.layers if math.isfinite(layer.delta)]
    if len(deep) < DEEP:
        return "", ()
    words = f"gradient at the first of {len(deep)} layers over the last's"
    if s.back > EXPLODE:
        return "exploding_gradient", (_figure("depth", s.back, EXPLODE, words),)
    grown = deep[-1].rms / deep[0].rms if deep[0].rms > 0 else math.nan
    if grown > GROWN:
        return "exploding_gradient", (_figure("grown", grown, GROWN, "outputs of the last layer over the first's"),)
    if s.back < VANISH:
        return "vanishing_gradient", (_figure("depth", s.back, VANISH, words),)
    if deep[-2].spread < LOST:
        return "vanishing_gradient", (_figure("spread", deep[-2].spread, LOST, f"of the outputs of {deep[-2].name}, what depends "
                                              "on the row"),)  # fmt: skip
    return "", ()


def _figure(name: str, value: float, threshold: float, words: str) -> Figure:
    return Figure(name, value, threshold, words)
