"""What makes a search's answer honest: fresh seeds, one look at the test part, what matters, and warnings."""

from slalom.tune.protocol.confirm import Confirmation, confirm
from slalom.tune.protocol.importance import Importance, importance
from slalom.tune.protocol.warnings import warnings_of

__all__ = ["Confirmation", "Importance", "confirm", "importance", "warnings_of"]
