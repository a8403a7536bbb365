"""What Slalom asks of torch's inside, where torch has no public name for it: looked up here, once, and nowhere else.

A torch that has renamed one of these is still stepped right: `traced` and `wrapped` have second ways to find out, and where
none is left, `traced` says yes, which is the eager path, and warns.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def _found(*paths: str) -> Any:
    """What lies under the first of these names that torch has, or None."""
    for path in paths:
        value: Any = torch
        for name in path.split("."):
            value = getattr(value, name, None)
        if value is not None:
            return value
    return None


_transform = _found("_C._functorch.peek_interpreter_stack", "_C._functorch.maybe_current_level")  # None outside of any
_modes = _found("_C._len_torch_dispatch_stack")
_mode = _found("utils._python_dispatch._get_current_dispatch_mode")  # the same question, asked less directly
_wrapped = _found("_C._functorch.is_functorch_wrapped_tensor")

# For slalom.engines.watch, which does without where there is none: what torch made for its own compiler, and a tensor's keys.
tensor_address = _found("_C._dynamo.guards._torchinductor_pyobject_tensor_data_ptr")
dispatch_keys = _found("_C._dispatch_keys")

# Within it, subclasses of tensors are plain tensors to torch's functions; torch's guide on subclasses names it.
plain_functions: Any = torch._C.DisableTorchFunctionSubclass

# What wraps torch's own steps, for slalom.engines.hooks, and what tells whether it has anything to do.
profile_hook_step = _found("optim.Optimizer.profile_hook_step")
profiling = _found("_C._autograd._profiler_enabled")
_home = sys.modules.get(torch.optim.Optimizer.__module__)  # which `torch.optim` does not name
hooks_before: Any = getattr(_home, "_global_optimizer_pre_hooks", None)
hooks_after: Any = getattr(_home, "_global_optimizer_post_hooks", None)

_norms = _found("_foreach_norm")
_differences = _found("_foreach_sub")

KNOWN = _transform is not None and (_modes is not None or _mode is not None)
if not KNOWN:
    warnings.warn(
        f"torch {torch.__version__} does not say whether a transform or a dispatch mode is active in a way that Slalom knows; "
        "slalom.optim steps without compiled code, several times slower",
        RuntimeWarning,
        stacklevel=2,
    )


def traced() -> bool:
    """Whether tensors are not what they seem just now: under torch.func transforms or a dispatch mode."""
    if not KNOWN:
        return True
    return _transform() is not None or (_modes() > 0 if _modes is not None else _mode() is not None)


def wrapped(x: torch.Tensor) -> bool:
    """Whether a tensor stands for another under a torch.func transform, perhaps one that is over."""
    if _wrapped is not None:
        return bool(_wrapped(x))
    try:
        x.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return True
    return False


def _not_compiled() -> Any:
    try:
        from torch._compile import _disable_dynamo
    except ImportError:
        return torch.compiler.disable  # loads the whole compiler: seconds at import
    return _disable_dynamo


not_compiled: Callable[[F], F] = _not_compiled()  # a decorator: torch.compile leaves the function to Python


def norms(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """The norm of each tensor, in few calls where torch has such.

    >>> [float(n) for n in norms([torch.ones(4), torch.zeros(2)])]
    [2.0, 0.0]
    """
    return list(_norms(tensors)) if _norms is not None else [t.norm() for t in tensors]


def differences(left: list[torch.Tensor], right: list[torch.Tensor]) -> list[torch.Tensor]:
    """Each tensor of `left` less its fellow of `right`.

    >>> differences([torch.ones(2)], [torch.ones(2)])
    [tensor([0., 0.])]
    """
    if _differences is not None:
        return list(_differences(left, right))
    return [a - b for a, b in zip(left, right, strict=True)]
