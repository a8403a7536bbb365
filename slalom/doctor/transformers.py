"""The doctor in a Hugging Face Trainer: `Trainer(..., callbacks=[slalom.doctor.transformers.DoctorCallback()])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from slalom.core.errors import MissingExtraError
from slalom.doctor.finding import Finding
from slalom.doctor.online import Doctor

if TYPE_CHECKING:
    Base: Any = object
else:
    try:
        from transformers import TrainerCallback as Base
    except ImportError:
        raise MissingExtraError(
            "slalom.doctor.transformers needs transformers, which is not installed; pip install 'slalom[transformers]'"
        ) from None


class DoctorCallback(Base):  # type: ignore[misc]
    """Watches `Trainer.train` with a `slalom.Doctor`; `findings`, most likely first, are there during it and after.

    `stop_on`: labels of findings that end the training, such as `("divergence", "nonfinite_data")`. `share`: as of `Doctor`.
    The losses are those that the model itself returns when it is given labels, averaged over accumulated batches; where it
    returns none (a `compute_loss` of one's own, a compiled model), those that the Trainer logs. `eval_loss` is taken for the
    validation loss.
    """

    def __init__(self, stop_on: tuple[str, ...] = (), share: float | None = None) -> None:
        super().__init__()
        self.stop_on, self.share = tuple(stop_on), share
        self.doctor: Doctor | None = None
        self._handle: Any = None
        self._losses: list[Any] = []
        self._own = False  # whether the model itself tells its loss

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, most likely first."""
        return [] if self.doctor is None else self.doctor.findings

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **more: Any) -> None:
        while hasattr(optimizer, "optimizer"):  # accelerate's wrapper
            optimizer = optimizer.optimizer
        if model is None or optimizer is None:
            return
        self._losses, self._own = [], False
        self.doctor = Doctor(model, optimizer, share=self.share)
        self._handle = model.register_forward_hook(self._after_forward)

    def _after_forward(self, module: Any, args: Any, output: Any) -> None:
        if not torch.compiler.is_compiling() and module.training:
            loss = output.get("loss") if isinstance(output, dict) else getattr(output, "loss", None)
            if loss is not None:
                self._losses.append(loss.detach())

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.doctor is None or not self._losses:
            return
        self._own = True
        self.doctor.step(torch.stack([loss.mean() for loss in self._losses]).mean())
        self._losses.clear()
        if self.stop_on and self.doctor.told.intersection(self.stop_on):
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        told = (logs or {}).get("loss")
        if self.doctor is not None and told is not None and not self._own:
            self.doctor.step(float(told))

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:
        told = (metrics or {}).get("eval_loss")
        if self.doctor is not None and told is not None:
            self.doctor.epoch(told)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self.doctor is not None:
            self.doctor.close()
