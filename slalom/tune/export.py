"""A search as an Optuna study in a database, for optuna-dashboard and everything else that reads one."""

from __future__ import annotations

import math

from slalom.core.errors import BadValueError
from slalom.tune.history import History, Trial
from slalom.tune.plan import TunePlan
from slalom.tune.samplers.study import distribution, new_study, outward


def export(history: History, plan: TunePlan, storage: str, name: str) -> None:
    """Add every trial with the parameters in use; states and rungs as Optuna has them. The study must be new or empty."""
    from optuna.trial import FrozenTrial, TrialState, create_trial

    study = new_study(storage, name)
    if study.get_trials(deepcopy=False):
        raise BadValueError(f"the study {name!r} in {storage} has trials already; name another")
    states = {
        "finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "stopped": TrialState.PRUNED,
        "diverged": TrialState.PRUNED, "running": TrialState.FAIL,
    }  # fmt: skip

    def frozen(t: Trial) -> FrozenTrial:
        used = {k: p for k, p in history.space.params.items() if k in t.config}
        state = states[t.state]
        return create_trial(
            state=state,
            value=t.value if state == TrialState.COMPLETE else None,
            params={k: outward(p, t.config[k]) for k, p in used.items()},
            distributions={k: distribution(p) for k, p in used.items()},
            user_attrs={
                "state": t.state, plan.metric: None if math.isnan(t.metric) else t.metric, "batch": t.batch,
                "enqueued": t.enqueued, **{k: v for k, v in t.config.items() if k in used and outward(used[k], v) != v},
            },
            intermediate_values={epoch: loss for epoch, loss, _ in t.rungs if math.isfinite(loss)},
        )  # fmt: skip

    study.add_trials([frozen(t) for t in history.trials])
