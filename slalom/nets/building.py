"""From a model spec, a module or a function to a checked factory."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets.cnn import cnn, image_shape
from slalom.nets.factory import DataShape, Factory
from slalom.nets.mlp import default_widths, mlp
from slalom.nets.named import find, looks_like_place
from slalom.nets.spec import KINDS, Spec, parse

CNN_CHANNELS = (8, 16)


def build(spec: Any, data: DataShape) -> Factory:
    """A checked factory of models for these data.

    `spec`: None for an MLP sized to the data (`mlp`, see `slalom.nets.default_widths`); text: `mlp:64,64:relu` with
    `dropout=.2` and `batchnorm` as further parts, `linear`, `cnn:8,16:relu`, or `package.module:function`; an `nn.Module`,
    which is copied, so that every model starts from its weights; or a function or class that returns a new module,
    called with nothing, or with `input_shape` and `output_size` where it takes arguments of these names.

    A trial model is made and run on a few training rows; torch's random state is as before afterwards. Errors:
    `UnknownNameError` for names, `BadValueError` for what is no module or whose output is not `[rows, output_size]`.

    >>> from slalom.data import load
    >>> build(None, load("digits")).name
    'MLP 64-64-64-10 relu'
    """
    factory = _made(spec, data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the trial is the same each time, whatever the state was
        _check(factory, data)
    return factory


def _made(spec: Any, data: DataShape) -> Factory:
    if isinstance(spec, Factory):
        return spec
    if spec is None or isinstance(spec, str):
        text = "mlp" if spec is None else spec.strip()
        if not looks_like_place(text):
            return _ours(parse(text), data, asked=spec is not None)
        return Factory(text.split(":")[1], text, _caller(find(text), text, data))
    if isinstance(spec, nn.Module):
        return _copies(spec)
    if callable(spec):
        name = getattr(spec, "__name__", type(spec).__name__)
        return Factory("model" if name == "<lambda>" else name, None, _caller(spec, name, data))
    raise BadValueError(
        f"model must be a spec ({', '.join(KINDS)}, package.module:function), an nn.Module, a function that returns one, or None "
        f"for an MLP sized to the data; got {type(spec).__name__} {spec!r}"
    )


def _ours(spec: Spec, data: DataShape, asked: bool) -> Factory:
    shape, outputs, note = data.input_shape, data.output_size, ""
    inputs = int(torch.Size(shape).numel())
    if spec.kind == "linear":
        return Factory(f"linear {inputs}-{outputs}", "linear", lambda: mlp(shape, (), outputs))
    widths = spec.widths
    if widths is None:
        widths = default_widths(inputs, len(data.train)) if spec.kind == "mlp" else CNN_CHANNELS
        spec = Spec(spec.kind, widths, spec.activation, spec.dropout, spec.batchnorm)
        note = f"model sized to the data: {spec}"
    if spec.kind == "cnn":
        (channels, height, width), _, guessed = image_shape(shape)
        note = "; ".join(part for part in (note, guessed) if part)
        name = f"CNN {channels}x{height}x{width}-{'-'.join(map(str, widths))}-{outputs} {spec.activation}"
    else:
        name = f"MLP {'-'.join(map(str, (inputs, *widths, outputs)))} {spec.activation}"
    name += spec.extras.replace(":", " ")
    layers = {"mlp": mlp, "cnn": cnn}[spec.kind]
    return Factory(name, str(spec), lambda: layers(shape, widths, outputs, spec.activation, spec.dropout, spec.batchnorm), note)


def _copies(module: nn.Module) -> Factory:
    if _is_lazy(module):
        raise BadValueError(
            f"model {type(module).__name__} has lazy layers without a shape yet; run it on a batch once, or give a function"
        )
    try:
        kept = copy.deepcopy(module)  # as it is now: what happens to the module later does not count
    except Exception as error:
        raise BadValueError(
            f"model {type(module).__name__} cannot be copied ({error}); give a function that returns a new one"
        ) from error
    note = f"the given {type(module).__name__} is copied: every lane starts from the same weights, whatever its seed"
    return Factory(type(module).__name__, None, lambda: copy.deepcopy(kept), note)


def _caller(function: Callable[..., Any], name: str, data: DataShape) -> Callable[[], nn.Module]:
    offered = {"input_shape": data.input_shape, "output_size": data.output_size}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some callables written in C have no signature
        parameters = ()  # type: ignore[assignment]
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [n for n in needed if n not in offered or n not in named]
    if missing:
        raise BadValueError(
            f"model {name} needs {', '.join(missing)}; it is called with nothing, or with input_shape and output_size by "
            f"these names: give lambda: {name.split(':')[-1]}(...)"
        )
    arguments = {key: value for key, value in offered.items() if key in named}

    def make() -> nn.Module:
        made = function(**arguments)
        if not isinstance(made, nn.Module):
            raise BadValueError(f"model {name} must return an nn.Module, got {type(made).__name__}")
        _materialise(made, data)
        return made

    return make


def _is_lazy(model: nn.Module) -> bool:
    return any(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters())


def _materialise(model: nn.Module, data: DataShape) -> None:
    """Lazy layers take their shapes from a first batch."""
    if _is_lazy(model):
        training = model.training
        with torch.no_grad():
            model.eval()(_rows(model, data))
        model.train(training)


def _rows(model: nn.Module, data: DataShape) -> torch.Tensor:
    """A few training rows, in the model's precision."""
    x = data.train.x[:3]
    for parameter in model.parameters():
        if parameter.is_floating_point() and not isinstance(parameter, nn.parameter.UninitializedParameter):
            return x.to(parameter.device, parameter.dtype)
    return x


def _check(factory: Factory, data: DataShape) -> None:
    try:
        model = factory()
        again = factory()
    except BadValueError:
        raise
    except Exception as error:
        raise BadValueError(f"model {factory.name}: making it raised {type(error).__name__}: {error}") from error
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    if not trained:
        raise BadValueError(f"model {factory.name} has no parameter to train; at least one must have requires_grad=True")
    if trained & {id(p) for p in again.parameters()}:
        raise BadValueError(
            f"model {factory.name} returns the same module each time; make a new one in the function, or give the module itself"
        )
    x = _rows(model, data)
    try:
        with torch.no_grad():
            out = model.eval()(x)
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = ""
        if "'indices'" in first or "index out of range" in first:  # an embedding's: no other layer asks for whole numbers
            hint = "; begin its forward with x = x.long(), and race with scale=False: all inputs arrive as real numbers"
        raise BadValueError(
            f"model {factory.name} cannot take a batch of {data.name}, {list(x.shape)}: {first}; its input must be [rows, "
            f"{', '.join(map(str, data.input_shape))}]{hint}"
        ) from error
    expected = [len(x), data.output_size]
    got = list(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
    if got != expected:
        if not isinstance(out, torch.Tensor):
            remedy = "return one tensor alone"
        elif got == [len(x)] and data.output_size == 1:
            remedy = "make its last layer 1 wide; add .unsqueeze(1)"
        else:
            remedy = f"make its last layer {data.output_size} wide"
        raise BadValueError(f"model {factory.name} must give {expected} for {len(x)} rows of {data.name}, got {got}; {remedy}")
