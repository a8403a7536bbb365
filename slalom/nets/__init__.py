"""Models and what they are made of: specs such as `mlp:64,64:relu`, activations, initialisation, folding, monitors."""

from slalom.nets.activations import ACTIVATIONS, Maxout, Moments, Swish, activation, maxout_moments, moments
from slalom.nets.augmentation import Augment, Crop, Cutout, FeatureDrop, Mixup, Noise, Rotate, Shift
from slalom.nets.building import build
from slalom.nets.cnn import cnn
from slalom.nets.early_stopping import EarlyStopping
from slalom.nets.factory import Factory
from slalom.nets.folding import Folded, fold_linear
from slalom.nets.initialisation import Initialised, initialise
from slalom.nets.mlp import default_widths, mlp
from slalom.nets.monitors import Monitor, UnitStats, WeightStats
from slalom.nets.pruning import CubicSparsity, Pruner, finish, prune, shrink, sparsity
from slalom.nets.spec import KINDS

__all__ = [
    "ACTIVATIONS",
    "KINDS",
    "Augment",
    "Crop",
    "CubicSparsity",
    "Cutout",
    "EarlyStopping",
    "Factory",
    "FeatureDrop",
    "Folded",
    "Initialised",
    "Maxout",
    "Mixup",
    "Moments",
    "Monitor",
    "Noise",
    "Pruner",
    "Rotate",
    "Shift",
    "Swish",
    "UnitStats",
    "WeightStats",
    "activation",
    "build",
    "cnn",
    "default_widths",
    "finish",
    "fold_linear",
    "initialise",
    "maxout_moments",
    "mlp",
    "moments",
    "prune",
    "shrink",
    "sparsity",
]  # fmt: skip
