"""Learning-rate schedules: pure functions of the step, counted from 0, that give a factor on the learning rate."""

from slalom.schedules.base import Schedule
from slalom.schedules.constant import Constant
from slalom.schedules.cosine import Cosine
from slalom.schedules.custom import Custom
from slalom.schedules.exponential import ExponentialDecay
from slalom.schedules.inverse import InverseTimeDecay
from slalom.schedules.polynomial import PolynomialDecay
from slalom.schedules.spec import names, resolve
from slalom.schedules.step import StepDecay
from slalom.schedules.warmup import Warmup

__all__ = [
    "Constant", "Cosine", "Custom", "ExponentialDecay", "InverseTimeDecay", "PolynomialDecay", "Schedule", "StepDecay",
    "Warmup", "names", "resolve",
]  # fmt: skip
