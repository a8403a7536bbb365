"""The fault bench: healthy training set-ups, and what is done to them so that they fail in a known way."""

from slalom.testing.faults.bases import BASES, REPORTED, TUNED, base
from slalom.testing.faults.bench import faulty_cases, healthy_cases
from slalom.testing.faults.healthy import HEALTHY
from slalom.testing.faults.mutations import MUTATIONS, Mutation
from slalom.testing.faults.spec import Case, Spec

__all__ = [
    "BASES", "HEALTHY", "MUTATIONS", "REPORTED", "TUNED", "Case", "Mutation", "Spec", "base", "faulty_cases", "healthy_cases",
]  # fmt: skip
