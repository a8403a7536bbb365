"""Landscapes: test surfaces, the paths that rules take on them, and slices of real networks."""
