"""What gradients and changes of the parameters say, layer by layer."""

from __future__ import annotations

import numpy as np

from slalom.doctor.curve.record import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.online.record import Flags, Floats, Watched
from slalom.doctor.online.rules import thresholds as bound


def missed(record: Watched) -> Finding | None:
    """Trainable parameters that no optimizer has."""
    if not record.missed:
        return None
    figure = Figure("missed", len(record.missed), 1, f"trainable parameters that no optimizer has ({_named(record.missed)})")
    return finding("params_not_training", [figure], 0.9, 0, parameters=record.missed)


def unmoved(record: Watched) -> Finding | None:
    """Parameters that get no gradient at all, or a whole model that stays where it is."""
    if len(record.looks) < 5:
        return None
    gradients = np.stack([look.gradients for look in record.looks])
    sizes = np.array(record.sizes, dtype=float)
    none: Flags = np.asarray(np.isnan(gradients).all(axis=0))
    if record.still is not None:  # what moves without a gradient to be seen is stepped by an optimizer that is not watched
        none = none & record.still
    share = float(sizes[none].sum() / max(1.0, sizes.sum()))
    figure = Figure("unused", share, bound.UNUSED, "share of the parameters that never get a gradient")
    step = record.looks[4].step
    if figure.crossed:
        names = tuple(n for n, gone in zip(record.names, none.tolist(), strict=True) if gone)
        return finding("params_not_training", [figure], 0.75, step, parameters=names)
    if record.still is None and record.steps >= bound.CRAWL_STEPS and not any(look.lr > 0 for look in record.looks):
        figure = Figure("rate", 0.0, 0.0, "highest learning rate of all looks")
        return finding("params_not_training", [figure], 0.8, step, cause="the learning rate is 0")
    return None


def dead(record: Watched) -> Finding | None:
    """Most units of a layer without any gradient, look after look, while there is still something to learn."""
    if not record.rectified or _learnt(record):
        return None
    worst: tuple[float, str, int] | None = None
    for name, (looks, silent) in record.silent.items():
        share = float(silent.mean())
        at_once = looks + 1 >= bound.LOOKS_AT_ONCE and share >= bound.SILENT_AT_ONCE
        if (at_once or (looks + 1 >= bound.LOOKS and share > bound.SILENT)) and (worst is None or share >= worst[0]):
            worst = share, name, looks + 1
    if worst is None:
        return None
    share, name, looks = worst
    figure = Figure("silent", share, bound.SILENT, f"share of the units of {name} without gradient in {looks} looks in a row")
    return finding("dead_relu", [figure], min(0.95, 0.5 + share / 2), record.steps, layer=name)


def by_depth(record: Watched) -> Finding | None:
    """Gradients that shrink or grow from layer to layer, at most looks."""
    if record.bad_gradients >= 3 and record.broke is None:
        figure = Figure("not_finite", record.bad_gradients, 3, "looks in a row with a gradient that is not finite")
        return finding("exploding_gradient", [figure], 0.8, record.steps)
    if len(record.weights) < bound.DEPTH or len(record.looks) < 3 or _learnt(record):
        return None
    places = list(record.weights)
    looks = [(look.gradients[places], look.ratios[places]) for look in record.looks[-12:]]
    slopes = [s for gradients, _ in looks if (s := _slope(gradients)) is not None]
    if len(slopes) < 3:
        return None
    ratio, order = float(np.median([s[0] for s in slopes])), float(np.median([s[1] for s in slopes]))
    third = max(1, len(places) // 3)
    change = float(np.nanmedian([np.nanmedian(ratios[:third]) for _, ratios in looks]))
    if ratio <= bound.SHRINKS and order >= bound.MONOTONE and change < bound.STUCK:
        figures = [
            Figure("shrinks", 1 / max(ratio, 1e-300), 1 / bound.SHRINKS, "gradient of the last layers over that of the first"),
            Figure("unmoved", bound.STUCK / max(change, 1e-300), 1.0, "least change that trains over that of the first layers"),
        ]
        return finding("vanishing_gradient", figures, 0.85, record.looks[2].step)
    if ratio >= bound.GROWS and order <= -bound.MONOTONE:
        figure = Figure("grows", ratio, bound.GROWS, "gradient of the first layers over that of the last")
        return finding("exploding_gradient", [figure], 0.8, record.looks[2].step)
    return None


def steps_too_large(record: Watched) -> Finding | None:
    """Steps as large as the weights, at most looks, while the loss does not fall."""
    ratios = np.array([np.nanmedian(look.ratios) for look in record.looks[1:] if (look.ratios > 0).any()])
    losses = record.losses.values()
    if len(ratios) < 5 or len(losses) < 20:
        return None
    figure = Figure("change", float(np.median(ratios)), bound.JUMP, "relative change of a typical layer by a step")
    if not figure.crossed or np.median(losses[len(losses) // 2 :]) < 0.9 * record.first:
        return None
    return finding("lr_too_high", [figure], 0.75, record.looks[5].step)


def steps_too_small(record: Watched) -> Finding | None:
    """Steps that change no layer to speak of, while the loss stays where it was and the rate does not rise (warm-up)."""
    looks = [look for look in record.looks if (look.ratios > 0).any() or look.lr > 0]
    losses = record.losses.values()
    if record.steps < bound.CRAWL_STEPS or len(looks) < 8 or looks[-1].lr > 1.01 * looks[0].lr:
        return None
    change = float(np.median([np.nanmax(look.ratios) for look in looks]))
    if change >= bound.CRAWL or not any(look.lr > 0 for look in looks):
        return None
    quarter = len(losses) // 4
    fall = float(np.median(losses[:quarter]) - np.median(losses[-quarter:]))
    if fall > 0.1 * abs(record.first):
        return None
    figure = Figure(
        "crawls", bound.CRAWL / max(change, 1e-300), 1.0, "least change by a step that trains over the largest of any layer"
    )
    return finding("lr_too_low", [figure], 0.7, record.steps)


def _learnt(record: Watched) -> bool:
    losses = record.losses.values()
    return len(losses) > 0 and float(np.median(losses[-8:])) < bound.LEARNT * abs(record.first)


def _slope(gradients: Floats) -> tuple[float, float] | None:
    """The gradient of the first third of the layers over that of the last, and how well its order follows depth."""
    if not np.isfinite(gradients).all() or not gradients[-1] > 0:
        return None
    logs = np.log10(np.maximum(gradients, 1e-45))
    third = max(1, len(logs) // 3)
    ratio = float(10 ** (logs[:third].mean() - logs[-third:].mean()))
    ranks, depth = logs.argsort().argsort().astype(float), np.arange(len(logs), dtype=float)
    return ratio, float(np.corrcoef(ranks, depth)[0, 1])


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
