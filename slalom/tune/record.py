"""The run directory of a search.

    plan.json  environment.json      what runs, and on what
    journal.jsonl                    batches asked, rungs, the finalists, the test: one fsync for each; a torn tail is cut off
    checkpoints/BATCH-RUNG.pt        a batch after its last rung, to go on from (read with weights_only=True)
    weights/model.safetensors        the winner's weights

A checkpoint is whole before its rung is told, and the one before it goes after. So a kill at any moment leaves each batch either
before or after a rung: no trial that was told is lost, none is told twice.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from slalom.core.errors import BadValueError, StoreError
from slalom.race.directory import RunDirectory
from slalom.tune.events import to_text
from slalom.tune.plan import TunePlan, read_plan


class Record(RunDirectory):
    """See the module."""

    folders = ("checkpoints", "weights")

    def create(self, plan: TunePlan, environment: dict[str, Any]) -> None:
        """Make the directory (it must be new or empty) and write what is known before the first step."""
        self.start({"environment.json": json.dumps(environment, indent=1), "plan.json": plan.model_dump_json(indent=1)})

    def plan(self) -> TunePlan:
        """The plan that the directory was made for."""
        text = self._read_text("plan.json")
        if '"kind": "tune"' not in text and '"kind":"tune"' not in text:
            raise StoreError(f"{self.path} is not the run of a search; slalom.load reads a race")
        try:
            return read_plan(text)
        except BadValueError as error:
            raise StoreError(f"{self.path / 'plan.json'} is damaged: {error}") from error

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Add lines to the journal: one write, one fsync."""
        self.append_lines(map(to_text, lines))

    def checkpoint(self, batch: int, rung: int, states: list[Any]) -> None:
        """A batch after a rung: the state of each of its groups, None for one of which nobody goes on."""
        self._write(f"checkpoints/{batch:04d}-{rung}.pt", lambda file: torch.save(states, file))

    def read_checkpoint(self, batch: int, rung: int) -> list[Any]:
        """What `checkpoint` wrote."""
        path = self.path / "checkpoints" / f"{batch:04d}-{rung}.pt"
        try:
            states: list[Any] = torch.load(path, weights_only=True)
        except Exception as error:  # torch.load answers damage with almost any class
            raise StoreError(f"{path} cannot be read ({type(error).__name__}); its batch cannot go on") from error
        return states

    def tidy(self, under_way: dict[int, int]) -> None:
        """Remove every checkpoint but those of these batches (number -> rung), which a kill may have left."""
        keep = {f"{batch:04d}-{rung}" for batch, rung in under_way.items()}
        with self._told("clean up"):
            for path in (self.path / "checkpoints").glob("*.pt"):
                if path.stem not in keep:
                    path.unlink(missing_ok=True)

    def drop_checkpoints(self, batch: int, but: int | None = None) -> None:
        """Remove the checkpoints of a batch, or all but that of one rung."""
        with self._told("clean up"):
            for path in (self.path / "checkpoints").glob(f"{batch:04d}-*.pt"):
                if but is None or path.stem != f"{batch:04d}-{but}":
                    path.unlink(missing_ok=True)

    def write_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """The winner's weights."""
        from safetensors.torch import save

        blob = save({k: v.contiguous() for k, v in weights.items()})
        self._write("weights/model.safetensors", lambda file: file.write(blob))

    def read_weights(self) -> dict[str, torch.Tensor]:
        """The winner's weights."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.path / "weights" / "model.safetensors")
        except (OSError, SafetensorError) as error:
            raise StoreError(f"cannot read the winner's weights in {self.path}: {error}") from error
