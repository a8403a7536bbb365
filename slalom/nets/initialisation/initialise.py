"""Weights that keep the variance of signals, or of gradients, from layer to layer, for any activation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from slalom.core.checks import nn_module
from slalom.core.errors import BadValueError, unknown_name
from slalom.nets.activations import Maxout
from slalom.nets.initialisation.calibrate import calibrate
from slalom.nets.initialisation.draw import draw
from slalom.nets.initialisation.feeds import PLAIN, Feed, feeds, layers, weights_of

METHODS = {
    "fan_in": "normal weights of variance gain^2 / inputs: signals keep their variance (He et al. 2015, arXiv:1502.01852)",
    "fan_out": "normal weights of variance gain^2 / outputs: gradients keep theirs (the same, equation 14)",
    "orthogonal": "orthogonal weights times the gain (Saxe et al. 2014, arXiv:1312.6120)",
    "lsuv": "orthogonal, then each layer scaled to variance 1 on a batch (Mishkin & Matas 2016, arXiv:1511.06422)",
}
UNSTABLE = 1.0005  # growth of a deviation a layer from which depth alone makes signals run off (ReLU: exactly 1)
SAMPLES = 512


@dataclass(frozen=True)
class LayerReport:
    """One layer: what feeds it, its gain, the standard deviation of its weights, centred or not, the calibration's factor."""

    name: str
    fed_by: str
    gain: float
    std: float
    centred: bool
    factor: float


@dataclass(frozen=True)
class Initialised:
    """What `initialise` did, layer by layer; `left` names modules with weights that it does not know and left alone."""

    method: str
    layers: tuple[LayerReport, ...]
    left: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[LayerReport]:
        return iter(self.layers)

    def __str__(self) -> str:
        width = max(5, *(len(r.name) for r in self.layers))
        lines = [f"{'layer':{width}}  fed by        gain     std"]
        for r in self.layers:
            notes = "  centred" * r.centred + (f"  scaled by {r.factor:.3f}" if r.factor != 1 else "")
            lines.append(f"{r.name:{width}}  {r.fed_by:10}  {r.gain:6.4f}  {r.std:.4f}{notes}")
        lines += [f"left as they were: {', '.join(self.left)}"] * bool(self.left)
        return "\n".join(lines)


def initialise(
    model: nn.Module,
    method: Literal["fan_in", "fan_out", "orthogonal", "lsuv"] = "fan_in",
    activation: str | nn.Module = "auto",
    *,
    x: torch.Tensor | None = None,
    centre: bool = True,
    calibrated: bool | Literal["auto"] = "auto",
    seed: int | None = None,
) -> Initialised:
    """Draws the weights of all linear, convolution and Maxout layers anew, in place, and sets their biases to 0.

    A layer's gain belongs to the activation that feeds it: `"auto"` finds it by tracing the forward pass; a name of the catalogue
    or an elementwise module says it for all layers but the first. Gains are computed for every function by quadrature
    (`slalom.nets.moments`); inputs are taken to have mean 0 and variance 1.

    - `method`: `fan_in`, `fan_out`, `orthogonal` or `lsuv` (`METHODS`).
    - `centre`: rows of weights that sum to 0 where the activation's mean is not 0 and a unit has at least 16 inputs, with the
      gain that then keeps the variance over the data (Brock et al. 2021, arXiv:2101.08692, section 3.2, at the start only).
      Without it the second moment is kept, as He et al. do, while inputs grow alike with depth: after 30 ReLU layers 2 to 3 % of
      the variance is left. Not for `fan_out`.
    - `calibrated`: scale each layer to variance 1 on `x`, or on standard normal inputs where the first layer is linear. `"auto"`
      does so for `lsuv`, and for `fan_in` and `orthogonal` where an activation amplifies deviations (SiLU, GELU, Mish, softplus).
    - `x`: a batch `[batch, ...]` for the calibration. `seed`: of the draw; None takes torch's global generator.

    Returns what was done, layer by layer. Errors: `UnknownNameError`, `BadValueError` for a model without such layers, or one
    that cannot be traced. torch's `calculate_gain` raises for ELU, GELU, SiLU and PReLU, and says 1 for sigmoid, 5/3 for tanh.

    >>> net = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))
    >>> print(initialise(net, calibrated=False, seed=0))
    layer  fed by        gain     std
    0      input       1.0000  0.1250
    2      GELU        1.7009  0.2126  centred
    """
    if method not in METHODS:
        raise unknown_name("method of initialise", method, METHODS)
    chosen = layers(nn_module(model, "initialise: model"))
    if not chosen:
        raise BadValueError(f"initialise: {type(model).__name__} has no linear, convolution or Maxout layer")
    fed = feeds(model, None if isinstance(activation, str) and activation == "auto" else activation)
    generator = None if seed is None else torch.Generator(next(model.parameters()).device).manual_seed(seed)
    reports: dict[str, LayerReport] = {}
    with torch.no_grad():
        for name, layer in chosen.items():
            feed = fed.get(name, Feed("unused", PLAIN))
            pieces = layer.pieces if isinstance(layer, Maxout) else 1
            for weight, bias in weights_of(layer):
                drawn = draw(weight, layer, feed, method, centre, generator, pieces)
                if bias is not None:
                    bias.zero_()
            reports[name] = LayerReport(name, feed.name, drawn.gain, drawn.std, drawn.centred, 1.0)
    if _wanted(method, calibrated, fed, {n: r.centred for n, r in reports.items()}):
        batch = _batch(chosen, fed, x, must=method == "lsuv" or calibrated is True)
        if batch is not None:
            for name, factor in calibrate(model, chosen, batch).items():
                old = reports[name]
                reports[name] = LayerReport(name, old.fed_by, old.gain, old.std * factor, old.centred, factor)
    known = {id(p) for layer in chosen.values() for pair in weights_of(layer) for p in pair if p is not None}
    left = [n for n, m in model.named_modules() if any(p.dim() > 1 and id(p) not in known for p in m.parameters(recurse=False))]
    return Initialised(method, tuple(reports.values()), tuple(left))


def _wanted(method: str, calibrated: bool | str, fed: dict[str, Feed], centred: dict[str, bool]) -> bool:
    if calibrated != "auto":
        return bool(calibrated)
    if method in ("fan_in", "orthogonal"):
        return any((f.moments.centred_growth if centred[n] else f.moments.growth) > UNSTABLE for n, f in fed.items())
    return method == "lsuv"


def _batch(chosen: dict[str, nn.Module], fed: dict[str, Feed], x: torch.Tensor | None, must: bool) -> torch.Tensor | None:
    if x is not None:
        return x
    first = chosen[next(iter(fed), next(iter(chosen)))]
    inner = first.linear if isinstance(first, Maxout) else first
    if isinstance(inner, nn.Linear):
        weight = inner.weight
        own = torch.Generator().manual_seed(0x5EED_BA7C4)  # not a seed that the weights may have been drawn from
        drawn = torch.randn(SAMPLES, inner.in_features, generator=own)
        return drawn.to(weight.device, weight.dtype)
    if must:
        raise BadValueError(
            "initialise: give x, a batch of inputs, to scale the layers of this model by; its first layer is no linear one"
        )
    return None
