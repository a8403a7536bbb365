"""What may vary in a search: typed, checked, from Python, TOML or a model factory's signature."""

from slalom.tune.space.params import Categorical, Float, Int, Param
from slalom.tune.space.rules import hyper_param, rule_params
from slalom.tune.space.signature import from_factory
from slalom.tune.space.space import Space, as_space

__all__ = ["Categorical", "Float", "Int", "Param", "Space", "as_space", "from_factory", "hyper_param", "rule_params"]
