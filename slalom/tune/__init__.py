"""Search: `slalom.tune(model, data, space=..., budget=...)` finds a configuration, with its evidence."""

from slalom.core.callable_module import make_callable
from slalom.tune.api import load, resume, tune
from slalom.tune.space import Categorical, Float, Int, Param, Space
from slalom.tune.study import Study

__all__ = ["Categorical", "Float", "Int", "Param", "Space", "Study", "load", "resume", "tune"]

make_callable(__name__, tune)
