"""The run directory: what a race writes as it goes, so that a kill at any moment loses at most the epoch under way.

    plan.json  environment.json      what runs, and on what
    journal.jsonl                    every event, one JSON a line, appended with one fsync an epoch; a torn tail is cut off
    heats/NNN.json                   results of a finished heat
    curves/NNN.safetensors           its curves, rewritten each epoch
    weights/NNN.safetensors          its final weights, name -> [lanes, *shape]
    checkpoints/NNN.pt               the heat under way after its last epoch (read with weights_only=True)
    report.html

Every file but the journal appears whole, by an atomic rename of what the disk has. Two are not waited for: curves of a heat under
way, since the checkpoint holds them too, and checkpoints within a second of one that was waited for: a heat of so short epochs
has little to lose to a power cut.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadValueError, StoreError
from slalom.race.directory import RunDirectory, to_json
from slalom.race.events import Event, event_line
from slalom.race.heat import CURVES, HeatRecord, PlannedLane, unfinished
from slalom.race.plan import Plan, read_plan
from slalom.race.results import LaneResult

__all__ = ["Store", "to_json"]

WAIT = 1.0  # seconds from one checkpoint that the disk is waited for to the next: 10 ms each for 10 MB, measured


class Store(RunDirectory):
    """A race's run directory that this process writes; a second writer is refused."""

    folders = ("heats", "curves", "weights", "checkpoints")
    _waited = -math.inf  # when the disk was last waited for to take a checkpoint

    def create(self, plan: Plan, environment: dict[str, Any]) -> None:
        """Make the directory (it must be new or empty) and write what is known before the first step."""
        self.start({"environment.json": json.dumps(environment, indent=1), "plan.json": plan.model_dump_json(indent=1)})

    def clean(self) -> None:
        """Remove what a kill left behind: unfinished files, and checkpoints of heats that have finished."""
        super().clean()
        with self._told("clean up"):
            for path in (self.path / "heats").glob("[0-9]*.json"):
                (self.path / "checkpoints" / f"{path.stem}.pt").unlink(missing_ok=True)

    # -- reading ----------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The plan that the directory was made for."""
        try:
            return read_plan(self._read_text("plan.json"))
        except BadValueError as error:
            raise StoreError(f"{self.path / 'plan.json'} is damaged: {error}") from error

    # -- writing as the race goes ------------------------------------------------------------------------------------

    def append(self, events: list[Event]) -> None:
        """Add events to the journal: one write, one fsync."""
        self.append_lines(event_line(e) for e in events)

    def checkpoint(self, heat: int, state: dict[str, Any]) -> None:
        """The heat under way after an epoch: all its state, and its curves for whoever watches."""
        lasting = time.monotonic() - self._waited >= WAIT
        self._write(f"checkpoints/{heat:03d}.pt", lambda file: torch.save(state, file), lasting=lasting)
        if lasting:
            self._waited = time.monotonic()
        self._write_curves(heat, {k: v.numpy() for k, v in state["curves"].items()}, lasting=False)

    def read_checkpoint(self, heat: int) -> dict[str, Any] | None:
        """The last checkpoint of a heat; None where there is none."""
        path = self.path / "checkpoints" / f"{heat:03d}.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except FileNotFoundError:  # its heat has just finished
            return None
        except Exception as error:  # torch.load answers damage with almost any class
            raise StoreError(f"{path} is damaged; delete it to run heat {heat} again from its start") from error
        return state

    def _write_curves(self, heat: int, curves: dict[str, Any], *, lasting: bool = True) -> None:
        from safetensors.numpy import save

        blob = save({k: np.ascontiguousarray(v) for k, v in curves.items()})
        self._write(f"curves/{heat:03d}.safetensors", lambda file: file.write(blob), lasting=lasting)

    def finish_heat(self, record: HeatRecord) -> None:
        """Results, curves and weights; then the checkpoint goes. `heats/NNN.json` comes last: it says that all is there."""
        from safetensors.torch import save

        self._write_curves(record.number, record.curves)
        blob = save({k: v.contiguous() for k, v in record.weights.items()})
        self._write(f"weights/{record.number:03d}.safetensors", lambda file: file.write(blob))
        body = {
            "lanes": [dataclasses.asdict(p) for p in record.lanes],
            "epoch": record.epoch,
            "results": [to_json(dataclasses.asdict(r)) for r in record.results],
        }
        self._write_text(f"heats/{record.number:03d}.json", json.dumps(body, allow_nan=False))
        with contextlib.suppress(FileNotFoundError):
            (self.path / "checkpoints" / f"{record.number:03d}.pt").unlink()

    def read_heat(self, heat: int) -> HeatRecord | None:
        """A finished heat with its curves (weights stay on disk); None where it has not finished."""
        if not (self.path / "heats" / f"{heat:03d}.json").exists():
            return None
        curves = self.read_curves(heat)
        try:
            body = json.loads(self._read_text(f"heats/{heat:03d}.json"))
            results = [LaneResult(**{k: _number(k, v) for k, v in r.items()}) for r in body["results"]]
            lanes = [PlannedLane(**p) for p in body["lanes"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"heat {heat} in {self.path} cannot be read: {error}") from error
        stops = {i: (r.stopped_epoch, r.kept_epoch) for i, r in enumerate(results) if r.kept_epoch is not None}
        return HeatRecord(heat, lanes, body["epoch"], curves, results, stops=stops)

    def read_curves(self, heat: int) -> dict[str, Any]:
        """The curves of a heat as they were last written, whether it has finished or not."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found = load_file(self.path / "curves" / f"{heat:03d}.safetensors")
            return {k: found[k] for k in CURVES}
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise StoreError(f"the curves of heat {heat} in {self.path} cannot be read: {error}") from error

    def read_under_way(self, heat: int, plan: Plan) -> HeatRecord | None:
        """A heat that was stopped, from its checkpoint; None where there is none."""
        state = self.read_checkpoint(heat)
        return None if state is None else unfinished(state, heat, plan)

    def finished_lanes(self) -> int:
        """How many lanes are in finished heats."""
        heats = len(list((self.path / "heats").glob("[0-9]*.json")))
        return sum(len(h.results) for i in range(heats) if (h := self.read_heat(i)))

    def notes(self) -> list[str]:
        """The notes of the plan and the journal, each once."""
        told = [line["text"] for line in self.journal() if line.get("event") == "note"]
        return list(dict.fromkeys([*self.plan().notes, *told]))

    def read_weights(self, heat: int) -> dict[str, torch.Tensor]:
        """Final weights of a finished heat: name -> `[lanes, *shape]`."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.path / "weights" / f"{heat:03d}.safetensors")
        except (OSError, SafetensorError) as error:
            raise StoreError(f"cannot read the weights of heat {heat} in {self.path}: {error}") from error


_TEXT = {"rule", "status", "reason", "mechanism"}


def _number(key: str, value: Any) -> Any:
    return float(value) if isinstance(value, str) and key not in _TEXT else value
