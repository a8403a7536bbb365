"""The activations, each written down once: module, formula, derivative, range, where it saturates, pitfalls.

Numbers that follow from the function (mean, gains, range of the derivative) are computed by `moments`, never typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from slalom.core.errors import unknown_name
from slalom.nets.activations.layers import Maxout, Swish


@dataclass(frozen=True)
class Activation:
    """What is known of an activation function.

    `make`: a new module. `doc`: one line. `formula`, `derivative`: LaTeX, of x. `range`: of the values. `saturates`: the side on
    which the slope dies out ("left", "right", "both", "nowhere"). `monotone`: whether it never falls. `pitfalls`: what people
    run into. `source`: where it is from.
    """

    make: Callable[[], nn.Module]
    doc: str
    formula: str
    derivative: str
    range: str
    saturates: str
    monotone: bool = True
    pitfalls: str = ""
    source: str = ""


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(
        nn.Identity, "x: layers collapse into one linear map", "x", "1", "(-inf, inf)", "nowhere",
        pitfalls="a network of linear layers alone is one linear layer; slalom.nets.fold_linear shows it",
    ),
    "sigmoid": Activation(
        nn.Sigmoid, "1 / (1 + exp(-x)), in (0, 1)", r"\sigma(x) = \frac{1}{1 + e^{-x}}", r"\sigma(x)\,(1 - \sigma(x))",
        "(0, 1)", "both",
        pitfalls="its slope is at most 1/4: gradients shrink toward the input; its mean is not 0; torch's calculate_gain says 1",
        source="Rumelhart, Hinton & Williams 1986",
    ),
    "tanh": Activation(
        nn.Tanh, "hyperbolic tangent, in (-1, 1)", r"\tanh(x)", r"1 - \tanh^2(x)", "(-1, 1)", "both",
        pitfalls="saturates for large inputs; torch's calculate_gain says 5/3, which does not keep the variance",
        source="LeCun et al. 1998, Efficient BackProp",
    ),
    "relu": Activation(
        nn.ReLU, "max(0, x)", r"\max(0, x)", r"1\ (x > 0),\ 0\ (x \le 0)", "[0, inf)", "left",
        pitfalls="a unit that is off for all data gets no gradient and stays off; high learning rates cause it",
        source="Nair & Hinton 2010; Glorot, Bordes & Bengio 2011",
    ),
    "leaky_relu": Activation(
        nn.LeakyReLU, "x, or 0.01 x below 0", r"\max(x,\ 0.01\,x)", r"1\ (x > 0),\ 0.01\ (x \le 0)", "(-inf, inf)", "nowhere",
        pitfalls="in place with a negative slope below 0, backward raises", source="Maas, Hannun & Ng 2013",
    ),
    "prelu": Activation(
        nn.PReLU, "x, or a x below 0 with one trained slope a layer, 0.25 at first", r"\max(0, x) + a\min(0, x)",
        r"1\ (x > 0),\ a\ (x \le 0)", "(-inf, inf)", "nowhere",
        pitfalls="weight decay pulls the slope to 0 (slalom.optim.decay_groups spares it); on the CPU its backward is slow",
        source="He et al. 2015, arXiv:1502.01852",
    ),
    "elu": Activation(
        nn.ELU, "x, or exp(x) - 1 below 0", r"x\ (x > 0),\ \alpha\,(e^x - 1)\ (x \le 0)", r"1\ (x > 0),\ \alpha\,e^x\ (x \le 0)",
        "(-1, inf)", "left",
        pitfalls="as where(x > 0, x, exp(x) - 1) its gradient is NaN for large x; its mean is nearer 0 than ReLU's, not 0",
        source="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
    ),
    "selu": Activation(
        nn.SELU, "a scaled ELU whose mean 0 and variance 1 reproduce themselves",
        r"\lambda x\ (x > 0),\ \lambda\alpha\,(e^x - 1)\ (x \le 0)", r"\lambda\ (x > 0),\ \lambda\alpha\,e^x\ (x \le 0)",
        "(-1.7581, inf)", "left",
        pitfalls="needs weights of variance 1 / fan_in (gain 1; torch's calculate_gain says 3/4), and AlphaDropout",
        source="Klambauer et al. 2017, arXiv:1706.02515",
    ),
    "gelu": Activation(
        nn.GELU, "x times the normal distribution's P(X < x)", r"x\,\Phi(x)", r"\Phi(x) + x\,\varphi(x)", "[-0.17, inf)", "left",
        monotone=False,
        pitfalls="differs from the tanh form by up to 4.7e-4: say which when models change hands; in float32 it is -0 below -8",
        source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    ),
    "gelu_tanh": Activation(
        lambda: nn.GELU(approximate="tanh"), "GELU by its tanh approximation, as BERT and GPT-2 have it",
        r"\tfrac{x}{2}\left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)",
        r"\tfrac{1 + \tanh u}{2} + \tfrac{x}{2}(1 - \tanh^2 u)\,u',\ u = \sqrt{2/\pi}(x + 0.044715 x^3)", "[-0.17, inf)", "left",
        monotone=False, pitfalls="on the CPU slower than the exact form, not faster",
        source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    ),
    "silu": Activation(
        nn.SiLU, "x sigmoid(x)", r"x\,\sigma(x)", r"\sigma(x) + x\,\sigma(x)(1 - \sigma(x))", "[-0.2785, inf)", "left",
        monotone=False,
        pitfalls="in deep networks without normalisation it amplifies whatever deviates: initialise by lsuv",
        source="Elfwing, Uchibe & Doya 2017, arXiv:1702.03118",
    ),
    "swish": Activation(
        nn.SiLU, "silu by its other name (beta 1)", r"x\,\sigma(\beta x)",
        r"\sigma(\beta x) + \beta x\,\sigma(\beta x)(1 - \sigma(\beta x))",
        "[-0.2785, inf)", "left", monotone=False, pitfalls="as silu",
        source="Ramachandran, Zoph & Le 2017, arXiv:1710.05941",
    ),
    "swish_trainable": Activation(
        lambda: Swish(1.0, trainable=True), "x sigmoid(beta x) with one trained beta a layer, 1 at first", r"x\,\sigma(\beta x)",
        r"\sigma(\beta x) + \beta x\,\sigma(\beta x)(1 - \sigma(\beta x))", "[-0.2785, inf)", "left", monotone=False,
        pitfalls="spare beta the weight decay (slalom.optim.decay_groups)",
        source="Ramachandran, Zoph & Le 2017, arXiv:1710.05941",
    ),
    "mish": Activation(
        nn.Mish, "x tanh(softplus(x))", r"x\,\tanh(\ln(1 + e^x))", r"\tanh s + x\,(1 - \tanh^2 s)\,\sigma(x),\ s = \ln(1 + e^x)",
        "[-0.3088, inf)", "left", monotone=False, pitfalls="dearer than SiLU, which it resembles",
        source="Misra 2019, arXiv:1908.08681",
    ),
    "softplus": Activation(
        nn.Softplus, "ln(1 + exp(x)), a smooth ReLU", r"\ln(1 + e^x)", r"\sigma(x)", "(0, inf)", "left",
        pitfalls="its mean is .81 for standard normal inputs: layers after it want centred weights", source="Dugas et al. 2000",
    ),
}  # fmt: skip

# Maxout stands for a layer and its activation together, so builders of layers know it by name.
MAXOUT = "maxout"
MAXOUT_ENTRY = Activation(
    lambda: Maxout(1, 1), "the largest of k linear maps; ReLU is its case with one map 0", r"\max_{j \le k}(w_j^\top x + b_j)",
    r"w_{j^*},\ j^* = \arg\max_j", "(-inf, inf)", "nowhere", monotone=False,
    pitfalls="k times the weights; pieces that start equal stay equal under amax, which shares the gradient (here: max)",
    source="Goodfellow et al. 2013, arXiv:1302.4389",
)  # fmt: skip
NAMES = (*ACTIVATIONS, MAXOUT)


def activation(name: str) -> nn.Module:
    """A new module of that activation; `relu`, `leaky_relu`, `prelu`, `elu`, `gelu`, `silu`, `swish`, `tanh`, ...

    >>> activation("tanh")
    Tanh()
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name].make()


def entry(name: str) -> Activation:
    """What the catalogue says of a name, `maxout` too."""
    if name not in NAMES:
        raise unknown_name("activation", name, NAMES)
    return MAXOUT_ENTRY if name == MAXOUT else ACTIVATIONS[name]
