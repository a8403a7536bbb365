"""Training a set-up while noting what happens, and how good a model is at its task."""

from slalom.doctor.run.record import Look, Run
from slalom.doctor.run.skill import Skill, constant_loss
from slalom.doctor.run.train import ForwardError, train

__all__ = ["ForwardError", "Look", "Run", "Skill", "constant_loss", "train"]
