"""Functions of torch that lanes run in a form of their own, whoever calls them: a layer, or a model's own forward.

Replaced are functions, not modules: `F.linear(x, self.w)` in a model's own forward gets the same form as `nn.Linear`.
Inside `torch.vmap` a model sees tensors of one lane; `together` shows a form all lanes' tensors at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from slalom.engines.lanes.counter import CounterDropout

Form = Callable[..., Any]
FORMS: dict[Any, Form] = {}


HOW: dict[Any, str | Callable[[torch.device], str]] = {}


def lane_form(*functions: Any, how: str | Callable[[torch.device], str]) -> Callable[[Form], Form]:
    """Registers `form(lanes, *args, **kwargs)`, called in place of the functions of torch; `lanes` is the `LaneForms`.

    `how`: what it does, in a few words, for those who ask; a function of the device where that depends on it or the machine.
    """

    def register(form: Form) -> Form:
        FORMS.update(dict.fromkeys(functions, form))
        HOW.update(dict.fromkeys(functions, how))
        return form

    return register


ModuleForm = Callable[..., Tensor | None]
MODULES: dict[type[nn.Module], ModuleForm] = {}


def module_form(kind: type[nn.Module], how: str) -> Callable[[ModuleForm], ModuleForm]:
    """Registers `form(lanes, layer, *args, **kwargs)`, called in place of the forward of layers of exactly this class.

    What it has no form for it returns None for: then the layer's own forward runs, function by function.
    """

    def register(form: ModuleForm) -> ModuleForm:
        MODULES[kind], HOW[kind] = form, how
        return form

    return register


@contextmanager
def whole_layers(module: nn.Module, lanes: LaneForms) -> Iterator[None]:
    """Meanwhile the layers in `module` that have a form for the whole of them run in it."""
    found = [part for part in module.modules() if type(part) in MODULES and "forward" not in vars(part)]
    for part in found:
        part.forward = partial(_whole, lanes, part)
    try:
        yield
    finally:
        for part in found:
            del part.forward


def _whole(lanes: LaneForms, part: nn.Module, *args: Any, **kwargs: Any) -> Any:
    out = MODULES[type(part)](lanes, part, *args, **kwargs)
    if out is None:
        return type(part).forward(part, *args, **kwargs)
    lanes.used(type(part))
    return out


class _Together(torch.autograd.Function):
    """Only a door: what torch.vmap does on meeting this is to call `vmap` with the tensors of all lanes."""

    @staticmethod
    def forward(*_: Any) -> Any:
        raise AssertionError("called outside torch.vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def vmap(info: Any, dims: Any, form: Form, _lane: Tensor, *tensors: Tensor | None) -> Any:
        """`form` on tensors that all have the lane axis first; its results have it too."""
        out = form(*(_lane_first(t, d, info.batch_size) for t, d in zip(tensors, dims[2:], strict=True)))
        return out, 0 if isinstance(out, Tensor) else tuple(0 for _ in out)


def _lane_first(tensor: Tensor | None, dim: int | None, lanes: int) -> Tensor | None:
    if tensor is None:
        return None
    return tensor.unsqueeze(0).expand(lanes, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


class LaneForms(CounterDropout):
    """While active inside `torch.vmap`, functions of torch that have a lane form use it; dropout draws from `key`.

    `used`: called with each function that is replaced.
    """

    def __init__(self, key: Tensor, used: Callable[[Any], None]) -> None:
        super().__init__(key)
        self.used = used

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        form = FORMS.get(func)
        if form is None:
            return super().__torch_function__(func, types, args, kwargs)
        self.used(func)
        return form(self, *args, **(kwargs or {}))

    def together(self, form: Form, *tensors: Tensor | None) -> Any:
        """`form` of the tensors with a leading lane axis each; what it returns is seen by the model as one lane's."""
        return _Together.apply(form, self.key, *tensors)  # type: ignore[no-untyped-call]
