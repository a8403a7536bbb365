"""What a fix is: a function from a set-up to a repaired one, with what it did in words and as code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slalom.core.errors import BadValueError
from slalom.doctor.labels import label
from slalom.doctor.setup import Setup


@dataclass(frozen=True)
class Change:
    """A set-up as a fix leaves it; `words` and `code`: what was done, with its figures. `keep_best`: train with early stopping,
    which is a matter of the training loop and not of the set-up."""

    setup: Setup
    words: str
    code: str
    keep_best: bool = False


@dataclass(frozen=True)
class Fix:
    """One way to mend a fault. Calling it gives the repaired `Setup`; `apply` says what was done as well.

    `late`: its worth shows at the end of a run alone, so short trials cannot judge it.
    """

    name: str
    words: str
    make: Callable[[Setup], Change | None]
    late: bool = False

    def __call__(self, setup: Setup) -> Setup:
        change = self.make(setup)
        if change is None:
            raise BadValueError(f"the fix {self.name!r} does not apply here: nothing in this set-up is as it takes it to be")
        return change.setup

    def apply(self, setup: Setup) -> Change | None:
        """What it does to this set-up; None where it does not apply. The set-up given is left alone."""
        return self.make(setup)


@dataclass(frozen=True)
class FirstThatApplies:
    """The fixes of a label as one: the first that applies is made."""

    label: str
    fixes: tuple[Fix, ...]

    def __call__(self, setup: Setup) -> Setup:
        for fix in self.fixes:
            change = fix.apply(setup)
            if change is not None:
                return change.setup
        names = ", ".join(fix.name for fix in self.fixes)
        raise BadValueError(f"no fix for {self.label} applies to this set-up (tried: {names})")


REGISTRY: dict[str, list[Fix]] = {}  # by label, in the order in which they are tried


def register(labels: str, *fixes: Fix) -> None:
    """Offers fixes for one label or several (separated by spaces); those registered first are tried first."""
    for name in labels.split():
        label(name)
        known = REGISTRY.setdefault(name, [])
        known += [fix for fix in fixes if fix.name not in {k.name for k in known}]
