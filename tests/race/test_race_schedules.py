"""Schedules in a race: by text, with a state a lane, with momentum where there is one."""

from __future__ import annotations

import numpy as np
import pytest

import slalom
from slalom.core.errors import BadValueError
from slalom.race.api import resume
from slalom.race.events import EpochDone
from slalom.schedules import Cosine, OneCycle, Plateau, Warmup

SMALL = {"model": "mlp:6:relu", "data": "iris", "lrs": [0.01, 0.3], "seeds": 1, "epochs": 8, "batch_size": 30, "widen": False}


def losses(schedule, rules=("adam", "sgd"), **more):
    return slalom.race(rules=list(rules), schedule=schedule, **{**SMALL, **more})


def same(a, b):
    for name in ("train_loss", "val_loss"):
        np.testing.assert_array_equal(getattr(a.curves(), name), getattr(b.curves(), name))


@pytest.mark.parametrize("text", ["restarts:2,T_mult=2", "triangular:2", "wsd:2,warmup=1", "annealing", "onecycle:momenta=off"])
def test_every_text_races(text):
    result = losses(text)
    assert all(lane.status == "finished" for lane in result.lanes)
    assert result.plan["schedule"] == text


def test_a_plateau_follows_each_lanes_validation_loss():
    ran = losses("plateau:0,factor=.5", epochs=14)
    plain = losses(None, epochs=14)
    steps = ran.curves().train_loss.shape[1] // 14
    for i in range(len(ran.lanes)):
        state = Plateau(0.5, 0).start()
        cut = None
        for epoch, value in enumerate(ran.curves().val_loss[i]):
            state.step(value)
            if state.level < 1:
                cut = (epoch + 1) * steps
                break
        # Up to the first cut the lane is the one without a schedule; from there it is not.
        ours, theirs = ran.curves().train_loss[i], plain.curves().train_loss[i]
        np.testing.assert_array_equal(ours[: cut + 1 if cut else None], theirs[: cut + 1 if cut else None])
        assert cut is None or cut >= len(ours) - 1 or not np.array_equal(ours[cut + 1 :], theirs[cut + 1 :])
    assert not np.array_equal(ran.curves().train_loss, plain.curves().train_loss)


class Stop(Exception):
    pass


def test_a_plateau_is_kept_in_the_checkpoint(tmp_path):
    schedule = "warmup:1,plateau:0,factor=.5"
    whole = losses(schedule)

    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 5:
            raise Stop

    with pytest.raises(Stop):
        losses(schedule, directory=tmp_path / "run", on_event=stop)
    same(resume(tmp_path / "run"), whole)


def test_momentum_swings_where_there_is_one_and_a_note_says_where_not():
    result = losses("onecycle", rules=("adam", "sgd", "adagrad", "torch.SGD"))
    assert [n for n in result.notes if "momentum" in n] == [
        "the schedule swings the momentum too, where there is one: not in sgd, adagrad, torch.SGD"
    ]
    still = losses("onecycle:momenta=off", rules=("adam", "sgd", "adagrad", "torch.SGD"))
    assert not any("momentum" in n for n in still.notes)
    same_lane = [np.array_equal(a, b) for a, b in zip(result.curves().train_loss, still.curves().train_loss, strict=True)]
    by_rule = {r: [s for s, lane in zip(same_lane, result.lanes, strict=True) if lane.rule == r] for r in ("adam", "sgd")}
    assert by_rule == {"adam": [False, False], "sgd": [True, True]}


def test_schedules_as_objects():
    steps = losses("cosine").curves().train_loss.shape[1]
    same(losses(Cosine(steps)), losses("cosine"))
    same(losses(Warmup(4, OneCycle(steps - 4)), rules=["adam"]), losses("warmup:4steps,onecycle", rules=["adam"]))
    with pytest.raises(BadValueError, match="a race has one for all its lanes, and this one has values for 2"):
        losses(Cosine([10, 20]))
