# Made by `python -m slalom.testing.stubs` from the rules' declarations; do not edit.
# fmt: off
from typing import Literal

import torch
from torch import Tensor

from slalom.engines.optimizer import Params
from slalom.engines.optimizer import RuleOptimizer as RuleOptimizer
from slalom.engines.optimizer import optimizer_class as optimizer_class
from slalom.optim.ema import EMA as EMA
from slalom.optim.groups import decay_groups as decay_groups
from slalom.optim.penalties import L1 as L1
from slalom.optim.penalties import L2 as L2
from slalom.optim.penalties import ElasticNet as ElasticNet
from slalom.optim.wrappers import Accumulate as Accumulate
from slalom.optim.wrappers import Lookahead as Lookahead

class SGD(RuleOptimizer):
    """SGD: gradient descent, full-batch, mini-batch or stochastic, with momentum on request."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        momentum: float | Tensor = 0.0,
        dampening: float | Tensor = 0.0,
        weight_decay: float | Tensor = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: Literal[False, None] = None,
        differentiable: bool = False,
        fused: Literal[False, None] = None,
        decoupled_weight_decay: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Momentum(RuleOptimizer):
    """Momentum (heavy ball): the step follows a velocity that remembers past gradients."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        momentum: float | Tensor = 0.9,
        dampening: float | Tensor = 0.0,
        weight_decay: float | Tensor = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        maximize: bool = False,
        differentiable: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class NAG(RuleOptimizer):
    """Nesterov's accelerated gradient: momentum whose gradient is taken where the velocity is about to lead."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        momentum: float | Tensor = 0.9,
        weight_decay: float | Tensor = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        maximize: bool = False,
        differentiable: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Adagrad(RuleOptimizer):
    """Adagrad: each coordinate's step shrinks with the sum of its squared gradients so far."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.01,
        lr_decay: float | Tensor = 0.0,
        weight_decay: float | Tensor = 0.0,
        initial_accumulator_value: float | Tensor = 0.0,
        eps: float | Tensor = 1e-10,
        foreach: Literal[False, None] = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: Literal[False, None] = None,
        exponent: float | Tensor = 0.5,
        decoupled_weight_decay: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Adadelta(RuleOptimizer):
    """Adadelta: steps in the parameter's own units, the RMS of past steps over the RMS of gradients."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float | Tensor = 0.9,
        eps: float | Tensor = 1e-06,
        weight_decay: float | Tensor = 0.0,
        foreach: Literal[False, None] = None,
        *,
        capturable: Literal[False] = False,
        maximize: bool = False,
        differentiable: bool = False,
        decoupled_weight_decay: bool = False,
        correct_units: bool = True,
        lr_inside: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class WindowedAdadelta(RuleOptimizer):
    """Windowed Adadelta: Adagrad that sums the squares of the last few gradients instead of all of them."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.01,
        eps: float | Tensor = 1e-06,
        weight_decay: float | Tensor = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        w: int = 10,
        maximize: bool = False,
        differentiable: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class RMSprop(RuleOptimizer):
    """RMSprop: the gradient divided by a running root mean square of itself, or, centred, by its standard deviation."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.01,
        alpha: float | Tensor = 0.99,
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        momentum: float | Tensor = 0.0,
        centered: bool = False,
        capturable: Literal[False] = False,
        foreach: Literal[False, None] = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        initial_accumulator_value: float | Tensor = 0.0,
        decoupled_weight_decay: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Adam(RuleOptimizer):
    """Adam: steps scaled by running estimates of the gradient's first and second moments."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        amsgrad: bool = False,
        *,
        foreach: Literal[False, None] = None,
        maximize: bool = False,
        capturable: Literal[False] = False,
        differentiable: bool = False,
        fused: Literal[False, None] = None,
        decoupled_weight_decay: bool = False,
        bias_correction: bool = True,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Adamax(RuleOptimizer):
    """AdaMax: Adam whose second moment is the largest recent gradient, the limit of Lp-Adam for large p."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.002,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        foreach: Literal[False, None] = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: Literal[False] = False,
        decoupled_weight_decay: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class LpAdam(RuleOptimizer):
    """Lp-Adam: Adam that divides by a running Lp norm of the gradient; p = 2 is Adam with b2 squared, p to infinity AdaMax."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        p: float | Tensor = 4.0,
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class AdamW(RuleOptimizer):
    """AdamW: Adam whose decay shrinks the weights themselves and stays out of the gradient and its moments."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: Literal[False, None] = None,
        capturable: Literal[False] = False,
        differentiable: bool = False,
        fused: Literal[False, None] = None,
        schedule: float | Tensor = 1.0,
        decoupled_weight_decay: bool = True,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class NAdam(RuleOptimizer):
    """NAdam: Adam with Nesterov's look-ahead on the first moment, under a momentum that grows with the step."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.002,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        momentum_decay: float | Tensor = 0.004,
        decoupled_weight_decay: bool = False,
        *,
        foreach: Literal[False, None] = None,
        maximize: bool = False,
        capturable: Literal[False] = False,
        differentiable: bool = False,
        convention: Literal["torch", "paper", "tf"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class RAdam(RuleOptimizer):
    """RAdam: Adam that goes without the second moment until enough steps have made its variance finite."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float | Tensor = 1e-08,
        weight_decay: float | Tensor = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: Literal[False, None] = None,
        maximize: bool = False,
        capturable: Literal[False] = False,
        differentiable: bool = False,
        convention: Literal["torch", "paper"] = 'torch',
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

class Lion(RuleOptimizer):
    """Lion: the sign of a blend of momentum and gradient, so that every coordinate moves by the same amount."""
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 0.0001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
        weight_decay: float | Tensor = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        maximize: bool = False,
        differentiable: bool = False,
        clip_grad_norm: float | None = None,
        state_dtype: torch.dtype | None = None,
        stochastic_rounding: bool = False,
        sparse: Literal["lazy", "dense-equivalent"] | None = None,
    ) -> None: ...

__all__ = [
    "EMA",
    "L1",
    "L2",
    "NAG",
    "SGD",
    "Accumulate",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ElasticNet",
    "Lion",
    "Lookahead",
    "LpAdam",
    "Momentum",
    "NAdam",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "WindowedAdadelta",
    "decay_groups",
    "optimizer_class",
]
