"""Every bound of curve reading, each a share of the run's own start, fall or noise; tuned on tasks that no report uses."""

from __future__ import annotations

RISE = 0.5  # of the run's size: a level this far above the start is a rise, if it is also beyond the start's noise
NOISES = 3.0  # standard deviations that a level must be beyond
ABOVE = 0.1  # of the run spent above its start: less is a hump that healthy runs have too
RECOVERED = 0.5  # of the start: a run that fell by it in the end has made good an early rise
RECOVERED_COOLED = 0.3  # the same where its rate has decayed: a high rate at first was then the plan, and its end is what counts
CLIMB = 0.5  # of what had been gained: lost again, it is divergence
SWING = 0.5  # of the variance around a line, in one period: an oscillation and no noise
CHANCE = 1e-4  # of so strong a period in white noise
AMPLITUDE = 0.05  # of the run's size: smaller oscillations do no harm
FLAT = 0.1  # of the fall: what the last third may still add to it in a flat curve
PACE = 0.5  # of the mean pace since the start: a curve that still falls so fast at its end is slow throughout
FALLEN = 0.5  # of the start: who fell by it is not slow, however straight the line
UNMOVED = 0.1  # of the start: a run that has fallen by less at most has not moved
COOLED = 0.1  # of its peak: a learning rate below is low already
# What a lower rate must win of the fall within a probe, on every order of the batches: false alarms are worse than faults missed.
WORSE_NOW = 0.1
BETTER_HIGHER = 0.01  # of the fall: what a higher rate must win within a probe
AGREE = 0.8  # of the looks at a branch: so many must be better
OVERFIT = 0.1  # of its fall: a validation loss that has risen by it since its lowest
