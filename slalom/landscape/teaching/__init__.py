"""Teaching pictures, as data: what every course draws, computed by the rules themselves."""

from slalom.landscape.teaching import activations, rates, steps, valleys  # noqa: F401  (they register themselves)
from slalom.landscape.teaching.activations import activations_of
from slalom.landscape.teaching.registry import lessons, teach

__all__ = ["activations_of", "lessons", "teach"]
