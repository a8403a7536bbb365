"""The names of torch's inside: with each of them gone, the step is still right, and never on memory that is not there."""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import slalom.optim
from slalom.engines import fused, fusible, inside


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def again() -> types.ModuleType:
    """The module anew, as it would be on a torch like the one there is now."""
    assert inside.__file__ is not None
    spec = importlib.util.spec_from_file_location("inside_again", inside.__file__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


GONE = {
    "nothing": [],
    "peek_interpreter_stack": [(torch._C._functorch, "peek_interpreter_stack")],
    "_len_torch_dispatch_stack": [(torch._C, "_len_torch_dispatch_stack")],
    "is_functorch_wrapped_tensor": [(torch._C._functorch, "is_functorch_wrapped_tensor")],
    "all of transforms": [(torch._C._functorch, n) for n in ("peek_interpreter_stack", "maybe_current_level")],
    "all of modes": [(torch._C, "_len_torch_dispatch_stack"), (torch.utils._python_dispatch, "_get_current_dispatch_mode")],
}
LOST = {"all of transforms", "all of modes"}


@pytest.mark.parametrize("gone", GONE)
def test_with_names_gone_it_is_still_known_or_the_eager_path_is_taken(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as torchs:
        for place, name in GONE[gone]:
            torchs.delattr(place, name)
        if gone in LOST:
            with pytest.warns(RuntimeWarning, match="several times slower"):
                made = again()
        else:
            made = again()
        # read before torch has its names back, as on such a torch
        assert made.traced() is (gone in LOST)
    assert made.KNOWN is (gone not in LOST)
    seen, kept = [], []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append((made.traced(), made.wrapped(x)))
        kept.append(x)
        return x

    torch.vmap(look)(torch.ones(2, 3))
    torch.func.grad(lambda x: look(x).sum())(torch.ones(2))
    assert seen == [(True, True)] * 2
    assert all(map(made.wrapped, kept)), "a wrapper that has outlived its transform"
    assert not made.wrapped(torch.ones(2))
    with Mode():
        assert made.traced()
    monkeypatch.setattr(fused, "traced", made.traced)
    monkeypatch.setattr(fusible, "wrapped", made.wrapped)
    p = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    optimizer = slalom.optim.SGD([p], lr=0.5)
    for _ in range(2):
        p.grad = torch.ones_like(p)
        optimizer.step()
    assert p.tolist() == [0.0, 1.0]
    tables = [t for plan in optimizer.__dict__.get("_plans", {}).values() for t in plan.tables]
    assert bool(tables) is (gone not in LOST)


def test_without_torchs_own_decorator_the_public_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch._compile", types.ModuleType("torch._compile"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = again()

    @made.not_compiled
    def count(x: torch.Tensor) -> int:
        return x.numel()

    assert count(torch.ones(3)) == 3
    assert made.not_compiled is torch.compiler.disable


def test_nothing_else_reaches_inside() -> None:
    import pathlib

    root = pathlib.Path(slalom.__file__).parent
    files = [f for f in root.rglob("*.py") if f.name != "inside.py" and "testing" not in f.parts]
    found = [str(f) for f in files if "torch._" in f.read_text().replace("torch.__", "")]
    assert not found
