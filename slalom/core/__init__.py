"""The contract that everything else builds on: rules, their elementwise language, errors."""

from slalom.core.errors import (
    BadDataError,
    BadValueError,
    MissingExtraError,
    SlalomError,
    StoreError,
    UnknownNameError,
)
from slalom.core.rule import Choice, Count, Hyper, Rule, Settings, State, get_rule, rule, switch, zeros

__all__ = [
    "BadDataError", "BadValueError", "Choice", "Count", "Hyper", "MissingExtraError", "Rule", "Settings", "SlalomError",
    "State", "StoreError", "UnknownNameError", "get_rule", "rule", "switch", "zeros",
]  # fmt: skip
