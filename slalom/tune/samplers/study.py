"""Optuna's samplers (TPE, GP, NSGA-II) on a study in memory, or in a storage that several drivers share.

A sampler is made anew for each batch from (seed, trials so far), so that what it does follows from the history. TPE keeps
Optuna's defaults of version 5: multivariate, constant liar. Where trials are pruned, it is given them as BOHB has it (Falkner,
Klein & Hutter 2018): compared at the highest epoch that enough of them have come to, not by how far they were let go, and one in
three points of a batch is drawn at random, since what is cut early may mislead any model of it. All parameters are asked for in
every trial; those not in use there are a little noise to the model and cost no branch of the search its relation to the rest.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slalom.core.errors import BadValueError, StoreError
from slalom.tune.samplers.base import Asked, Past
from slalom.tune.space.params import Categorical, Float, Int, Param, Value
from slalom.tune.space.space import Space

if TYPE_CHECKING:
    import optuna

NOTED = "Ordered:generation"  # what NSGA-II writes to a trial when it makes it (Optuna takes the name of the class)
SHARED = "optuna"  # a trial's number in a study that several searches share
CHANCE = 3  # one in so many points of a batch is random (BOHB's share)
ENOUGH = 10  # trials that an epoch is compared at; BOHB has one more than there are parameters
RAW = "raw"  # numbers as Optuna gave them, where ours round differently: a resumed search models the very same


def distribution(param: Param) -> optuna.distributions.BaseDistribution:
    """Optuna's form of a parameter; what is near one varies as 1 - x, powers of two as their exponent."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(param, Categorical):
        return CategoricalDistribution(tuple(param.choices))
    if isinstance(param, Int):
        if param.powers:
            return IntDistribution(int(math.log2(param.low)), int(math.log2(param.high)))
        return IntDistribution(param.low, param.high, log=param.log)
    assert isinstance(param, Float)
    if param.near_one:
        return FloatDistribution(_inverse(param.high), _inverse(param.low), log=True)
    return FloatDistribution(param.low, param.high, log=param.log)


def _inverse(value: float) -> float:
    return float(f"{1 - value:.12g}")


def outward(param: Param, value: Any) -> Any:
    """A value as Optuna has it."""
    if isinstance(param, Int) and param.powers:
        return int(math.log2(value))
    if isinstance(param, Float) and param.near_one:
        return _inverse(value)
    return value


def inward(param: Param, value: Any) -> Value:
    """The inverse of `outward`, within the parameter's range."""
    if isinstance(param, Int):
        return 2 ** int(value) if param.powers else int(value)
    if isinstance(param, Float):
        number = _inverse(value) if param.near_one else float(value)
        return min(max(number, param.low), param.high)
    return value  # type: ignore[no-any-return]


def level_of(history: Sequence[Past]) -> int | None:
    """The highest epoch at which enough trials that have ended were measured; None where nothing was pruned."""
    ended = [p for p in history if p.value is not None]
    if all(p.finished or not p.curve for p in ended):
        return None
    measured = Counter(epoch for p in ended for epoch, _ in p.curve)
    return max([e for e, n in measured.items() if n >= ENOUGH], default=min(measured))


def at_level(past: Past, level: int) -> Past:
    """A trial as if that epoch were the last; one whose own end comes before has its value there."""
    there = dict(past.curve).get(level)
    if past.value is None or there is None:
        return past
    return Past(past.number, past.point, there, level, True, past.attrs)


def quiet(make: Callable[[], Any]) -> Any:
    """`make()` without Optuna's word that a feature may change."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return make()


class OptunaSampler:
    """`kind`: tpe, gp or nsga2. `size`: NSGA-II's population, which is a batch of lanes. `storage`: a database's URL."""

    def __init__(
        self, space: Space, seed: int, kind: str, size: int, storage: str | None = None, study_name: str = "slalom"
    ) -> None:
        self.space, self.seed, self.kind, self.size = space, seed, kind, max(size, 4)
        self.name = {"tpe": "TPE", "gp": "Gaussian process", "nsga2": "NSGA-II"}[kind]
        self.distributions = {k: distribution(p) for k, p in space.params.items()}
        self.study = new_study(storage, study_name)
        self.shared = storage is not None
        self.theirs: dict[int, int] = {}  # our number -> Optuna's
        self.told: set[int] = set()
        self.level: int | None = None  # the epoch at which TPE compares trials; None: at their end, the pruned ones behind
        self.began = datetime.now()  # Optuna wants a time; nobody reads it

    def _sampler(self, trials: int) -> optuna.samplers.BaseSampler:
        seed = (self.seed * 1_000_003 + trials) % 2**31
        if self.kind == "tpe":
            from slalom.tune.samplers.tpe import BatchTPE

            return quiet(lambda: BatchTPE(self.distributions, seed))  # type: ignore[no-any-return]
        if self.kind == "gp":
            from optuna.samplers import GPSampler

            return quiet(lambda: GPSampler(seed=seed))  # type: ignore[no-any-return]
        from slalom.tune.samplers.evolution import Ordered

        return Ordered(self.distributions, self.size, seed)

    def _levelled(self, history: Sequence[Past]) -> Sequence[Past]:
        """The trials as TPE compares them; where that is another epoch than before, the study begins anew."""
        if self.kind != "tpe" or self.shared:
            return history
        level = level_of(history)
        if level != self.level:
            self.level, self.study, self.theirs, self.told = level, new_study(None, ""), {}, set()
        return history if level is None else [at_level(p, level) for p in history]

    def _bring(self, history: Sequence[Past]) -> None:
        """Let the study know what has been asked and told since."""
        storage = self.study._storage
        for past in history:
            if past.number in self.theirs:
                continue
            if self.shared and SHARED in past.attrs:  # asked by this search before it was resumed: it is there already
                there = past.attrs[SHARED]
                ended = self.study.get_trials(deepcopy=False)[there].state.is_finished()
            else:
                trial = storage.create_new_trial(self.study._study_id, template_trial=self._frozen(past))
                there, ended = storage.get_trial(trial).number, past.value is not None
            self.theirs[past.number] = there
            self.told |= {past.number} if ended else set()
        for past in history:
            if past.value is not None and past.number not in self.told:
                self._tell(past)
                self.told.add(past.number)

    def _state(self, past: Past) -> Any:
        """Only TPE knows what a pruned trial is worth; the others pass over it, so they are told what it had reached."""
        from optuna.trial import TrialState

        return TrialState.COMPLETE if past.finished or self.kind != "tpe" else TrialState.PRUNED

    def _value(self, past: Past) -> float:
        return float(past.value or 0.0)

    def _tell(self, past: Past) -> None:
        from optuna.trial import TrialState

        storage, study = self.study._storage, self.study._study_id
        trial = storage.get_trial_id_from_study_id_trial_number(study, self.theirs[past.number])
        if self._state(past) == TrialState.PRUNED:
            storage.set_trial_intermediate_value(trial, past.epoch, self._value(past))
            storage.set_trial_state_values(trial, TrialState.PRUNED)
        else:
            storage.set_trial_state_values(trial, TrialState.COMPLETE, [self._value(past)])

    def _frozen(self, past: Past) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState

        from slalom.tune.samplers.memory import Whole

        state = TrialState.RUNNING if past.value is None else self._state(past)
        return Whole(
            number=-1,  # number and id are the storage's affair
            trial_id=-1,
            state=state,
            value=self._value(past) if state == TrialState.COMPLETE else None,
            params={k: outward(p, past.point[k]) for k, p in self.space.params.items()} | past.attrs.get(RAW, {}),
            distributions=self.distributions,
            user_attrs={},
            system_attrs={k: v for k, v in past.attrs.items() if k == NOTED},
            intermediate_values={past.epoch: self._value(past)} if state == TrialState.PRUNED else {},
            datetime_start=self.began,
            datetime_complete=self.began if state.is_finished() else None,
        )

    def finish(self, history: Sequence[Past]) -> None:
        """Let a study that others share know of the last trials."""
        if self.shared:
            self._bring(history)

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        self._bring(self._levelled(history))
        self.study.sampler = sampler = self._sampler(len(history))
        chance = count // CHANCE if self.kind == "tpe" and not self.shared and history else 0
        if chance:
            drawn = [Asked(self.space.random(self.seed, len(history) + i)) for i in range(count - chance, count)]
            return self._modelled(sampler, count - chance, history) + drawn
        return self._modelled(sampler, count, history)

    def _modelled(self, sampler: Any, count: int, history: Sequence[Past]) -> list[Asked]:
        points = sampler.batch(self.study, count) if self.kind == "tpe" and not self.shared else None
        if points is not None:  # the study hears of them from the history
            alone = {k: outward(p, p.grid(1)[0]) for k, p in self.space.params.items() if self.distributions[k].single()}
            return [self._asked({**alone, **params}, {}) for params in points]
        out = []
        for i in range(count):
            trial = self.study.ask(self.distributions)
            self.theirs[len(history) + i] = trial.number
            attrs = self.study._storage.get_trial(trial._trial_id).system_attrs if self.kind == "nsga2" else {}
            noted = {k: v for k, v in attrs.items() if k == NOTED}
            out.append(self._asked(trial.params, noted | ({SHARED: trial.number} if self.shared else {})))
        return out

    def _asked(self, params: dict[str, Any], noted: dict[str, Any]) -> Asked:
        point = {k: inward(p, params[k]) for k, p in self.space.params.items()}
        raw = {k: params[k] for k in point if outward(self.space[k], point[k]) != params[k]}  # lost to rounding
        return Asked(point, {**noted, **({RAW: raw} if raw else {})})


def new_study(storage: str | None, name: str) -> optuna.Study:
    """A study in memory, or the one of that name in a database, made where it is not there."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(storage=storage, study_name=name if storage else None, load_if_exists=storage is not None)
    except (ImportError, ModuleNotFoundError) as error:
        raise BadValueError(f"storage {storage!r} needs a driver that is not installed: {error}") from error
    except Exception as error:
        if storage is None:
            raise
        raise StoreError(f"cannot open the storage {storage!r}: {str(error).splitlines()[0]}") from error
