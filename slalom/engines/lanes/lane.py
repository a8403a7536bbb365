"""What one lane is trained with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.core.penalty import Penalty
from slalom.core.rule import Rule, Settings, get_rule

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class TorchOptimizer:
    """Any `torch.optim.Optimizer` class with its arguments; a lane with one is stepped on its own."""

    cls: type[torch.optim.Optimizer]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = inspect.signature(self.cls).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            for name in self.arguments:
                if name not in known:
                    raise BadValueError(f"{self.cls.__name__} takes no argument {name!r}; it takes {', '.join(list(known)[1:])}")

    @property
    def name(self) -> str:
        """The class's name in the field, told apart from the rule of that name: `torch.Adam`."""
        return f"{self.cls.__module__.split('.')[0]}.{self.cls.__name__}"

    @property
    def program(self) -> tuple[Any, ...]:
        return (self.name,)


@dataclass(frozen=True)
class Lane:
    """One model copy's rule, hypers and seed.

    `optimizer`: settings of a rule (`adam(lr=0.01)`) or a `TorchOptimizer`. `seed`: of initialisation (the model factory
    runs right after `torch.manual_seed(seed)`) and dropout. `schedule`: factor on the lr at a step counted from 0; one that
    cycles momentum sets that too, and one with a state (`slalom.schedules.Plateau`) is given as its `start()`.
    `clip`: largest gradient norm (over all parameters), as `torch.nn.utils.clip_grad_norm_`. `penalty`: an L1, L2 or
    elastic-net penalty of `slalom.optim`; the losses that are told stay those of the data. `dropout`: the share of every
    `nn.Dropout` in the model, in [0, 1); None: the model's own.
    """

    optimizer: Settings | TorchOptimizer
    seed: int = 0
    schedule: Schedule | None = None
    clip: float | None = None
    penalty: Penalty | None = None
    dropout: float | None = None

    def __post_init__(self) -> None:
        share = self.dropout
        if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1):
            raise BadValueError(f"a lane's dropout must be a share in [0, 1) or None, got {share!r}")
        if self.penalty is not None and self.penalty.thresholds:
            if self.clip is not None:
                raise BadValueError(
                    "a lane's proximal penalty cannot follow its clip; leave one out, or give method='subgradient'"
                )
            if isinstance(self.optimizer, TorchOptimizer):
                raise BadValueError(
                    f"a lane's proximal penalty needs a rule, not {self.optimizer.name}; name one, or give method='subgradient'"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise BadValueError(f"a lane's seed must be a whole number in [0, 2**32), got {self.seed!r}")
        if self.clip is not None and not self.clip > 0:
            raise BadValueError(f"clip must be a gradient norm > 0 or None, got {self.clip!r}")
        of = getattr(self.schedule, "lanes", None)
        if of is not None:
            raise BadValueError(f"a lane has one schedule, and this one has values for {of}: give its lane(i), or use lanes_of")
        if needs_state(self.schedule):
            raise BadValueError("a lane has its own state of such a schedule: give its start(), or use lanes_of")
        if cycles_momentum(self.schedule) and self.momentum_hyper is None:
            raise BadValueError(
                f"the schedule sets the momentum, and {self.optimizer.program[0]} as given has none to set; give the rule a "
                "momentum, or the schedule momenta=None"
            )

    @property
    def momentum_hyper(self) -> str | None:
        """The hyper that a schedule of momentum sets: `momentum` or the first beta; None where there is none, or it is 0."""
        return momentum_hyper(self.optimizer)

    @property
    def lr(self) -> float:
        """The base learning rate."""
        if isinstance(self.optimizer, Settings):
            return self.optimizer.values["lr"]
        default = inspect.signature(self.optimizer.cls).parameters.get("lr")
        return float(self.optimizer.arguments.get("lr", default.default if default else float("nan")))


def cycles_momentum(schedule: Schedule | None) -> bool:
    """Whether a schedule sets the momentum too."""
    return bool(getattr(schedule, "cycles_momentum", False))


def needs_state(schedule: Any) -> bool:
    """Whether a schedule is no function of the step alone, and has to be started."""
    return not getattr(schedule, "pure", True)


def momentum_hyper(optimizer: Settings | TorchOptimizer) -> str | None:
    """The hyper, or torch's argument, that holds a momentum in use: what is 0 stays 0."""
    if isinstance(optimizer, Settings):
        hypers = optimizer.rule.hypers
        named = [k for k, h in hypers.items() if k == "momentum" or h.torch == "betas[0]"]
        return next((k for k in named if optimizer.values[k]), None)
    known = inspect.signature(optimizer.cls).parameters
    for name in ("betas", "momentum"):
        value = optimizer.arguments.get(name, known[name].default if name in known else 0.0)
        if value[0] if isinstance(value, tuple | list) else value:
            return name
    return None


def _own(schedule: Any, i: int) -> Schedule | None:
    """Lane i's own: its numbers of a schedule with one a lane, a state of its own where there is one."""
    mine = schedule[i] if isinstance(schedule, Sequence) else schedule
    mine = mine.lane(i) if getattr(mine, "lanes", None) is not None else mine
    made: Schedule | None = mine.start() if needs_state(mine) else mine
    return made


def _tuples(cls: type[torch.optim.Optimizer]) -> set[str]:
    """Arguments that take a tuple as one value, such as betas."""
    return {k for k, p in inspect.signature(cls).parameters.items() if isinstance(p.default, tuple)}


def lanes_of(
    rule: str | Rule | type[torch.optim.Optimizer],
    *,
    seed: int | Sequence[int] = 0,
    schedule: Schedule | Sequence[Schedule | None] | None = None,
    clip: float | None = None,
    penalty: Penalty | Sequence[Penalty | None] | None = None,
    dropout: float | Sequence[float | None] | None = None,
    **hypers: Any,
) -> list[Lane]:
    """Lanes of one rule: every hyper is one value for all or a sequence with one a lane.

    So are `penalty`, `dropout` and `schedule`, or any of its fields (`Cosine(total=100, final=[0, 0.1])`);
    of a `Plateau` each lane gets its own state.

    >>> import slalom
    >>> [lane.lr for lane in slalom.lanes_of("adam", lr=[1e-3, 1e-2], b1=0.8)]
    [0.001, 0.01]
    """
    given: dict[str, Any] = {"seed": seed, **hypers}
    given = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in given.items()}  # numpy and torch
    single = _tuples(rule) if isinstance(rule, type) else set()
    many = {
        k: len(v)
        for k, v in given.items()
        if isinstance(v, Sequence) and not isinstance(v, str) and not (k in single and isinstance(v, tuple))
    }
    of = len(schedule) if isinstance(schedule, Sequence) else getattr(schedule, "lanes", None)
    many |= {} if of is None else {"schedule": of}
    many |= {name: len(v) for name, v in (("penalty", penalty), ("dropout", dropout)) if isinstance(v, Sequence)}
    n = max(many.values(), default=1)
    for name, length in many.items():
        if length != n:
            raise BadValueError(f"{name} has {length} values for {n} lanes; give one value or one a lane")
    lanes = []
    for i in range(n):
        one = {k: v[i] if k in many else v for k, v in given.items()}
        lane_seed = one.pop("seed")
        optimizer: Settings | TorchOptimizer
        if isinstance(rule, type):
            optimizer = TorchOptimizer(rule, one)
        else:
            found = get_rule(rule) if isinstance(rule, str) else rule
            optimizer = found(lane=i, **one)
        mine = penalty[i] if isinstance(penalty, Sequence) else penalty
        share = dropout[i] if isinstance(dropout, Sequence) else dropout
        lanes.append(Lane(optimizer, lane_seed, _own(schedule, i), clip, mine, share))
    return lanes
