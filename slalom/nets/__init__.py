"""Models: specs such as `mlp:64,64:relu` to factories, and layers that torch does not have."""

from slalom.nets.activations import ACTIVATIONS, Maxout, Swish, activation
from slalom.nets.building import build
from slalom.nets.cnn import cnn
from slalom.nets.factory import Factory
from slalom.nets.mlp import default_widths, mlp
from slalom.nets.spec import KINDS

__all__ = ["ACTIVATIONS", "KINDS", "Factory", "Maxout", "Swish", "activation", "build", "cnn", "default_widths", "mlp"]
