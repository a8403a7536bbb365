"""`slalom.Doctor`: watching any training loop from inside."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.doctor.finding import Finding
from slalom.doctor.online.graph import mismatch
from slalom.doctor.online.ledger import Ledger
from slalom.doctor.online.rules import Judge
from slalom.doctor.online.watch import Watch, expect

log = logging.getLogger("slalom.doctor")
EARLY = (0, 1, 3)  # steps that are looked at whatever it costs: static faults are told from them
GROWTH, FIRST = 1.2, 10  # judgements come at steps that grow so
SPREAD = 1.02  # and looks at steps that grow so
PENDING = 64  # losses that may wait on a device before they are read, all at once


class Doctor:
    """Watches a training loop of any kind and says what is wrong while it runs.

    `model`: the module that is trained, also one from `torch.compile`. `optimizer`: its optimizer, or a list of several. Call
    `step(loss)` after each optimizer step (or each backward, with accumulation), `epoch(val_loss)` where there is a
    validation loss. Each finding is logged once, as a warning of the logger "slalom.doctor"; `findings` has them, most likely
    first. `share`: of the time that looks may take; by default 1 %, 5 % where steps take less than 2 ms.

    Between looks there is no hook and no work but to note the loss. A look hooks the model's forward and the optimizer's step
    for one step; it reads the gradients that the optimizer has used, so unscaled by AMP and summed by accumulation. Nothing
    of the model, the optimizer or the random state is changed, and nothing is raised but `BadValueError` here, for what is no
    model or no optimizer. What needs data or experiments (labels, capacity, the best rate) is `slalom.examine`'s.

    >>> x, y = torch.randn(64, 3), torch.randn(64, 1)
    >>> net = nn.Linear(3, 1)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=1e4)
    >>> with Doctor(net, optimizer) as doctor:
    ...     for _ in range(40):
    ...         optimizer.zero_grad()
    ...         loss = nn.functional.mse_loss(net(x), y)
    ...         loss.backward()
    ...         optimizer.step()
    ...         doctor.step(loss)
    >>> doctor.labels
    ['divergence']
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer | Iterable[torch.optim.Optimizer], *, share: float | None = None
    ) -> None:
        if not isinstance(model, nn.Module):
            raise BadValueError(f"Doctor: model must be an nn.Module, got {type(model).__name__}")
        given: Any = optimizer
        optimizers = [given] if hasattr(given, "param_groups") else list(given) if _several(given) else []
        if not optimizers or not all(hasattr(o, "param_groups") for o in optimizers):
            raise BadValueError(f"Doctor: optimizer must be a torch optimizer or a list of them, got {type(optimizer).__name__}")
        if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1):
            raise BadValueError(f"Doctor: share must be a share of the time in (0, 1], got {share!r}")
        self._ledger = Ledger(share)
        self._watch = Watch(model, optimizers, self._ledger)
        self.record = self._watch.record
        self._judge = Judge(self.record)
        self._findings: dict[str, Finding] = {}
        self._waiting: list[Tensor] = []
        self._epoch_sum, self._epoch_count = 0.0, 0
        self._judged, self._judging, self._broken, self._ended = -1, 1e-3, False, False
        self._open = True
        self._watch.arm()

    def __enter__(self) -> Doctor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the watching: hooks are gone, a last judgement is made. Calling it again does nothing."""
        if self._open:
            self._open = False
            self._watch.disarm()
            self._try(self._conclude)

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, most likely first."""
        if self._open:
            self._try(self._conclude)
        return sorted(self._findings.values(), key=lambda f: -f.confidence)

    @property
    def labels(self) -> list[str]:
        """The labels of the findings."""
        return [f.label for f in self.findings]

    @property
    def told(self) -> frozenset[str]:
        """The labels that have been logged so far; asking costs nothing."""
        return frozenset(self._findings)

    @property
    def overhead(self) -> float:
        """Time spent on looking as a share of the time that passed, noting the losses apart."""
        return self._ledger.own / self._ledger.elapsed if self._ledger.elapsed else 0.0

    def step(self, loss: Any) -> None:
        """Takes in the loss of a step: a number or a tensor, which is not kept (of several numbers the mean counts)."""
        if self._open and not self._broken:
            self._try(lambda: self._step(loss))

    def epoch(self, val_loss: Any = math.nan) -> None:
        """Takes in the validation loss after an epoch."""
        if self._open and not self._broken:
            self._try(lambda: self._epoch(val_loss))

    def __str__(self) -> str:
        found = self.findings
        if not found:
            return f"nothing found in {self.record.steps} steps"
        return "\n".join(map(str, found))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _step(self, loss: Any) -> None:
        record, ledger = self.record, self._ledger
        if isinstance(loss, Tensor):
            if record.steps in EARLY and record.misfit is None and loss.grad_fn is not None:
                words = mismatch(loss)
                record.misfit = None if words is None else (record.steps, words)
            loss = loss.detach() if loss.numel() == 1 else loss.detach().mean()
            if loss.device.type != "cpu":
                self._waiting.append(loss.clone())  # reading it would make the device wait
            else:
                self._note(loss.item(), record.steps)
        else:
            self._note(float(loss), record.steps)
        ledger.tick()
        if self._watch.armed and self._watch.take() and record.steps in EARLY:
            self._judge_now(static=True)
        if not self._watch.armed and (record.steps + 1 in EARLY or self._look_due()):
            self._watch.arm()
        if len(self._waiting) >= PENDING:
            self._read_waiting()
        due = record.steps >= GROWTH * self._judged + FIRST
        if (record.broke is not None and not self._ended) or (due and ledger.affords(self._judging)):
            self._ended = record.broke is not None
            self._judge_now()
        record.steps += 1

    def _look_due(self) -> bool:
        """Looks are spread over the run, so that those in a row see different weights and batches."""
        looks = self.record.looks
        return self.record.steps > (SPREAD * looks[-1].step if looks else 0) and self._ledger.affords(self._watch.expected)

    def _note(self, value: float, step: int) -> None:
        record = self.record
        if not -math.inf < value < math.inf:
            if record.broke is None:
                record.broke = step
            return
        if record.first != record.first:
            record.first = value
        record.losses.add(value)
        self._judge.fresh.append(value)
        self._epoch_sum += value
        self._epoch_count += 1

    def _read_waiting(self) -> None:
        begin = time.perf_counter()
        waiting, self._waiting = self._waiting, []
        for k, value in enumerate(torch.stack([t.double().reshape(()) for t in waiting]).tolist()):
            self._note(value, self.record.steps - len(waiting) + 1 + k)
        self._ledger.spend(begin)

    def _epoch(self, val_loss: Any) -> None:
        if self._waiting:
            self._read_waiting()
        value = float(val_loss.detach() if isinstance(val_loss, Tensor) else val_loss)
        mean = self._epoch_sum / self._epoch_count if self._epoch_count else math.nan
        self._epoch_sum, self._epoch_count = 0.0, 0
        self.record.epochs.append((self.record.steps, mean, value))
        self._judge_now()

    def _judge_now(self, static: bool = False) -> None:
        begin = time.perf_counter()
        for found in self._judge.static() if static else self._judge.all():
            if found.label not in self._findings:
                self._findings[found.label] = found
                log.warning("%s at step %d: %s; %s", found.label, found.step, found.cause, found.remedy)
        cost = self._ledger.spend(begin)
        if not static:
            self._judged, self._judging = self.record.steps, expect(self._judging, cost)

    def _conclude(self) -> None:
        if self._waiting:
            self._read_waiting()
        if self.record.steps and self._judged < self.record.steps:
            self._judge_now(static=True)
            self._judge_now()

    def _try(self, work: Any) -> None:
        """The doctor's own faults stop nobody's training: it goes quiet, and says so once."""
        try:
            work()
        except Exception:
            self._broken = True
            self._watch.disarm()
            log.warning("the doctor has failed and stops watching; please report this", exc_info=True)


def _several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | dict)
