"""Activations and batch normalisation: one experiment, or a small family, a file."""
