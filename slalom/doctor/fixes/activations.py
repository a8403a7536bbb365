"""Activations: those that saturate replaced, and missing ones put in."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.surgery import like, replaced, started_anew
from slalom.doctor.fixes.trace import DENSE, Trace, traced
from slalom.doctor.setup import Setup

SATURATING = (nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign, nn.LogSigmoid, nn.ReLU6, nn.Tanhshrink)
RECTIFIED = (nn.ReLU, nn.ReLU6)
PASSING = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm, nn.Dropout, nn.Dropout1d, nn.Dropout2d,
    nn.Identity, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.MaxPool1d, nn.AvgPool1d,
)  # fmt: skip


def hidden(trace: Trace, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    """Names of the modules of these kinds that run before the last dense layer: what comes after it is the output's own."""
    last = max((k for k, call in enumerate(trace.calls) if isinstance(call.module, DENSE)), default=-1)
    return list(dict.fromkeys(call.name for call in trace.calls[:last] if isinstance(call.module, kinds)))


def swapped(name: str, kinds: tuple[type[nn.Module], ...], new: Callable[[], nn.Module]) -> Fix:
    """Hidden activations of these kinds replaced by another, and the weights started anew for it."""

    def make(setup: Setup) -> Change | None:
        names = hidden(traced(setup), kinds)
        if not names:
            return None
        model = setup.fresh()
        old = type(model.get_submodule(names[0])).__name__
        model = started_anew(setup, replaced(model, {n: new() for n in names}))
        kind = type(new()).__name__
        return Change(
            setup.changed(model=model),
            f"{len(names)} {old} activation{'s' if len(names) > 1 else ''} replaced by {kind}, weights started anew by He",
            f"nn.{kind}()  # in place of nn.{old}() at {', '.join(names)}\nslalom.nets.initialise(model, 'fan_in')",
        )

    return Fix(name, name, make)


def missing(trace: Trace) -> list[str]:
    """Dense layers whose output reaches the next dense layer through nothing that bends it."""
    found: list[str] = []
    for call in trace.calls:
        if not isinstance(call.module, DENSE):
            continue
        k = call.reads
        while k is not None and isinstance(trace.calls[k].module, PASSING):
            k = trace.calls[k].reads
        if k is not None and isinstance(trace.calls[k].module, DENSE):
            found.append(trace.calls[k].name)
    return list(dict.fromkeys(found))


def _inserted(new: Callable[[], nn.Module]) -> Callable[[Setup], Change | None]:
    def make(setup: Setup) -> Change | None:
        names = missing(traced(setup))
        if not names:
            return None
        model = setup.fresh()
        bent = {n: nn.Sequential(model.get_submodule(n), new()) for n in names}
        model = started_anew(setup, replaced(model, bent))
        kind = type(new()).__name__
        return Change(
            setup.changed(model=model),
            f"{kind} put after {', '.join(names)}, weights started anew by He",
            f"nn.{kind}()  # after {', '.join(names)}\nslalom.nets.initialise(model, 'fan_in')",
        )

    return make


def _normalised(setup: Setup) -> Change | None:
    """Batch normalisation after each hidden dense layer."""
    trace = traced(setup)
    dense = [c for c in trace.calls if isinstance(c.module, DENSE) and c.made is not None]
    if len(dense) < 2 or setup.batch_size < 2:
        return None
    model = setup.fresh()
    put: dict[str, nn.Module] = {}
    for call in dense[:-1]:
        assert call.made is not None
        dims, width = call.made.dim(), call.made.shape[1 if call.made.dim() == 4 else -1]
        norm = nn.BatchNorm1d(width) if dims == 2 else nn.BatchNorm2d(width) if dims == 4 else nn.LayerNorm(width)
        put[call.name] = nn.Sequential(model.get_submodule(call.name), like(norm, model))
    if setup.rows % setup.batch_size == 1 and not setup.drop_last:  # a batch of one row has no variance
        setup = setup.changed(drop_last=True)
    model = started_anew(setup, replaced(model, put))
    return Change(
        setup.changed(model=model),
        f"normalisation put after {len(put)} layers ({', '.join(put)}), weights started anew",
        f"nn.BatchNorm1d(width)  # after {', '.join(put)}; LayerNorm for sequences",
    )


def _gated(setup: Setup) -> Change | None:
    model = setup.fresh()
    plain = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.RNN)]
    if not plain:
        return None
    gated: dict[str, nn.Module] = {}
    for name, m in plain:
        gru = nn.GRU(
            m.input_size, m.hidden_size, m.num_layers, bias=m.bias, batch_first=m.batch_first, dropout=m.dropout,
            bidirectional=m.bidirectional,
        )  # fmt: skip
        gated[name] = like(gru, model)
    model = started_anew(setup, replaced(model, gated))
    return Change(
        setup.changed(model=model), f"GRU in place of the plain RNN at {', '.join(gated)}, orthogonal recurrent weights",
        "nn.GRU(...)  # in place of nn.RNN(...)",
    )  # fmt: skip


RELU = swapped("ReLU and He initialisation", SATURATING, nn.ReLU)
LEAKY = swapped("LeakyReLU and He initialisation", RECTIFIED, lambda: nn.LeakyReLU(0.01))
GATED = Fix("gated recurrent layers", "GRU in place of a plain RNN", _gated)
NORMALISED = Fix("normalisation", "normalisation after each hidden layer", _normalised)

register("vanishing_gradient", RELU, GATED)
register("missing_nonlinearity", Fix("insert ReLU", "ReLU between the linear layers", _inserted(nn.ReLU)),
         Fix("insert GELU", "GELU between the linear layers", _inserted(nn.GELU)))  # fmt: skip
