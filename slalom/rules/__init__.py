"""Every update rule, one a file.

Every rule takes `weight_decay`, coupled (an L2 penalty, added to the gradient) or decoupled (the weights shrink by lr times
it): `decoupled_weight_decay`, under torch's name. Off by default, as torch.optim has it, but in adamw and lion. Elsewhere:
Keras 3 decouples it in every rule, TF1 has none, optax chains `add_decayed_weights` before a rule or after.
"""

from slalom.rules.adadelta import adadelta
from slalom.rules.adagrad import adagrad
from slalom.rules.adam import adam
from slalom.rules.adamax import adamax
from slalom.rules.adamw import adamw
from slalom.rules.lion import lion
from slalom.rules.lp_adam import lp_adam
from slalom.rules.momentum import momentum
from slalom.rules.nadam import nadam
from slalom.rules.nag import nag
from slalom.rules.radam import radam
from slalom.rules.rmsprop import rmsprop
from slalom.rules.sgd import sgd
from slalom.rules.windowed_adadelta import windowed_adadelta

__all__ = [
    "adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "lp_adam", "momentum", "nadam", "nag", "radam", "rmsprop",
    "sgd", "windowed_adadelta",
]  # fmt: skip
