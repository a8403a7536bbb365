"""Reading a loss curve: `read_curve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slalom.core.errors import BadValueError
from slalom.doctor.curve import thresholds as bound
from slalom.doctor.curve.branches import decide
from slalom.doctor.curve.detectors import not_finite
from slalom.doctor.curve.facts import Facts, facts, facts_of, tail
from slalom.doctor.curve.probe import Probe
from slalom.doctor.curve.record import DIVERGES, Reading
from slalom.doctor.curve.shapes import Shape, broken, hump, oscillates, recovered, steady
from slalom.doctor.curve.statistics import Swing, block_means, noise, swing, swings
from slalom.doctor.curve.values import Floats, losses, rates

PROBE_STEPS = 60


def read_curve(
    loss: Any,
    lr: Any = None,
    val: Any = None,
    *,
    probe: Probe | Callable[[float, int], Any] | tuple[Any, ...] | None = None,
    probe_steps: int = PROBE_STEPS,
) -> Reading:
    """What the shape of a training loss says of the learning rate.

    `loss`: one value a step or an epoch, the first before any update, or as near to it as there is; 10 values at least, a list,
    an array or a tensor. `lr`: the learning rate, one number or one a value; with it a curve that flattens since its rate
    decays is not taken for one that has learnt all. `val`: validation losses, in their own rhythm; what they say is a note.

    Shapes (`slalom.doctor.SHAPES`): it rises at the start and stays up (initial rate too high); falls fast, then flat (rate too
    high by now, or converged, or stuck at too low a rate: open without a probe); slow throughout (rate too low); oscillates
    around a level; diverges (or is not finite somewhere); healthy. All thresholds are shares of the run's own start, fall
    and noise.

    `probe`: `(model, data, optimizer)` or `(model, data, optimizer, loss)`, see `Probe`; copies train `probe_steps` steps (60)
    from where the run stands, at its rate, a tenth, 3 and 10 times it (of its highest rate, where `lr` says that it has
    decayed), on the same batches; nothing of yours is changed. That a tenth is better must show on three orders of the batches.
    Or a callable `probe(factor, steps) -> losses`, always from the same point and on the same batches: a few training losses,
    late in these steps, to compare one by one; with an attribute `orders` of n it is also called `probe(factor, steps, order)`,
    order 1 to n - 1, for other batches.

    Returns a `Reading`: shape, cause, evidence, remedy, `.open`, `.to_dict()`; printing it reads well. Raises `BadDataError`
    for too few values, `BadValueError` for what is no row of numbers.

    >>> import numpy as np
    >>> t = np.arange(200)
    >>> noise = np.random.default_rng(0).normal(0, 0.02, 200)
    >>> print(read_curve(2.3 - 0.002 * t + noise))
    slow throughout (lr_too_low), from 200 losses
      late pace over the mean pace, for the same learning rate: 1.15 (threshold 0.5)
      fall as a share of the start: 0.158 (threshold 0.5)
      remedy: the learning rate is too low: raise it 3 to 10 times; slalom.range_test finds how far
    >>> read_curve([2.3, 2.1, float("nan")]).shape
    'divergence'
    """
    y = losses("loss", loss)
    along = rates(lr, len(y))
    notes = () if val is None else _validation(losses("val", val))
    if isinstance(probe_steps, bool) or not isinstance(probe_steps, int) or probe_steps < 8:
        raise BadValueError(f"probe_steps must be a whole number >= 8, got {probe_steps!r}")
    branch = _branch(probe)
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        first = int(bad[0])
        return _reading(Shape(DIVERGES, DIVERGES, (not_finite(first),)), len(y), notes)
    f = facts(y, along)
    found, settled, more = _shape(f, swing(tail(y)))
    notes = (*more, *notes)
    if settled or branch is None:
        return _reading(found, len(y), notes)
    decided, probed, said = decide(branch, probe_steps, f, found)
    return _reading(decided, len(y), (*notes, *said), probed)


def read_curves(curves: Floats) -> list[Reading]:
    """`read_curve` of each row of `[curves, n]`, all finite, n >= 10: the same readings, by a few calls on all rows at once.

    >>> import numpy as np
    >>> both = np.stack([2.3 - 0.002 * np.arange(200.0), np.linspace(3, 0, 200) ** 2])
    >>> [reading.shape for reading in read_curves(both)] == [read_curve(row).shape for row in both]
    True
    """
    made = []
    for f, seen in zip(facts_of(curves), swings(tail(curves)), strict=True):
        found, _, notes = _shape(f, seen)
        made.append(_reading(found, f.n, notes))
    return made


def _shape(f: Facts, seen: Swing) -> tuple[Shape, bool, tuple[str, ...]]:
    """The shape, whether losses alone settle it, and notes."""
    found = broken(f) or oscillates(f, seen)
    if found is not None:
        return found, True, ()
    return steady(f), False, hump(f) if recovered(f) or f.above < bound.ABOVE else ()


def _reading(found: Shape, values: int, notes: tuple[str, ...], probed: bool = False) -> Reading:
    return Reading(
        found.shape, found.cause, found.evidence, found.remedy, values, found.candidates, probed, (*found.notes, *notes)
    )  # fmt: skip


def _branch(probe: Any) -> Callable[[float, int], Any] | None:
    if probe is None or callable(probe):
        return probe  # type: ignore[no-any-return]
    if isinstance(probe, tuple) and len(probe) in (3, 4):
        return Probe(*probe[:3], **({"loss": probe[3]} if len(probe) == 4 else {}))
    raise BadValueError(
        "probe must be (model, data, optimizer), (model, data, optimizer, loss), a Probe, or a callable(factor, steps), got "
        f"{probe!r}"
    )


def _validation(v: Floats) -> tuple[str, ...]:
    """A note on what the validation losses say by themselves."""
    bad = np.flatnonzero(~np.isfinite(v))
    if len(bad):
        return (f"the validation loss is not finite from value {int(bad[0])} (from 0)",)
    levels, middles = block_means(v, max(5, min(15, len(v) // 3)))
    k = int(np.argmin(levels))
    per_block = len(v) / len(levels)
    climb, fall = float(levels[-1] - levels[k]), float(max(v[0], levels[0]) - levels[k])
    if climb > max(bound.OVERFIT * fall, 2 * bound.NOISES * noise(v) / per_block**0.5) and k < len(levels) - 1:
        return (
            f"the validation loss has risen by {climb:.3g} since its lowest, around value {middles[k]:.0f}: overfitting, "
            "which the training loss does not show; keep the weights from there, or regularise",
        )
    return ()
