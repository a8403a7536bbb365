"""The doctor in a Lightning Trainer: `Trainer(callbacks=[slalom.doctor.lightning.DoctorCallback()])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slalom.core.errors import MissingExtraError
from slalom.doctor.finding import Finding
from slalom.doctor.online import Doctor

if TYPE_CHECKING:
    Base: Any = object
else:
    try:
        from lightning.pytorch.callbacks import Callback as Base
    except ImportError:
        try:
            from pytorch_lightning.callbacks import Callback as Base
        except ImportError:
            raise MissingExtraError(
                "slalom.doctor.lightning needs Lightning, which is not installed; pip install 'slalom[lightning]'"
            ) from None


class DoctorCallback(Base):  # type: ignore[misc]
    """Watches `trainer.fit` with a `slalom.Doctor`; `findings`, most likely first, are there during it and after.

    `monitor`: the name of the validation loss among the metrics that the module logs. `stop_on`: labels of findings that end the
    training, such as `("divergence", "nonfinite_data")`. `share`: as of `Doctor`. Losses are those that `training_step` returns
    (the dict's "loss"); accumulation, automatic mixed precision and several optimizers are Lightning's own, and fine.

    The counts of findings are logged as "doctor/findings" where the trainer has a logger.
    """

    def __init__(self, monitor: str = "val_loss", stop_on: tuple[str, ...] = (), share: float | None = None) -> None:
        super().__init__()
        self.monitor, self.stop_on, self.share = monitor, tuple(stop_on), share
        self.doctor: Doctor | None = None

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, most likely first."""
        return [] if self.doctor is None else self.doctor.findings

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        optimizers = list(trainer.optimizers)
        self.doctor = Doctor(pl_module, optimizers, share=self.share) if optimizers else None

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if self.doctor is None or loss is None:
            return
        self.doctor.step(loss * trainer.accumulate_grad_batches)  # which Lightning has divided it by
        if self.stop_on and self.doctor.told.intersection(self.stop_on):
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if self.doctor is not None and value is not None and not trainer.sanity_checking:
            self.doctor.epoch(value)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._close()
        if self.doctor is not None and trainer.logger is not None:
            trainer.logger.log_metrics({"doctor/findings": len(self.findings)}, step=trainer.global_step)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._close()

    def _close(self) -> None:
        if self.doctor is not None:
            self.doctor.close()
