"""Ranges for the hypers of a rule, worked out from the rule's own declarations: default and bounds are written there alone."""

from __future__ import annotations

from slalom.core.errors import BadValueError
from slalom.core.rule import Hyper, get_rule
from slalom.race.entrants import Entrant, entrant
from slalom.tune.space.params import Float

LR_DECADES = 1.5  # on either side of the rule's documented default
SCALE_DECADES = 2.0  # of hypers that are a small number, such as eps
DECAY = (1e-6, 1e-1)  # of what is 0 unless asked for: weight decay
NEAREST_ONE = 10.0  # 1 - x from a tenth to ten times that of the default
SELDOM = ("eps", "schedule")  # hypers that rule_params leaves out unless they are named


def hyper_param(hyper: Hyper, name: str, default: float | None = None) -> Float:
    """A range around a hyper's default, within its bounds.

    A share below 1 (momentum, betas) varies in the logarithm of 1 - x, a positive number in its logarithm, one that is 0 by
    default and has no upper bound (weight decay) from 1e-6 to 0.1.

    >>> from slalom.rules import adam
    >>> hyper_param(adam.hypers["b2"], "b2")
    Float(low=0.99, high=0.9999, log=False, near_one=True)
    """
    value = hyper.default if default is None else default
    share = hyper.lt == 1 or hyper.le == 1 or name == "momentum"  # which some rules let go beyond 1
    if share and 0 < value < 1:
        rest = round(1 - value, 12)
        high = 1 - rest / NEAREST_ONE
        return Float(_share(max(1 - min(rest * NEAREST_ONE, 1.0), hyper.ge or 0.0)), _share(high), near_one=True)
    if share:  # 0 unless asked for, such as momentum
        return Float(hyper.ge or 0.0, 0.99, near_one=True)
    if value > 0:
        decades = LR_DECADES if name == "lr" else SCALE_DECADES
        return Float(_short(value / 10**decades), _short(value * 10**decades), log=True)
    if value == 0 and hyper.ge == 0:
        return Float(*DECAY, log=True)
    raise BadValueError(f"{name} in {hyper.allowed} with default {value:g} has no range that could be guessed; name one")


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def rule_params(rules: list[str], *, hypers: bool = True) -> dict[str, Float]:
    """`RULE.lr` for each rule, and with `hypers` its other numbers (but eps): `{"adam.lr": ..., "adam.b1": ...}`.

    >>> list(rule_params(["sgd", "adam"]))
    ['sgd.lr', 'sgd.momentum', 'sgd.weight_decay', 'adam.lr', 'adam.b1', 'adam.b2', 'adam.weight_decay']
    """
    made: dict[str, Float] = {}
    for text in rules:
        one = entrant(text)
        name = rule_name(text)
        made[f"{name}.lr"] = lr_param(one)
        if one.is_torch or not hypers:
            continue
        rule = get_rule(one.target)
        for key, hyper in rule.hypers.items():
            guessable = hyper.ge is not None or hyper.default > 0
            if key != "lr" and key not in SELDOM and key not in one.hypers and guessable:
                made[f"{name}.{key}"] = hyper_param(hyper, key)
    return made


def lr_param(one: Entrant) -> Float:
    """The learning rates around an entrant's documented default."""
    rate = one.default_lr
    return Float(_short(rate / 10**LR_DECADES), _short(rate * 10**LR_DECADES), log=True)


def rule_name(text: str) -> str:
    """The name that a rule's hypers are prefixed with: what stands before its brackets."""
    return text.partition("(")[0].strip()


def _share(value: float) -> float:
    return round(value, 9)
