"""A1, A5, A11, A13, C1: what is exact about activations, and one derivative."""

from __future__ import annotations

import torch
from torch import nn

from slalom import nets
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.tasks import spirals
from slalom.claims.lab.training import sweep, told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T


@experiment(
    Claim(
        "A1", T("Without activations a deep network is one linear layer.", "没有激活函数，深层网络就等于一个线性层。"), T(
        "Exact.", "精确结果。"),
        T("Six linear layers folded into one: outputs compared, float64. Then two spirals with identity and with ReLU, MLP "
        "of four layers of 32, Adam lr .01, 400 steps.",
          "把六个线性层折叠成一个并比较输出（float64）；再用恒等激活与 ReLU 的四层 32 宽 MLP 学双螺旋，Adam lr = 0.01，400 "
          "步。"),
        (below("folded", T("largest relative difference of the outputs", "输出的最大相对差"), 1e-12),
         below("identity", T("test accuracy on spirals with identity, %", "恒等激活在双螺旋上的测试准确率，%"), 70.0),
         control(above("relu", T("test accuracy on spirals with ReLU, %", "ReLU 在双螺旋上的测试准确率，%"), 85.0))),
        note=T("Digits cannot show it: a linear model does nearly as well there.", "手写数字显示不出来：线性模型在那里几乎一"
            "样好。"),
    )
)  # fmt: skip
def a1(plan: Plan) -> Outcome:
    torch.manual_seed(0)
    deep = nn.Sequential(*(nn.Linear(8, 8) for _ in range(6))).double()
    folded = nets.fold_linear(deep, torch.randn(64, 8, dtype=torch.float64))
    effects: dict[str, tuple[float, ...]] = {"folded": (folded.largest_difference,)}
    for act in ("identity", "relu"):
        effects[act] = told(100 * sweep(spirals(act=act, steps=400), "adam", [0.01], plan).accuracy[0])
    return Outcome(effects)


@experiment(
    Claim(
        "A5", T("tanh cures the non-zero mean of the sigmoid, not its saturation.", "tanh 解决了 sigmoid 均值不为零的问题，但"
        "没有解决饱和。"), T("Exact.", "精确结果。"),
        T("Mean output for standard normal inputs by quadrature; then 30 tanh layers of width 100 whose weights are 3 times "
        "Xavier's: share of the last layer's inputs "
          "where the slope is below a twentieth.",
          "标准正态输入下的平均输出（数值积分）；再看 30 层宽 100 的 tanh，权重为 Xavier 的 3 倍：末层斜率低于二十分之一的输"
          "入所占比例。"),
        (below("mean", T("|mean| of tanh", "tanh 均值的绝对值"), 1e-12), control(above("sigmoid", T("mean of the sigmoid",
            "sigmoid 的均值"), 0.4)),
         above("saturated", T("share of saturated inputs, 3 x Xavier", "饱和输入的比例，3 倍 Xavier"), 0.3)),
    )
)  # fmt: skip
def a5(plan: Plan) -> Outcome:
    saturated = []
    for seed in plan.seeds:
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for _ in range(30):
            linear = nn.Linear(100, 100)
            nn.init.normal_(linear.weight, std=0.3)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.Tanh()]
        net = nn.Sequential(*layers)
        with nets.Monitor(net) as monitor, torch.no_grad():
            net(torch.randn(256, 100))
        saturated.append(float(list(monitor.units().values())[-1].saturated))
    means = [abs(nets.moments(f).mean) for f in (torch.tanh, torch.sigmoid)]
    return Outcome({"mean": (means[0],), "sigmoid": (means[1],), "saturated": tuple(saturated)})


@experiment(
    Claim(
        "A11", T("GELU makes representations sparse.", "GELU 有助于得到稀疏表示。"), T(
        "Doubtful: GELU is 0 at a single point.", "存疑：GELU 只在一个点上为 0。"),
        T("A million standard normal inputs: share of outputs that are exactly 0, and of those below .01 in size. Control: "
        "ReLU.",
          "一百万个标准正态输入：输出恰为 0 的比例，以及绝对值小于 0.01 的比例。对照：ReLU。"),
        (above("zeros", T("share of exact zeros, GELU", "精确零的比例，GELU"), 0.1),
         above("small", T("share below .01 in size, GELU minus ReLU", "绝对值小于 0.01 的比例，GELU 减 ReLU"), 0.0),
         control(above("relu", T("share of exact zeros, ReLU", "精确零的比例，ReLU"), 0.4))),
        erratum=T("Sparse is what ReLU's outputs are: half of them are exactly 0. GELU's never are but by rounding.",
            "稀疏的是 ReLU 的输出：一半恰为 0。GELU 的输出除舍入外从不为 0。"),
        prototype="fails", seeds=1, kind="exact",
    )
)  # fmt: skip
def a11(plan: Plan) -> Outcome:
    x = torch.randn(10**6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gelu, relu = nn.functional.gelu(x), torch.relu(x)
    small = [float((v.abs() < 0.01).double().mean()) for v in (gelu, relu)]
    return Outcome(
        {
            "zeros": (float((gelu == 0).double().mean()),),
            "small": (small[0] - small[1],),
            "relu": (float((relu == 0).double().mean()),),
        }
    )


@experiment(
    Claim(
        "A13", T("Maxout contains ReLU (w1 = b1 = 0), and its units do not die.", "Maxout 包含 ReLU（w1 = b1 = 0），且其单元"
        "不会死亡。"),
        T("Goodfellow et al. 2013.", "Goodfellow 等 2013。"),
        T("A Maxout layer with one piece at zero against Linear and ReLU. Random Maxout layers on 1000 inputs: share of unit "
        "and input pairs where no piece has a slope; share of "
          "pieces that no input uses.",
          "一片为零的 Maxout 层与 Linear 加 ReLU 比较；随机 Maxout 层在 1000 个输入上：没有任何一片有斜率的单元—输入对的比"
          "例，以及没有任何输入使用的片的比例。"),
        (below("equal", T("largest difference from ReLU", "与 ReLU 的最大差"), 1e-12),
         below("dead", T("share of unit and input pairs without a slope", "没有斜率的单元—输入对比例"), 1e-12)),
        note=T("Pieces can go unused: with a bias far off, one is never the largest.", "某些片可能闲置：偏置太偏时，它永远不"
            "是最大的一片。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def a13(plan: Plan) -> Outcome:
    torch.manual_seed(0)
    layer, linear = nets.Maxout(8, 16).double(), nn.Linear(8, 16).double()
    x = torch.randn(1000, 8, dtype=torch.float64)
    with torch.no_grad():
        layer.linear.weight.view(16, 2, 8)[:, 0] = 0
        layer.linear.bias.view(16, 2)[:, 0] = 0
        layer.linear.weight.view(16, 2, 8)[:, 1] = linear.weight
        layer.linear.bias.view(16, 2)[:, 1] = linear.bias
        equal = float((layer(x) - torch.relu(linear(x))).abs().max())
    fresh = nets.Maxout(8, 16).double()
    at = x.clone().requires_grad_()
    out = fresh(at)
    slopes = torch.stack([torch.autograd.grad(out[:, k].sum(), at, retain_graph=True)[0].abs().sum(1) for k in range(16)], 1)
    return Outcome({"equal": (equal,), "dead": (float((slopes == 0).double().mean()),)})


@experiment(
    Claim(
        "C1", T("(e^(x-1))' = e^(x-1); what is differentiable is continuous, but not conversely.", "(e^(x-1))' = e^(x-1)；可"
        "导必连续，反之不然。"), T("Exact; of one variable.", "精确结果；限一元函数。"),
        T("Autograd of e^(x-1) against itself and against a central difference at 101 points; |x| at 0: the two one-sided "
        "slopes, and the jump in value.",
          "在 101 个点上把 e^(x-1) 的自动微分与其自身及中心差分比较；|x| 在 0 处的两侧斜率与函数值跳变。"),
        (below("derivative", T("autograd against the function: largest difference", "自动微分与函数的最大差"), 1e-12),
         below("difference", T("autograd against central differences: largest difference", "自动微分与中心差分的最大差"),
             1e-7),
         within("gap", T("right minus left slope of |x| at 0", "|x| 在 0 处右导数减左导数"), 1e-9, 2.0), below("jump", T(
             "jump of |x| at 0", "|x| 在 0 处的跳变"), 1e-9)),
        erratum=T("The slopes at 0 differ by 2, so |x| has no derivative there; autograd returns 0, which is a choice.",
            "两侧斜率相差 2，故 |x| 在 0 处不可导；自动微分返回 0，只是一种约定。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def c1(plan: Plan) -> Outcome:
    x = torch.linspace(-3, 3, 101, dtype=torch.float64, requires_grad=True)
    y = torch.exp(x - 1)
    (slope,) = torch.autograd.grad(y.sum(), x)
    h = 1e-5
    central = (torch.exp(x + h - 1) - torch.exp(x - h - 1)) / (2 * h)
    e = 1e-10
    gap = (abs(e) - 0) / e - (0 - abs(-e)) / e
    return Outcome({
        "derivative": (float((slope - y).abs().max().detach()),), "difference": (float((slope - central).abs().max().detach(
        )),),
        "gap": (gap,), "jump": (abs(abs(e) - abs(-e)),),
    })  # fmt: skip
