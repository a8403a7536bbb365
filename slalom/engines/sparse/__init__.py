"""Sparse gradients for every rule, as nn.Embedding(sparse=True) makes them: one row of the parameter a looked-up index.

Two modes (`sparse=` of every optimizer, one for all groups or one a group), which differ in what becomes of the rows that a
gradient does not touch:

- "lazy": nothing. Every row is stepped on its own, at its own count of steps (`row_step` in the state, and `row_NAME` for a state
  that is one number a parameter): bias correction, a special first step and schedules in t go by that count. Momentum and
  averages of an untouched row rest; weight decay shrinks touched rows only, once a touch. torch.optim.SparseAdam
  counts steps for the parameter as a whole, so a row that is first touched late is hardly corrected there.
- "dense-equivalent": what the dense run does. The hypers of each step are kept in a journal, and a row that is touched again
  first replays the steps it missed, each with a gradient of 0. Until then its values are behind: `optimizer.follow(model)`
  catches rows up before they are looked up, `optimizer.catch_up()` all of them, `state_dict()` too.

Where all rows are touched at every step, both are the dense step, to the bit.
"""

from slalom.engines.sparse.steps import SparseSteps

__all__ = ["SparseSteps"]
