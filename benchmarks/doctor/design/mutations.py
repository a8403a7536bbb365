"""Faults of the design set: the bench's own, and others of the same labels, milder and made in other ways."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, MultiStepLR, SequentialLR, StepLR

from slalom.testing.faults import MUTATIONS, Mutation
from slalom.testing.faults.mutations import (
    _cosine,
    _deep,
    _few_rows,
    _he,
    _hidden_biases,
    _is_mlp,
    _noisy_labels,
    _rare,
    _regression,
    _rnn,
    _sgd,
    _targets,
    _times,
    _weights,
    _wild,
)  # fmt: skip
from slalom.testing.faults.nets import cnn
from slalom.testing.faults.spec import Spec


def _adaptive(spec: Spec) -> bool:
    return spec.opt != "sgd"


def _long(spec: Spec) -> Spec:
    return spec.but(epochs=2 * spec.epochs)


def _sgd_cosine(spec: Spec) -> Spec | None:
    return _cosine(spec.but(epochs=2 * spec.epochs, lr=(0.3 if not spec.momentum else 0.1), opt="sgd", batch=16))


def _scaled_half(spec: Spec) -> Spec:
    """Half of the features in other units."""
    factor = torch.ones(spec.x.shape[-1])
    factor[::2] = 200.0
    return spec.but(x=spec.x * factor, xv=spec.xv * factor)


def _noisy_few(count: int) -> object:
    def change(spec: Spec) -> Spec | None:
        made = _few_rows(count)(spec)
        if made is None:
            return None
        return made.but(epochs=4 * spec.epochs)

    return change


def _over_soon(optimizer: torch.optim.Optimizer) -> SequentialLR:
    return SequentialLR(optimizer, [CosineAnnealingLR(optimizer, 3), ConstantLR(optimizer, 1e-4, 10**6)], [3])


EXTRA: tuple[Mutation, ...] = (
    Mutation("lr_too_high", "rate x 30", lambda s: s.but(lr=30 * s.lr)),
    Mutation("lr_too_high", "adam at 0.1, short", lambda s: s.but(lr=0.1) if _adaptive(s) else None),
    Mutation("lr_too_high", "sgd of classes, rate 3", lambda s: None if _regression(s) else s.but(lr=3.0), _sgd(0.1, 0.9)),
    Mutation("divergence", "sgd on squares, rate 50", lambda s: s.but(lr=50.0) if s.loss is F.mse_loss else None, _sgd(0.02)),
    Mutation("divergence", "sgd momentum, rate x 40", lambda s: s.but(lr=2.0) if s.loss is F.mse_loss else None, _sgd(0.05, 0.9)),
    Mutation("lr_too_high_late", "no decay, sgd", lambda s: s.but(schedule=None), _sgd_cosine),
    Mutation("lr_too_high_late", "no decay, adam at 0.03", lambda s: s.but(schedule=None),
             lambda s: _cosine(s.but(opt="adam", lr=0.03, epochs=2 * s.epochs))),
    Mutation("lr_too_high_late", "no steps, batch of 8", lambda s: s.but(schedule=None),
             lambda s: s.but(opt="adam", lr=0.02, batch=8, schedule=lambda o: MultiStepLR(
                 o, [s.epochs // 2, 3 * s.epochs // 4], 0.1))),
    Mutation("lr_too_low", "rate / 100", lambda s: s.but(lr=s.lr / 100)),
    Mutation("lr_too_low", "rate / 300, half as long", lambda s: s.but(lr=s.lr / 300, epochs=max(5, s.epochs // 2))),
    Mutation("lr_too_low", "sgd at 1e-6", lambda s: s.but(lr=1e-6), _sgd(0.1, 0.9)),
    Mutation("oscillation", "momentum 0.999", lambda s: s.but(momentum=0.999), _sgd(0.02, 0.9)),
    Mutation("oscillation", "momentum 0.99, rate 0.1", lambda s: s.but(momentum=0.99),
             lambda s: s.but(opt="sgd", lr=0.1, momentum=0.9, batch=min(len(s.y), 128), epochs=60)),
    Mutation("oscillation", "momentum 0.997 in batches", lambda s: s.but(momentum=0.997), _sgd(0.05, 0.9)),
    Mutation("lr_decays_too_early", "a tenth after two epochs",
             lambda s: s.but(schedule=lambda o: MultiStepLR(o, [1, 2, 3], 0.1))),
    Mutation("lr_decays_too_early", "half each epoch",
             lambda s: s.but(schedule=lambda o: StepLR(o, 1, 0.5)) if s.epochs >= 20 else None),
    Mutation("lr_decays_too_early", "cosine of three epochs", lambda s: s.but(schedule=_over_soon), _cosine),
    Mutation("vanishing_gradient", "ten sigmoid layers", _deep("sigmoid", 10), _he),
    Mutation("vanishing_gradient", "six sigmoid layers", _deep("sigmoid", 6), _he),
    Mutation("vanishing_gradient", "small weights, relu", lambda s: s.then(_weights(_times(0.15))), _he),
    Mutation("dead_relu", "biases -4", lambda s: s.then(_hidden_biases(-4.0)) if (
        s.net.get("act", "relu") == "relu" and (_is_mlp(s) or s.build is cnn) and not s.net.get("norm")) else None),
    Mutation("exploding_gradient", "rnn, recurrent gain 2", _rnn(2.0), _rnn(1.0)),
    Mutation("exploding_gradient", "deep, weights x 3", lambda s: s.then(_weights(_times(3.0))), _he),
    Mutation("unnormalised_inputs", "every other feature x 200",
             lambda s: _scaled_half(s) if s.x.dim() == 2 and s.x.shape[1] > 1 else None),
    Mutation("unnormalised_inputs", "times 0.01", lambda s: s.but(x=s.x * 0.01, xv=s.xv * 0.01)),
    Mutation("unscaled_targets", "times 100", _targets(100.0, 0.0)),
    Mutation("unscaled_targets", "plus 30", _targets(1.0, 30.0)),
    Mutation("bad_init", "weights of deviation 3", lambda s: s.then(_weights(_wild(3.0)))),
    Mutation("bad_init", "constant 0.5", lambda s: s.then(_weights(lambda p, n: p.data.fill_(0.5)))),
    Mutation("bad_init", "weights x 10", lambda s: s.then(_weights(_times(10.0)))),
    Mutation("batch_too_small", "1 row, adam", lambda s: s.but(batch=1) if _adaptive(s) and not s.net.get("norm") else None),
    Mutation("batch_too_small", "2 rows, rate 0.05", lambda s: s.but(batch=2), lambda s: (
        s.but(opt="sgd", lr=0.05, momentum=0.9) if not s.net.get("norm") else None)),
    Mutation("batch_too_large", "all rows, few epochs", lambda s: s.but(batch=len(s.y)),
             lambda s: s.but(epochs=max(8, s.epochs // 2))),
    Mutation("overfitting", "60 rows, long", _noisy_few(60)),
    Mutation("overfitting", "100 rows, long", _noisy_few(100)),
    Mutation("model_too_small", "two hidden units", lambda s: s.but(net={"hidden": (2,)}) if _is_mlp(s) else None),
    Mutation("model_too_small", "one unit, recurrent", lambda s: s.but(net={"hidden": 1}) if "kind" in s.net else None),
    Mutation("model_too_small", "one channel", lambda s: s.but(net={"channels": (1, 1)}) if s.build is cnn else None),
    Mutation("missing_nonlinearity", "identity, deeper",
             lambda s: s.but(net={"act": "none", "hidden": (32, 32, 32)}) if _is_mlp(s) else None,
             lambda s: s.but(net={"hidden": (32, 32, 32)}) if _is_mlp(s) else None),
    Mutation("over_regularised", "decay 0.1",
             lambda s: s.but(decay=0.3 if s.opt in ("adam", "rmsprop") else 3.0 if s.opt == "adamw" else 0.1)),
    Mutation("over_regularised", "dropout 0.8", lambda s: s.but(net={"dropout": 0.8}) if s.build is not cnn else None),
    Mutation("loss_output_mismatch", "relu at the output",
             lambda s: s.but(net={"last": nn.ReLU()}) if _regression(s) else None),
    Mutation("loss_output_mismatch", "tanh on wide targets",
             lambda s: s.but(net={"last": nn.Tanh()}) if _regression(s) else None),
    Mutation("loss_output_mismatch", "sigmoid and logits", lambda s: (
        s.but(net={"last": nn.Sigmoid()}) if s.loss is F.binary_cross_entropy_with_logits else None)),
    Mutation("corrupted_labels", "45 % random", _noisy_labels(0.45)),
    Mutation("class_imbalance", "25 to 1", _rare(25)),
    Mutation("params_not_training", "first layer left out", lambda s: s.but(which=lambda m: list(m.parameters())[2:])),
    Mutation("train_val_mismatch", "validation scaled by 100", lambda s: s.but(xv=s.xv * 100)),
    Mutation("train_val_mismatch", "validation unshifted", lambda s: s.but(x=s.x, xv=s.xv - 4)),
)  # fmt: skip
ALL = (*MUTATIONS, *EXTRA)
