"""Early stopping in a heat: each lane stops alone, and its best weights come back at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slalom.engines.lanes import Lanes
from slalom.nets import EarlyStopping

Stops = dict[int, tuple[int | None, int]]  # row -> (epoch it stopped after, epoch whose weights are kept), from 1


class Stopping:
    """`settings`: of each row of a heat, None where it runs to the end."""

    def __init__(self, settings: Sequence[Mapping[str, Any] | None]) -> None:
        self.rows = {i: EarlyStopping(**told) for i, told in enumerate(settings) if told is not None}
        self.stops: Stops = {}

    def epoch(self, epoch: int, val_loss: Sequence[float], val_metric: Sequence[float], lanes: Lanes) -> None:
        """Takes in the figures after an epoch (from 1) and stops the lanes whose time is up."""
        due: list[int] = []
        retired = lanes.retired
        for i in [i for i in self.rows if i in retired]:
            del self.rows[i]
            self.stops.pop(i, None)
        for i, one in self.rows.items():
            if one.stopped:
                continue
            better = one.saw(float((val_metric if one.higher_is_better else val_loss)[i]))
            if better and one.restore:
                one.keep(lanes.weights(i))
            self.stops[i] = (epoch if one.stopped else None, one.best_check if one.restore and one.best_check else epoch)
            if one.stopped:
                due.append(i)
        lanes.stop(due)

    def finish(self, lanes: Lanes) -> list[int]:
        """Puts the best weights back; the rows that have stopped before the end."""
        for i, one in self.rows.items():
            if one.kept is not None:
                lanes.restore(i, one.kept)
        return [i for i, one in self.rows.items() if one.stopped]

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers by row, to go on from."""
        return {str(i): one.state_dict() for i, one in self.rows.items()}

    def load_state_dict(self, state: Mapping[str, Any], epoch: int) -> None:
        """Goes on from a `state_dict()` taken after this many epochs."""
        self.rows = {i: one for i, one in self.rows.items() if str(i) in state}  # the others have retired
        for i, one in self.rows.items():
            one.load_state_dict(state[str(i)])
        self.stops = stops_of(state, epoch)


def stops_of(state: Mapping[str, Any], epoch: int) -> Stops:
    """Where the rows of a checkpoint stand."""
    found: Stops = {}
    for key, told in state.items():
        stopped = told["checks"] if told["stopped"] else None
        found[int(key)] = (stopped, told["best_check"] if told["restore"] and told["best_check"] else stopped or epoch)
    return found


def filled(values: np.ndarray[Any, Any], curve: np.ndarray[Any, Any], stops: Stops, epoch: int) -> list[float]:
    """An epoch's figures `[rows]` (epoch from 0) for whoever watches: rows that have stopped keep the figure they ended with."""
    out: list[float] = values.tolist()
    for i, (stopped, kept) in stops.items():
        if stopped is not None and epoch + 1 > stopped:
            out[i] = float(curve[i, kept - 1])
    return out
