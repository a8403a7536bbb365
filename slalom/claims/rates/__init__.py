"""Learning rates, schedules and convergence: one experiment, or a small family, a file."""
