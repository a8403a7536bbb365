"""L1, L2 and elastic-net penalties for any optimizer, with exact zeros where they belong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.core.penalty import Method, Penalty
from slalom.engines.proximal import moves, rule_of
from slalom.engines.response import Response
from slalom.engines.sharded import is_spread
from slalom.optim.wrappers.base import Wrapper


class _Attachable(Penalty):
    def attach(self, optimizer: torch.optim.Optimizer, model: nn.Module) -> Attached:
        """Penalises the model's weights at every step of the optimizer from now on; see `Attached`."""
        return Attached(self, optimizer, model)


class L1(_Attachable):
    """`strength * sum |w|` (lasso); with `method="proximal"` weights become exactly 0, with "subgradient" they do not.

    Proximal: after each step every weight is soft-thresholded, by `strength` times the distance that this step of the
    optimizer's rule moves that coordinate for an extra gradient of 1 (`slalom.engines.response`): lr for SGD, growing to
    lr / (1 - momentum) with momentum, lr / (sqrt(v) + eps) for Adam, so that the penalised problem is what is solved
    whatever the rule. Rules without such a step (Lion), and optimizers that are neither ours nor torch's twins of ours, are
    refused.

    `params`: names or patterns; None: all but biases, norms and PReLU slopes. scikit-learn's `Lasso(alpha)` has half the mean
    squared error, so under `mse_loss` its alpha is strength / 2. torch and Keras have the subgradient alone.
    Source: Tibshirani 1996; Daubechies, Defrise & De Mol 2004 (ISTA); Yun, Lozano & Yang 2020 (ProxGen).

    >>> net = nn.Linear(4, 1)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> attached = L1(20.0).attach(optimizer, net)
    >>> net(torch.ones(1, 4)).sum().backward()
    >>> optimizer.step()
    >>> int((net.weight == 0).sum())
    4
    """

    def __init__(self, strength: float, method: Method = "proximal", params: Sequence[str] | None = None) -> None:
        super().__init__(l1=strength, method=method, params=params)


class L2(_Attachable):
    """`strength / 2 * sum w**2` (ridge), as part of the gradient: what `weight_decay` is to SGD and Adam, on named parameters.

    `params`: names or patterns; None: all but biases, norms and PReLU slopes. scikit-learn's `Ridge(alpha)` sums squared errors
    over n samples, so under `mse_loss` its alpha is n strength / 2. For decoupled decay see AdamW and `decay_groups`.
    Source: Hoerl & Kennard 1970.

    >>> L2(0.1)(nn.Linear(3, 1)).dim()
    0
    """

    def __init__(self, strength: float, params: Sequence[str] | None = None) -> None:
        super().__init__(l2=strength, params=params)


class ElasticNet(_Attachable):
    """`l1 * sum |w| + l2 / 2 * sum w**2`: exact zeros, but twins among the features are kept together.

    scikit-learn's `ElasticNet(alpha, l1_ratio)` is, under `mse_loss`, `l1 = 2 alpha l1_ratio`, `l2 = 2 alpha (1 - l1_ratio)`.
    Source: Zou & Hastie 2005.

    >>> ElasticNet(0.1, 0.2).thresholds
    True
    """

    def __init__(self, l1: float, l2: float, method: Method = "proximal", params: Sequence[str] | None = None) -> None:
        super().__init__(l1=l1, l2=l2, method=method, params=params)


class Attached:
    """A penalty at work; `remove()` ends it, `state_dict()` is what a resumed run needs beside the optimizer's.

    The gradient's part is added to `p.grad` right before a step (after GradScaler's and your own `clip_grad_norm_`, so it is not
    clipped), or after the closure where one is given; it is scaled as the gradients are. The optimizer of a wrapper
    (`Lookahead`, `Accumulate`) is the one that is followed; a Lookahead's averages are small where its fast weights are 0.
    Proximal: refused with `clip_grad_norm=`, whose factor is known only after the step. It costs one run of the rule in torch
    a step. Steps that a GradScaler leaves out shrink nothing.
    """

    def __init__(self, penalty: Penalty, optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
        while isinstance(optimizer, Wrapper):
            optimizer = optimizer.optimizer
        self.penalty, self.optimizer = penalty, optimizer
        self._params = penalty.chosen(model)
        held = {p for group in optimizer.param_groups for p in group["params"]}
        missing = [name for name, p in self._params.items() if p not in held]
        if missing:
            raise BadValueError(f"penalty: the optimizer does not step {', '.join(missing)}; give it the model's parameters")
        if penalty.thresholds:
            rule_of(optimizer)
            self._refuse_clipping()
            spread = [name for name, p in self._params.items() if is_spread(p)]
            if spread:
                raise BadValueError(f"penalty: {spread[0]} is spread over processes (DTensor); give method='subgradient'")
        self._responses = {name: Response() for name in self._params}
        self._moves: dict[str, Tensor] = {}
        self._hooks = [optimizer.register_step_pre_hook(self._before), optimizer.register_step_post_hook(self._after)]

    def remove(self) -> None:
        """Ends it; weights stay as they are."""
        for hook in self._hooks:
            hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """What is remembered of momenta, by parameter and state."""
        return {"tangents": {name: r.state_dict() for name, r in self._responses.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict()`."""
        told = state["tangents"]
        if set(told) != set(self._params):
            raise BadValueError(f"penalty: the state is of {', '.join(told)}, this one's of {', '.join(self._params)}")
        for name, response in self._responses.items():
            response.load_state_dict(told[name])

    def _refuse_clipping(self) -> None:
        if any(group.get("clip_grad_norm") not in (None, float("inf")) for group in self.optimizer.param_groups):
            raise BadValueError(
                "penalty: clip_grad_norm is known only after the step, so a proximal penalty cannot follow it; clip with "
                "torch.nn.utils.clip_grad_norm_ before the step, or give method='subgradient'"
            )

    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        args = args[1:] if args and args[0] is optimizer else args  # torch hands its hooks the optimizer among them
        closure = kwargs.get("closure", args[0] if args else None)
        if closure is None:
            self._gradients()
            return None
        wrapped = self._wrapped(closure)
        kwargs = {k: v for k, v in kwargs.items() if k != "closure"}
        return (optimizer, wrapped), kwargs

    def _wrapped(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def penalised() -> Any:
            loss = closure()
            self._gradients()
            return loss

        return penalised

    @torch.no_grad()
    def _gradients(self) -> None:
        optimizer: Any = self.optimizer
        self._moves = {}
        found_inf, scale = getattr(optimizer, "found_inf", None), getattr(optimizer, "grad_scale", None)
        if found_inf is not None and float(found_inf):
            return
        factor = 1.0 if scale is None else float(scale)
        names = {p: name for name, p in self._params.items()}
        if self.penalty.thresholds:
            self._refuse_clipping()
        for group in self.optimizer.param_groups:
            sign = -1.0 if group.get("maximize") else 1.0
            for p in group["params"]:
                if p not in names or p.grad is None:
                    continue
                extra = self.penalty.gradient(p)
                if extra is not None:
                    p.grad.add_(extra, alpha=sign * factor)
                if self.penalty.thresholds:
                    g = p.grad * (sign / factor)
                    self._moves[names[p]] = moves(self.optimizer, group, p, g, self._responses[names[p]], names[p])

    @torch.no_grad()
    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for name, moved in self._moves.items():
            self.penalty.shrink(self._params[name], moved.to(self._params[name].dtype) if moved.dim() else moved)
        self._moves = {}
