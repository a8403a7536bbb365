"""Every rule as a `torch.optim.Optimizer`, with torch's names, defaults and state dicts where torch has the rule.

On the CPU, parameters are stepped by one call of code compiled from the rule (`slalom.engines.fused`), one for each dtype:
float32, float64, complex, and bfloat16 and float16 computed on in float32; whatever that does not cover, and all of it where
no C compiler works, is stepped by the rule itself in torch. GradScaler's factor and `clip_grad_norm` are part of the step.
"""

from slalom.engines.optimizer import RuleOptimizer, optimizer_class
from slalom.optim.ema import EMA
from slalom.optim.groups import decay_groups
from slalom.optim.penalties import L1, L2, ElasticNet
from slalom.optim.wrappers import Accumulate, Lookahead
from slalom.rules import (
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    lion,
    lp_adam,
    momentum,
    nadam,
    nag,
    radam,
    rmsprop,
    sgd,
    windowed_adadelta,
)

# Constructor, documentation and state of each class are made from its rule (slalom.engines.optimizer).


class SGD(RuleOptimizer, rule=sgd): ...


class Momentum(RuleOptimizer, rule=momentum): ...


class NAG(RuleOptimizer, rule=nag): ...


class Adagrad(RuleOptimizer, rule=adagrad): ...


class Adadelta(RuleOptimizer, rule=adadelta): ...


class WindowedAdadelta(RuleOptimizer, rule=windowed_adadelta): ...


class RMSprop(RuleOptimizer, rule=rmsprop): ...


class Adam(RuleOptimizer, rule=adam): ...


class Adamax(RuleOptimizer, rule=adamax): ...


class LpAdam(RuleOptimizer, rule=lp_adam): ...


class AdamW(RuleOptimizer, rule=adamw): ...


class NAdam(RuleOptimizer, rule=nadam): ...


class RAdam(RuleOptimizer, rule=radam): ...


class Lion(RuleOptimizer, rule=lion): ...


__all__ = [
    "EMA", "L1", "L2", "NAG", "SGD", "Accumulate", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ElasticNet", "Lion",
    "Lookahead", "LpAdam", "Momentum", "NAdam", "RAdam", "RMSprop", "RuleOptimizer", "WindowedAdadelta", "decay_groups",
    "optimizer_class",
]  # fmt: skip
