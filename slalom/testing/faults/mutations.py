"""What is done to a healthy set-up so that it fails in a known way: by label, several ways each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, StepLR

from slalom.testing.faults.nets import Recurrent, mlp
from slalom.testing.faults.spec import Spec

Change = Callable[[Spec], Spec | None]


@dataclass(frozen=True)
class Mutation:
    """`twin`: what the healthy set-up is changed to for this fault to show (a longer run, another optimizer); then `fault`."""

    label: str
    name: str
    fault: Change
    twin: Change = lambda spec: spec


def _regression(spec: Spec) -> bool:
    return spec.score == "r2"


def _is_mlp(spec: Spec) -> bool:
    return spec.build is mlp


def _only(test: Callable[[Spec], bool], change: Change) -> Change:
    return lambda spec: change(spec) if test(spec) else None


def _weights(act: Callable[[nn.Parameter, str], None], matrices: bool = True) -> Callable[[nn.Module], nn.Module]:
    """A change of every weight of linear, convolution and recurrent layers, or of every bias."""

    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.Linear | nn.Conv2d | nn.RNNBase):
                    for name, p in module.named_parameters(recurse=False):
                        if (p.dim() > 1) == matrices:
                            act(p, name)
        return model

    return change


def _hidden_biases(value: float) -> Callable[[nn.Module], nn.Module]:
    def change(model: nn.Module) -> nn.Module:
        dense = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        with torch.no_grad():
            for m in dense[:-1]:
                assert m.bias is not None
                m.bias.fill_(value)
        return model

    return change


def _recurrent_gain(gain: float) -> Callable[[nn.Module], nn.Module]:
    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for m in model.modules():
                if isinstance(m, nn.RNN):
                    assert isinstance(m.weight_hh_l0, Tensor)
                    nn.init.orthogonal_(m.weight_hh_l0, gain)
        return model

    return change


def _scaled(x: Tensor, like: Tensor, how: str, seed: int) -> Tensor:
    n = x.shape[1] if x.dim() == 4 else x.shape[-1]
    generator = torch.Generator().manual_seed(seed + 11)
    scale = 10 ** torch.empty(n).uniform_(0, 3, generator=generator) if how == "mixed" else torch.full((n,), 300.0)
    offset = scale * torch.empty(n).uniform_(1, 5, generator=generator) if how == "mixed" else torch.zeros(n)
    if how == "offset":
        scale, offset = torch.ones(n), torch.full((n,), 100.0)
    shape = (1, n, 1, 1) if x.dim() == 4 else (n,)
    return x * scale.reshape(shape) + offset.reshape(shape)


def _raw(how: str) -> Change:
    return lambda s: s.but(x=_scaled(s.x, s.x, how, s.seed), xv=_scaled(s.xv, s.x, how, s.seed))


def _targets(scale: float, offset: float) -> Change:
    return _only(
        lambda s: _regression(s) and s.task != "faces", lambda s: s.but(y=s.y * scale + offset, yv=s.yv * scale + offset)
    )


def _noisy_labels(share: float) -> Change:
    def change(spec: Spec) -> Spec:
        generator = torch.Generator().manual_seed(spec.seed + 5)
        y = spec.y.clone()
        chosen = torch.rand(len(y), generator=generator) < share
        count = int(y.max()) + 1
        y[chosen] = torch.randint(0, count, (int(chosen.sum()),), generator=generator)
        return spec.but(y=y)

    return _only(lambda s: not _regression(s), change)


def _rare(ratio: int) -> Change:
    """All but one class kept whole; of the last, one row in `ratio` of the largest's."""

    def change(spec: Spec) -> Spec | None:
        last = int(spec.y.max())
        rare, rest = (spec.y == last).nonzero().flatten(), (spec.y != last).nonzero().flatten()
        most = int(torch.bincount(spec.y[rest]).max())
        keep = max(2, most // ratio)
        if most < 60 or keep >= len(rare):
            return None
        rows = torch.cat([rest, rare[:keep]])
        return spec.but(x=spec.x[rows], y=spec.y[rows])

    return lambda spec: None if _regression(spec) else change(spec)


def _cell(value: float, target: bool = False) -> Change:
    def change(spec: Spec) -> Spec | None:
        part = (spec.y if target else spec.x).clone()
        if not part.is_floating_point():
            return None
        part[len(part) // 3].reshape(-1)[0] = value
        return spec.but(y=part) if target else spec.but(x=part)

    return change


def _few_rows(count: int) -> Change:
    """The first rows alone, wide layers, a long run."""

    def change(spec: Spec) -> Spec | None:
        if spec.task in ("faces", "adding") or len(spec.y) < 2 * count:
            return None
        made = spec.but(x=spec.x[:count], y=spec.y[:count], epochs=spec.epochs * 6, batch=min(spec.batch, 16))
        return made.but(net={"hidden": (256, 256)}) if _is_mlp(spec) else made

    return change


def _last(make: Callable[[], nn.Module]) -> Change:
    return lambda spec: spec.but(net={"last": make()})


def _shifted(how: str) -> Change:
    def change(spec: Spec) -> Spec:
        x = spec.xv
        if how == "unscaled":
            return spec.but(xv=x * 8 + 20)
        if how == "wider":
            return spec.but(xv=x * 5)
        return spec.but(xv=x + 3)

    return change


def _half(model: nn.Module) -> list[nn.Parameter]:
    params = list(model.parameters())
    return params[len(params) // 2 :]


def _frozen(model: nn.Module) -> nn.Module:
    for p in list(model.parameters())[:-2]:
        p.requires_grad_(False)
    return model


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def _cosine(spec: Spec) -> Spec:
    epochs = spec.epochs
    return spec.but(schedule=lambda o: CosineAnnealingLR(o, epochs))


def _sgd(lr: float, momentum: float = 0.0) -> Change:
    return lambda spec: spec.but(opt="sgd", lr=lr, momentum=momentum)


def _deep(act: str, depth: int = 8) -> Change:
    return _only(_is_mlp, lambda s: s.but(net={"hidden": (24,) * depth, "act": act, "norm": False, "init": "torch"}))


def _rnn(gain: float) -> Change:
    return _only(lambda s: s.build is Recurrent, lambda s: s.but(net={"kind": "rnn", "hidden": 32}).then(_recurrent_gain(gain)))


def _he(spec: Spec) -> Spec | None:
    return spec.but(net={"hidden": (24,) * 8, "act": "relu", "norm": False, "init": "he"}) if _is_mlp(spec) else None


def _constant(p: nn.Parameter, name: str) -> None:
    p.fill_(0.05)


def _zero(p: nn.Parameter, name: str) -> None:
    p.zero_()


def _wild(sd: float) -> Callable[[nn.Parameter, str], None]:
    def act(p: nn.Parameter, name: str) -> None:
        p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * sd)

    return act


def _times(factor: float) -> Callable[[nn.Parameter, str], None]:
    def act(p: nn.Parameter, name: str) -> None:
        p.mul_(factor)

    return act


def _flat_targets(spec: Spec) -> Spec | None:
    return spec.but(y=spec.y[:, 0], yv=spec.yv[:, 0]) if _regression(spec) and spec.y.shape[1:] == (1,) else None


def _bn(spec: Spec) -> Spec | None:
    return spec.but(net={"norm": True}) if _is_mlp(spec) or "norm" in spec.net else None


def _high(spec: Spec) -> Spec:
    return spec.but(lr=1.0 if spec.opt == "adam" else max(100 * spec.lr, 20.0))


def _classes(change: Change) -> Change:
    return lambda s: None if _regression(s) else change(s)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("lr_too_high", "rate far too high", _classes(_high)),
    Mutation("lr_too_high", "adam at 0.3", lambda s: s.but(lr=0.3) if s.opt == "adam" else None),
    Mutation("divergence", "sgd on squares, rate 5", _only(_regression, lambda s: s.but(lr=5.0)), _sgd(0.02)),
    Mutation("divergence", "sgd on squares, rate 1 with momentum", _only(_regression, lambda s: s.but(lr=1.0)), _sgd(0.01, 0.9)),
    Mutation("lr_too_high_late", "no decay, adam", lambda s: s.but(schedule=None),
             lambda s: _cosine(s.but(opt="adam", lr=0.04, epochs=2 * s.epochs)) if _regression(s) else None),
    Mutation("lr_too_low", "rate / 1000", lambda s: s.but(lr=s.lr / 1000)),
    Mutation("lr_too_low", "rate / 10000", lambda s: s.but(lr=s.lr / 10_000)),
    Mutation("oscillation", "momentum 0.997", lambda s: s.but(momentum=0.997),
             lambda s: s.but(opt="sgd", lr=0.05, momentum=0.9, batch=len(s.y), epochs=150)),
    Mutation("lr_decays_too_early", "a tenth each epoch", lambda s: s.but(schedule=lambda o: StepLR(o, 1, 0.1))),
    Mutation("lr_decays_too_early", "0.3 each epoch", lambda s: s.but(schedule=lambda o: ExponentialLR(o, 0.3)), _cosine),
    Mutation("vanishing_gradient", "deep sigmoid", _deep("sigmoid"), _he),
    Mutation("vanishing_gradient", "deep tanh, small weights",
             lambda s: s.but(net={"act": "tanh"}).then(_weights(_times(0.2))), _he),
    Mutation("vanishing_gradient", "rnn, small recurrent weights", _rnn(0.1), _rnn(1.0)),
    Mutation("dead_relu", "biases -10", lambda s: s.then(_hidden_biases(-10.0)) if s.net.get("act", "relu") == "relu" and (
        _is_mlp(s) or "channels" in s.net or s.task.startswith(("glyphs", "digits_images"))) and not s.net.get("norm") else None),
    Mutation("exploding_gradient", "rnn, recurrent gain 3", _rnn(3.0), _rnn(1.0)),
    Mutation("exploding_gradient", "deep, weights x 4", lambda s: s.then(_weights(_times(4.0))), _he),
    Mutation("unnormalised_inputs", "mixed units", _raw("mixed")),
    Mutation("unnormalised_inputs", "times 300", _raw("large")),
    Mutation("unnormalised_inputs", "offset 100", _raw("offset")),
    Mutation("unscaled_targets", "times 1000 plus 500", _targets(1000.0, 500.0)),
    Mutation("unscaled_targets", "times 50 plus 150", _targets(50.0, 150.0)),
    Mutation("bad_init", "constant weights", lambda s: s.then(_weights(_constant))),
    Mutation("bad_init", "weights of deviation 10", lambda s: s.then(_weights(_wild(10.0)))),
    Mutation("bad_init", "all zero", lambda s: s.then(_weights(_zero))),
    Mutation("batch_too_small", "2 rows, batch normalisation", lambda s: s.but(batch=2), _bn),
    Mutation("batch_too_small", "1 row", lambda s: s.but(batch=1) if s.opt == "sgd" and not s.net.get("norm") else None),
    Mutation("batch_too_large", "all rows", lambda s: s.but(batch=len(s.y))),
    Mutation("overfitting", "40 rows, wide, long", _few_rows(40)),
    Mutation("overfitting", "80 rows, wide, long", _few_rows(80)),
    Mutation("model_too_small", "one hidden unit", lambda s: s.but(net={"hidden": (1,)}) if _is_mlp(s) else None),
    Mutation("model_too_small", "bottleneck of one", lambda s: s.but(net={"hidden": (8, 1, 8)}) if _is_mlp(s) else None),
    Mutation("missing_nonlinearity", "identity", _only(_is_mlp, lambda s: s.but(net={"act": "none"}))),
    Mutation("over_regularised", "decay 1", lambda s: s.but(decay=1.0 if s.opt == "adam" else 0.3)),
    Mutation("over_regularised", "dropout 0.9", lambda s: s.but(net={"dropout": 0.9})),
    Mutation("loss_output_mismatch", "softmax before cross-entropy", _classes(_last(lambda: nn.Softmax(1)))),
    Mutation("loss_output_mismatch", "sigmoid before cross-entropy", _classes(_last(nn.Sigmoid))),
    Mutation("loss_output_mismatch", "scores to nll", _classes(lambda s: s.but(loss=F.nll_loss))),
    Mutation("loss_output_mismatch", "[n, 1] against [n]", _flat_targets),
    Mutation("loss_output_mismatch", "sigmoid on targets below 0", _only(lambda s: _regression(s) and s.task != "faces",
                                                                        _last(nn.Sigmoid))),
    Mutation("corrupted_labels", "60 % random", _noisy_labels(0.6)),
    Mutation("corrupted_labels", "80 % random", _noisy_labels(0.8)),
    Mutation("class_imbalance", "50 to 1", _rare(50)),
    Mutation("params_not_training", "half left out", lambda s: s.but(which=_half)),
    Mutation("params_not_training", "all but the last frozen", lambda s: s.then(_frozen).but(which=_trainable)),
    Mutation("train_val_mismatch", "validation unscaled", _shifted("unscaled")),
    Mutation("train_val_mismatch", "validation wider", _shifted("wider")),
    Mutation("train_val_mismatch", "validation shifted", _shifted("shifted")),
    Mutation("nonfinite_data", "NaN in a cell", _cell(float("nan"))),
    Mutation("nonfinite_data", "infinity in a cell", _cell(float("inf"))),
    Mutation("nonfinite_data", "NaN in a target", _cell(float("nan"), target=True)),
)  # fmt: skip
