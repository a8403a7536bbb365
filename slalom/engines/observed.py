"""What torch wraps around an optimizer's step (a name for the profiler, hooks), put there only where someone looks.

The wrapper costs a tenth of a step of small parameters, most of it for a profiler that is not running. A step that is marked
here looks first, and calls the wrapper only where there is a hook or a profiler. A torch that keeps these things elsewhere
wraps the step as it always does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from slalom.engines import inside

F = TypeVar("F", bound=Callable[..., Any])

KNOWN = None not in (inside.profile_hook_step, inside.profiling, inside.hooks_before, inside.hooks_after)


def unwrapped(step: F) -> F:
    """Marks a `step` that looks by itself (`looked_at`), so that torch does not wrap it."""
    if KNOWN:
        step.hooked = True  # type: ignore[attr-defined]
    return step


def looked_at(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a profiler runs or a step has hooks, its own or those of all optimizers."""
    own = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    return bool(KNOWN and (own or inside.hooks_before or inside.hooks_after or inside.profiling()))


def wrapped(step: F) -> F:
    """As torch wraps it: hooks before and after, and a name for the profiler."""
    made: F = inside.profile_hook_step(step) if KNOWN else step
    return made
