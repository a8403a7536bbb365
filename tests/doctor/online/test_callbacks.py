"""The callbacks in the real Trainers: tiny models, a few steps, nothing downloaded, nothing written but to tmp_path."""

import importlib
import logging
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from slalom.core.errors import MissingExtraError

X = torch.randn(48, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def hooks(model, optimizer):
    found = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return found + len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)


@pytest.fixture
def lightning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning.pytorch as pl
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return pl


def fit(pl, callback, *, lr=0.05, times=1.0, epochs=3, beside=(), **options):
    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
            self.seen = []

        def training_step(self, batch, index):
            loss = F.mse_loss(self.net(batch[0]), F.one_hot(batch[1], 2).float())
            self.seen.append(loss.item())
            return {"loss": loss}

        def validation_step(self, batch, index):
            self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            self.made = torch.optim.SGD(self.parameters(), lr=lr)
            return self.made

    module = Module()
    loader = DataLoader(TensorDataset(X * times, Y), batch_size=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[callback, *beside], num_sanity_val_steps=1, **options,
        )  # fmt: skip
        trainer.fit(module, loader, loader)
    return module, trainer


def test_lightning_healthy_with_accumulation_and_gone_afterwards(lightning):
    from slalom.doctor.lightning import DoctorCallback

    callback = DoctorCallback(share=1.0)
    module, _ = fit(lightning, callback, accumulate_grad_batches=2)
    assert callback.findings == []
    record = callback.doctor.record
    assert record.losses.values() == pytest.approx(module.seen, rel=1e-5)
    assert len(record.epochs) == 3
    assert len(record.looks) > 2
    assert all((look.gradients > 0).all() for look in record.looks)
    assert hooks(module, module.made) == 0


def test_lightning_stops_on_a_finding(lightning):
    from slalom.doctor.lightning import DoctorCallback

    callback = DoctorCallback(stop_on=("divergence",))
    _, trainer = fit(lightning, callback, lr=1e8, epochs=20)
    assert "divergence" in [f.label for f in callback.findings]
    assert trainer.current_epoch < 10


def test_lightning_hooks_are_gone_after_an_exception(lightning):
    from slalom.doctor.lightning import DoctorCallback

    class Fails(lightning.Callback):
        def on_train_batch_end(self, trainer, module, *args):
            raise ZeroDivisionError

    callback = DoctorCallback()
    with pytest.raises(ZeroDivisionError):
        fit(lightning, callback, beside=[Fails()])
    assert not callback.doctor._watch._handles


class Small(nn.Module):
    """What the Hugging Face Trainer takes: a dict with the loss back."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x, labels=None):
        logits = self.net(x)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers

        transformers.logging.set_verbosity_error()
    return transformers


def rows(times):
    return [{"x": x * times, "labels": y} for x, y in zip(X, Y, strict=True)]


def train(tmp_path, callback, *, times=1.0, **options):
    """The whole Trainer, which needs accelerate beside transformers."""
    pytest.importorskip("accelerate")
    transformers = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path), max_steps=24, per_device_train_batch_size=8, learning_rate=0.05, report_to=[],
            save_strategy="no", use_cpu=True, disable_tqdm=True, logging_steps=6, eval_strategy="steps", eval_steps=12,
            optim="sgd", **options,
        )  # fmt: skip
        data = rows(times)
        trainer = transformers.Trainer(model=Small(), args=arguments, train_dataset=data, eval_dataset=data, callbacks=[callback])
        trainer.train()
    return trainer


def handled(callback, *, times=1.0, accumulate=1, steps=24, tells=True):
    """The Trainer's own events, sent by the package's own handler in the order of its loop."""
    transformers = quiet()
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    handler = transformers.trainer_callback.CallbackHandler([callback], model, None, optimizer, None)
    state, control = transformers.TrainerState(), transformers.TrainerControl()
    sent = (None, state, control)
    handler.on_train_begin(*sent)
    for step in range(steps):
        for _ in range(accumulate):
            out = model(X * times, Y) if tells else {"loss": F.cross_entropy(model.net(X * times), Y)}
            (out["loss"] / accumulate).backward()
        handler.on_pre_optimizer_step(*sent)
        optimizer.step()
        handler.on_optimizer_step(*sent)
        model.zero_grad()
        state.global_step += 1
        handler.on_step_end(*sent)
        if step % 6 == 5:
            handler.on_log(*sent, {"loss": float(out["loss"].detach())})
        if step % 12 == 11:
            handler.on_evaluate(*sent, {"eval_loss": 0.5})
        if control.should_training_stop:
            break
    handler.on_train_end(*sent)
    return model, optimizer, state


def test_the_handler_s_events_of_transformers():
    from slalom.doctor.transformers import DoctorCallback

    callback = DoctorCallback(share=1.0)
    model, optimizer, _ = handled(callback, accumulate=2)
    assert callback.findings == []
    record = callback.doctor.record
    assert record.losses.count == 24
    assert len(record.epochs) == 2
    assert len(record.looks) > 2
    assert all((look.gradients > 0).all() for look in record.looks)
    assert hooks(model, optimizer) == 0
    assert not model._forward_hooks


def test_losses_are_those_logged_where_the_model_tells_none():
    from slalom.doctor.transformers import DoctorCallback

    callback = DoctorCallback()
    handled(callback, tells=False)
    assert callback.doctor.record.losses.count == 4


def test_a_finding_stops_transformers():
    from slalom.doctor.transformers import DoctorCallback

    callback = DoctorCallback(stop_on=("unnormalised_inputs",))
    _, _, state = handled(callback, times=torch.tensor([1.0, 1.0, 1.0, 1e4]))
    assert next(f.label for f in callback.findings) == "unnormalised_inputs"
    assert state.global_step < 24


def test_transformers_healthy_with_accumulation_and_gone_afterwards(tmp_path):
    from slalom.doctor.transformers import DoctorCallback

    callback = DoctorCallback(share=1.0)
    trainer = train(tmp_path, callback, gradient_accumulation_steps=2)
    assert callback.findings == []
    record = callback.doctor.record
    assert record.losses.count == 24
    assert len(record.epochs) == 2
    assert len(record.looks) > 2
    assert record.names[0].endswith("net.0.weight")
    optimizer = trainer.optimizer
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    assert hooks(trainer.model, optimizer) == 0


def test_transformers_names_a_fault(tmp_path):
    from slalom.doctor.transformers import DoctorCallback

    callback = DoctorCallback(stop_on=("unnormalised_inputs",))
    trainer = train(tmp_path, callback, times=torch.tensor([1.0, 1.0, 1.0, 1e4]))
    assert next(f.label for f in callback.findings) == "unnormalised_inputs"
    assert trainer.state.global_step < 24


@pytest.mark.parametrize(
    ("module", "hidden", "extra"),
    [
        ("lightning", ["lightning.pytorch.callbacks", "pytorch_lightning.callbacks", "pytorch_lightning"], "slalom[lightning]"),
        ("transformers", ["transformers"], "slalom[transformers]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, hidden, extra, monkeypatch):
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"slalom.doctor.{module}", raising=False)
    with pytest.raises(MissingExtraError) as caught:
        importlib.import_module(f"slalom.doctor.{module}")
    assert extra in str(caught.value)
