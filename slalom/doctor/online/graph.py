"""What the autograd graph of a loss says of the outputs that it was given: the last steps before it, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

LOSSES = ("NllLoss", "BinaryCrossEntropyWithLogits", "BinaryCrossEntropy", "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
DISTANCES = ("MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
LINEAR = ("Addmm", "Mm", "Bmm", "Addbmm", "Convolution", "Linear", "MkldnnLinear", "Softmax")  # none makes log-probabilities
PASSING = (
    "View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze", "Unsqueeze", "T", "Transpose", "Permute", "Clone", "ToCopy",
    "Alias", "Select", "Slice", "AsStrided", "Contiguous",
)  # fmt: skip
DEPTH, WIDE = 8, 4  # steps back from the loss to where its function is looked for, and branches of each


def mismatch(loss: Tensor) -> str | None:
    """What does not fit, in words; None where nothing is seen. Reads names of the graph's nodes alone, never its tensors.

    >>> import torch
    >>> scores = torch.randn(4, 3, requires_grad=True)
    >>> y = torch.tensor([0, 1, 2, 0])
    >>> mismatch(torch.nn.functional.cross_entropy(scores.softmax(1), y))
    'softmax at the output, and the loss applies softmax itself'
    >>> mismatch(torch.nn.functional.cross_entropy(scores, y)) is None
    True
    """
    for node in _losses(loss.grad_fn, DEPTH):
        said = _judged(_name(node), node)
        if said is not None:
            return said
    return None


def _losses(node: Any, depth: int) -> Iterator[Any]:
    if node is None or depth == 0:
        return
    if _name(node) in LOSSES:
        yield node
        return
    for parent in _parents(node)[:WIDE]:
        yield from _losses(parent, depth - 1)


def _judged(name: str, node: Any) -> str | None:
    before = _before(node)
    made = "" if before is None else _name(before)
    if name == "NllLoss":
        if made in LINEAR:
            return "the loss takes log-probabilities, and the outputs are " + ("probabilities" if made == "Softmax" else "scores")
        inner = _before(before) if made == "LogSoftmax" else None
        said = "" if inner is None else _name(inner)
        if said in ("Softmax", "Sigmoid"):
            return f"{said.lower()} at the output, and the loss applies softmax itself"
    if name == "BinaryCrossEntropyWithLogits" and made in ("Sigmoid", "Softmax"):
        return f"{made.lower()} at the output, and the loss applies a sigmoid itself"
    if name == "BinaryCrossEntropy" and made in ("Addmm", "Mm", "Linear", "MkldnnLinear"):
        return "the loss takes probabilities, and the outputs are scores"
    if name in DISTANCES and made == "Expand":
        size: list[Any] = list(getattr(before, "_saved_self_sym_sizes", None) or ())
        if len(size) > 1 and int(size[-1]) == 1 and int(size[0]) > 1:
            return "outputs of one column are broadcast against targets of another shape"
    return None


def _before(node: Any) -> Any:
    """The node that made the loss's first argument, whatever only reshapes it left out."""
    parents = _parents(node)
    found = parents[0] if parents else None
    while found is not None and _name(found) in PASSING and _parents(found):
        found = _parents(found)[0]
    return found


def _parents(node: Any) -> list[Any]:
    return [parent for parent, _ in node.next_functions if parent is not None]


def _name(node: Any) -> str:
    """`LogSoftmax` of `LogSoftmaxBackward0`; losses of images go by the same name."""
    name: str = str(node.name()).rsplit("Backward", 1)[0]
    return {"NllLoss2D": "NllLoss"}.get(name, name)
