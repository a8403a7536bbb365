"""Optimizers: one experiment, or a small family, a file."""
