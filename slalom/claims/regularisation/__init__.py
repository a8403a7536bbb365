"""Regularisation, search and calculus: one experiment, or a small family, a file."""
