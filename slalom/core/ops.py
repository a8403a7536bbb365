"""The elementwise language of rules: the same word for a Python float, a NumPy array and a torch tensor.

A rule may use arithmetic, `**` and these words. On floats and arrays they run in double precision, which is how
what depends on hypers and step alone is computed once on the host; on tensors they are torch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Value = Any  # float, numpy array or tensor


def _is_tensor(*values: Value) -> bool:
    return any(isinstance(v, torch.Tensor) for v in values)


def sqrt(x: Value) -> Value:
    """Square root."""
    return torch.sqrt(x) if _is_tensor(x) else np.sqrt(x)


def exp(x: Value) -> Value:
    """Exponential."""
    return torch.exp(x) if _is_tensor(x) else np.exp(x)


def log(x: Value) -> Value:
    """Natural logarithm; a word of surfaces (`slalom.landscape`), which the printers of rules do not speak."""
    return torch.log(x) if _is_tensor(x) else np.log(x)


def cos(x: Value) -> Value:
    """Cosine; a word of surfaces."""
    return torch.cos(x) if _is_tensor(x) else np.cos(x)


def sin(x: Value) -> Value:
    """Sine; a word of surfaces."""
    return torch.sin(x) if _is_tensor(x) else np.sin(x)


def absolute(x: Value) -> Value:
    """Absolute value."""
    return torch.abs(x) if _is_tensor(x) else np.abs(x)


def sign(x: Value) -> Value:
    """-1, 0 or 1; NaN stays NaN (torch.sign makes it 0, and a broken gradient would go unnoticed)."""
    return torch.where(torch.isnan(x), x, torch.sign(x)) if _is_tensor(x) else np.sign(x)


def maximum(a: Value, b: Value) -> Value:
    """The larger of the two, element by element; NaN wins."""
    return _pair(torch.maximum, np.maximum, a, b)


def minimum(a: Value, b: Value) -> Value:
    """The smaller of the two, element by element; NaN wins."""
    return _pair(torch.minimum, np.minimum, a, b)


def where(condition: Value, yes: Value, no: Value) -> Value:
    """`yes` where the condition holds, else `no`; Python's own choice when the condition is a bool."""
    if isinstance(condition, bool | np.bool_):
        return yes if condition else no
    if not _is_tensor(condition, yes, no):
        return np.where(condition, yes, no)
    like = next((v for v in (yes, no) if isinstance(v, torch.Tensor) and v.dim() > 0), None)
    if like is None:
        like = next(v for v in (yes, no, condition) if isinstance(v, torch.Tensor))
        like = like if like.is_floating_point() else like.double()
    return torch.where(torch.as_tensor(condition, device=like.device), _as(yes, like), _as(no, like))


def push(window: Value, value: Value) -> Value:
    """The window with its oldest entry dropped and `value` as the newest: `[w, ...]` and `[...]` make `[w, ...]`.

    Not elementwise: a rule with a windowed state stays on the torch path.
    """
    if _is_tensor(window):
        return torch.cat([window[1:], value.unsqueeze(0)])
    return np.concatenate([window[1:], np.asarray(value)[None]])


def total(window: Value) -> Value:
    """The sum over a window's entries: `[w, ...]` makes `[...]`."""
    return window.sum(0)


def _as(value: Value, like: torch.Tensor) -> torch.Tensor:
    # torch.where, maximum and minimum promote a 0-d float64 coefficient above a float32 parameter; arithmetic does not.
    if isinstance(value, torch.Tensor):
        return value.to(like.dtype) if value.dim() == 0 else value
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _pair(torch_op: Any, numpy_op: Any, a: Value, b: Value) -> Value:
    if not _is_tensor(a, b):
        return numpy_op(a, b)
    like = next((v for v in (a, b) if isinstance(v, torch.Tensor) and v.dim() > 0), None)
    if like is None:
        like = a if isinstance(a, torch.Tensor) else b
    return torch_op(_as(a, like), _as(b, like))
