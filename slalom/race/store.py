"""The run directory: what a race writes as it goes, so that a kill at any moment loses at most the epoch under way.

    plan.json  environment.json      what runs, and on what
    journal.jsonl                    every event, one JSON a line, appended with one fsync an epoch; a torn tail is cut off
    heats/NNN.json                   results of a finished heat
    curves/NNN.safetensors           its curves, rewritten each epoch
    weights/NNN.safetensors          its final weights, name -> [lanes, *shape]
    checkpoints/NNN.pt               the heat under way after its last epoch (read with weights_only=True)
    report.html

Every file but the journal appears whole by an atomic rename.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from slalom.core.errors import BadValueError, StoreError
from slalom.race.events import Event, event_line
from slalom.race.heat import CURVES, HeatRecord, PlannedLane, unfinished
from slalom.race.plan import Plan, read_plan
from slalom.race.results import LaneResult


def to_json(value: Any) -> Any:
    """Plain JSON: NaN and infinities, which JSON lacks, as the strings `nan`, `inf`, `-inf`."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete; nothing is left of one that failed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def whole_directory(directory: Path) -> Iterator[Path]:
    """A directory to fill that takes its name (new, or of an empty directory) only when it is complete."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise StoreError(f"cannot write {directory}: {error.strerror or error}") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if directory.exists():
            directory.rmdir()
        os.replace(temporary, directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


# What a kill while a file was being written leaves beside it.
_LEFT_OVER = re.compile(r"\.(plan\.json|environment\.json|\d{3,}\.(json|safetensors|pt))\.[a-z0-9_]{8}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class Store:
    """A run directory that this process writes; a second writer is refused."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.path = Path(directory)
        self._lock: IO[str] | None = None

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            why = error.strerror or error
            kept = "; what was finished before is kept" if (self.path / "plan.json").exists() else "; name another directory"
            raise StoreError(f"cannot {doing} in {self.path}: {why}{kept}") from error

    def create(self, plan: Plan, environment: dict[str, Any]) -> None:
        """Make the directory (it must be new or empty) and write what is known before the first step."""
        with self._told("start a run"):
            self._must_be_new()
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock()
            try:
                self._must_be_new()  # another start may have been quicker
                self.clean()
                self._write_text("environment.json", json.dumps(environment, indent=1))
                self._write_text("plan.json", plan.model_dump_json(indent=1))
            except BaseException:
                self.close()
                raise

    def _must_be_new(self) -> None:
        """New, empty, or left by a start that was killed before its plan was whole."""
        if not self.path.exists():
            return
        if not self.path.is_dir() or any(
            p.name not in (".lock", "environment.json") and not _LEFT_OVER.fullmatch(p.name) for p in self.path.iterdir()
        ):
            raise StoreError(f"{self.path} exists and is not an empty directory; name a new one, or resume it")

    def clean(self) -> None:
        """Remove what a kill left behind: unfinished files, and checkpoints of heats that have finished."""
        with self._told("clean up"):
            for folder in (self.path, *(self.path / k for k in ("heats", "curves", "weights", "checkpoints"))):
                for path in folder.iterdir() if folder.is_dir() else ():
                    if _LEFT_OVER.fullmatch(path.name):
                        path.unlink(missing_ok=True)
            for path in (self.path / "heats").glob("[0-9]*.json"):
                (self.path / "checkpoints" / f"{path.stem}.pt").unlink(missing_ok=True)

    def lock(self) -> None:
        """Hold the directory until this process ends; the kernel lets go of it even after kill -9."""
        with self._told("lock the run"):
            self._lock = open(self.path / ".lock", "w")  # noqa: SIM115  (held open on purpose)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.close()
                raise StoreError(f"another process is running {self.path}; wait for it or stop it first") from None

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _write(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        with self._told(f"write {name}"), whole_file(self.path / name) as file:
            write(file)

    def _write_text(self, name: str, text: str) -> None:
        self._write(name, lambda file: file.write(text.encode()))

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read_text(self, name: str) -> str:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            raise StoreError(f"{self.path} is not a run directory: it has no {name}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"cannot read {self.path / name}: {error}") from error

    def plan(self) -> Plan:
        """The plan that the directory was made for."""
        try:
            return read_plan(self._read_text("plan.json"))
        except BadValueError as error:
            raise StoreError(f"{self.path / 'plan.json'} is damaged: {error}") from error

    def environment(self) -> dict[str, Any]:
        """Where it was run."""
        try:
            found: dict[str, Any] = json.loads(self._read_text("environment.json"))
        except json.JSONDecodeError as error:
            raise StoreError(f"{self.path / 'environment.json'} is damaged: {error}") from error
        return found

    def journal(self) -> list[dict[str, Any]]:
        """Every whole line of the journal; a torn last line is passed over."""
        lines = []
        for line in self._read_text("journal.jsonl").splitlines() if (self.path / "journal.jsonl").exists() else []:
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return lines

    # -- writing as the race goes ------------------------------------------------------------------------------------

    def append(self, events: list[Event]) -> None:
        """Add events to the journal: one write, one fsync."""
        if not events:
            return
        with self._told("write journal.jsonl"), open(self.path / "journal.jsonl", "ab") as file:
            file.write("".join(event_line(e) + "\n" for e in events).encode())
            file.flush()
            os.fsync(file.fileno())

    def cut_torn_tail(self) -> None:
        """Drop a last line that a kill left half-written."""
        path = self.path / "journal.jsonl"
        if path.exists():
            with self._told("mend journal.jsonl"), open(path, "rb+") as file:
                text = file.read()
                file.truncate(text.rfind(b"\n") + 1)

    def checkpoint(self, heat: int, state: dict[str, Any]) -> None:
        """The heat under way after an epoch: all its state, and its curves for whoever watches."""
        self._write(f"checkpoints/{heat:03d}.pt", lambda file: torch.save(state, file))
        self._write_curves(heat, {k: v.numpy() for k, v in state["curves"].items()})

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

    def _write_curves(self, heat: int, curves: dict[str, Any]) -> None:
        from safetensors.numpy import save

        blob = save({k: np.ascontiguousarray(v) for k, v in curves.items()})
        self._write(f"curves/{heat:03d}.safetensors", lambda file: file.write(blob))

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
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if not (self.path / "heats" / f"{heat:03d}.json").exists():
            return None
        try:
            body = json.loads(self._read_text(f"heats/{heat:03d}.json"))
            curves = load_file(self.path / "curves" / f"{heat:03d}.safetensors")
            results = [LaneResult(**{k: _number(k, v) for k, v in r.items()}) for r in body["results"]]
            lanes = [PlannedLane(**p) for p in body["lanes"]]
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise StoreError(f"heat {heat} in {self.path} cannot be read: {error}") from error
        stops = {i: (r.stopped_epoch, r.kept_epoch) for i, r in enumerate(results) if r.kept_epoch is not None}
        return HeatRecord(heat, lanes, body["epoch"], {k: curves[k] for k in CURVES}, results, stops=stops)

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

    def copy_to(self, directory: Path) -> None:
        """The whole run, copied beside its destination and renamed."""
        with self._told(f"copy the run to {directory}"), whole_directory(directory) as temporary:
            shutil.copytree(self.path, temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))


_TEXT = {"rule", "status", "reason", "mechanism"}


def _number(key: str, value: Any) -> Any:
    return float(value) if isinstance(value, str) and key not in _TEXT else value
