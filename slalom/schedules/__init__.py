"""Learning-rate schedules: pure functions of the step, counted from 0, that give a factor on the learning rate."""

from slalom.schedules.base import Schedule
from slalom.schedules.compose import Product, Sum, Then
from slalom.schedules.constant import Constant
from slalom.schedules.cosine import Cosine, CosineRestarts
from slalom.schedules.custom import Custom
from slalom.schedules.cycles import OneCycle, Triangular
from slalom.schedules.exponential import Annealing, ExponentialDecay
from slalom.schedules.inverse import InverseTimeDecay
from slalom.schedules.plateau import Plateau, PlateauState
from slalom.schedules.polynomial import PolynomialDecay
from slalom.schedules.spec import names, resolve
from slalom.schedules.step import StepDecay
from slalom.schedules.warmup import Warmup, WarmupStableDecay

__all__ = [
    "Annealing", "Constant", "Cosine", "CosineRestarts", "Custom", "ExponentialDecay", "InverseTimeDecay", "OneCycle",
    "Plateau", "PlateauState", "PolynomialDecay", "Product", "Schedule", "StepDecay", "Sum", "Then", "Triangular", "Warmup",
    "WarmupStableDecay", "names", "resolve",
]  # fmt: skip
