"""The plan of a race: everything that its numbers depend on, checked, as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from slalom.core.errors import BadValueError
from slalom.race.entrants import Entrant


class PlannedRule(BaseModel):
    """A rule of the race, or a variant of one, and its learning rates.

    `variant`: what its lanes are regularised with, see `slalom.race.variants`; `hypers` hold its weight decay already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    label: str
    target: str
    hypers: dict[str, Any] = {}
    lrs: list[float] = Field(min_length=1)
    variant: dict[str, Any] = {}

    @property
    def entrant(self) -> Entrant:
        return Entrant(self.target, self.hypers)

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked_for(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = write(self)
        return made if self.variant else {k: v for k, v in made.items() if k != "variant"}


class Plan(BaseModel):
    """See `slalom.race`. `threads` is in it since a checkpoint is cut accordingly; it does not change any number."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    version: Literal[1] = 1
    model: str | None  # the spec that builds it again; None: the caller must hand it in to resume
    model_name: str
    model_note: str | None = None
    data: dict[str, Any]  # Data.describe()
    data_source: dict[str, Any]  # what slalom.data.load makes it from again; empty: must be handed in to resume
    data_options: dict[str, Any] = {}  # the other arguments of slalom.data.load, for data that is handed in
    rules: list[PlannedRule] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)  # "full" has become the size of the training part
    schedule: str | None = None
    loss: str
    metric: str
    higher_is_better: bool
    counts: bool = False  # the metric is a share of right answers
    order: Literal["seed", "shared", "own"] = "seed"
    clip: float | None = Field(default=None, gt=0)
    dtype: Literal["float32", "float64"] = "float32"
    mechanism: Literal["auto", "native", "stacked", "traced", "vmap", "solo"] = "auto"
    device: str = "cpu"
    widen: bool = True
    threads: int = Field(ge=1)
    heat_lanes: int = Field(default=1024, ge=1)  # lanes that are trained at a time, by memory
    notes: list[str] = []  # what the person was told before the start
    callables: list[str] = []  # which of model, data, schedule, loss, metric, augment were given as Python objects
    compare: str | None = None  # what the race was asked to compare: "regularisation", "activations"

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked_for(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = write(self)
        left_out = {"compare"} if not self.compare else set()
        left_out |= {"device"} if self.device == "cpu" else set()
        return {k: v for k, v in made.items() if k not in left_out}

    @property
    def steps_per_epoch(self) -> int:
        n: int = self.data["train"]
        return -(-n // self.batch_size)

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs


def make_plan(**fields: Any) -> Plan:
    """A plan, or one sentence on the first field that is wrong."""
    try:
        return Plan(**fields)
    except ValidationError as error:
        raise plan_error(error) from None


def read_plan(text: str) -> Plan:
    """A plan from its JSON, or one sentence on what is wrong with it."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        raise plan_error(error) from None


def plan_error(error: ValidationError) -> BadValueError:
    """pydantic's first complaint in our form: the field, its value, what is allowed."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "plan"
    message = first["msg"][0].lower() + first["msg"][1:]
    return BadValueError(f"race: {where}: {message.replace('input should', 'it should')}, got {first['input']!r}")
