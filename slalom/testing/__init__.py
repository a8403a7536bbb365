"""What Slalom is checked with, for others to check their own rules: problems, float64 references, the conformance suite."""

from slalom.testing.cases import Case, cases
from slalom.testing.conformance import Check, conformance
from slalom.testing.problems import Problem, forced, logistic, quadratic, rosenbrock, zoo
from slalom.testing.references import REFERENCES

__all__ = [
    "REFERENCES", "Case", "Check", "Problem", "cases", "conformance", "forced", "logistic", "quadratic", "rosenbrock", "zoo",
]  # fmt: skip
