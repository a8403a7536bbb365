"""The plan of a search: everything that its numbers depend on, checked, as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slalom.core.errors import BadValueError
from slalom.tune.budget import Budget
from slalom.tune.rungs import Ladder, ladders

POPULATIONS = ("evolution", "cma")


class TunePlan(BaseModel):
    """See `slalom.tune`."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    kind: Literal["tune"] = "tune"
    version: Literal[1] = 1
    model: str | None  # the spec that builds it again; None: the caller must hand it in to resume
    model_name: str
    data: dict[str, Any]
    data_source: dict[str, Any]
    data_options: dict[str, Any] = {}
    space: dict[str, Any]
    trials: int | None = None
    seconds: float | None = None
    lane_steps: int | None = None
    method: str
    why: str
    lanes: int = Field(ge=1)
    epochs: int = Field(ge=1)
    halving: float = Field(ge=1)  # 1: every trial runs to the end
    folds: int | None = Field(default=None, ge=2)  # of k-fold validation; None: the validation part
    seed: int = Field(ge=0, lt=2**32)
    seeds: int = Field(ge=1)  # fresh ones, for the finalists
    finalists: int = Field(ge=1)
    objective: Literal["loss", "metric"]
    loss: str
    metric: str
    higher_is_better: bool
    counts: bool = False
    dtype: Literal["float32", "float64"] = "float32"
    batch_size: int = Field(ge=1)
    points: int | None = Field(default=None, ge=1)
    storage: str | None = None
    notes: list[str] = []
    callables: list[str] = []

    @property
    def budget(self) -> Budget:
        return Budget(self.trials, self.seconds, self.lane_steps)

    @property
    def ladders(self) -> list[Ladder]:
        """What batches take turns in; a method whose batch is a population has batches of one size."""
        made = ladders(self.epochs, self.halving, self.lanes)
        return made[:1] if self.method in POPULATIONS else made

    @property
    def rungs(self) -> list[int]:
        """Epochs at which trials are compared, the last being the end."""
        return self.ladders[0].rungs


def make_plan(**fields: Any) -> TunePlan:
    """A plan, or one sentence on the first field that is wrong."""
    try:
        return TunePlan(**fields)
    except ValidationError as error:
        raise _sentence(error) from None


def read_plan(text: str) -> TunePlan:
    """A plan from its JSON, or one sentence on what is wrong with it."""
    try:
        return TunePlan.model_validate_json(text)
    except ValidationError as error:
        raise _sentence(error) from None


def _sentence(error: ValidationError) -> BadValueError:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "plan"
    message = first["msg"][0].lower() + first["msg"][1:]
    return BadValueError(f"tune: {where}: {message.replace('input should', 'it should')}, got {first['input']!r}")
