"""Initialisation that keeps the variance of signals or gradients, for every activation."""

from slalom.nets.initialisation.initialise import METHODS, Initialised, LayerReport, initialise

__all__ = ["METHODS", "Initialised", "LayerReport", "initialise"]
