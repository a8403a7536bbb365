"""Formulas: snapshots that were compared with the papers, and every formula evaluated against its rule."""

from __future__ import annotations

import pytest

from slalom.core.rule import Settings
from slalom.engines.printers.latex import latex, text
from slalom.engines.printers.symbols import plain
from slalom.rules import adagrad, adam, adamax, nadam, radam, sgd

SNAPSHOTS: list[tuple[Settings, list[str], list[str]]] = [
    (
        adam(),
        [
            r"m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t",
            r"v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^{2}",
            r"\hat{m}_t = \frac{m_t}{1 - \beta_1^{t}}",
            r"\hat{v}_t = \frac{v_t}{1 - \beta_2^{t}}",
            r"\theta_t = \theta_{t-1} - \frac{\alpha \hat{m}_t}{\sqrt{\hat{v}_t} + \epsilon}",
        ],
        [
            "m_t = β₁·m_{t−1} + (1 − β₁)·g_t",
            "v_t = β₂·v_{t−1} + (1 − β₂)·g_t²",
            "m\u0302_t = m_t / (1 − β₁^t)",
            "v\u0302_t = v_t / (1 − β₂^t)",
            "θ_t = θ_{t−1} − α·m\u0302_t / (√v\u0302_t + ε)",
        ],
    ),
    (
        sgd(momentum=0.9, nesterov=True, weight_decay=0.1),
        [
            r"g_t \leftarrow g_t + \lambda \theta_{t-1}",
            r"v_t = \begin{cases} g_t & t = 1 \\ \mu v_{t-1} + (1 - \tau) g_t & \text{otherwise} \end{cases}",
            r"g_t \leftarrow g_t + \mu v_t",
            r"\theta_t = \theta_{t-1} - \eta g_t",
        ],
        [
            "g_t ← g_t + λ·θ_{t−1}",
            "v_t = g_t if t = 1 else μ·v_{t−1} + (1 − τ)·g_t",
            "g_t ← g_t + μ·v_t",
            "θ_t = θ_{t−1} − η·g_t",
        ],
    ),
    (sgd(), [r"\theta_t = \theta_{t-1} - \eta g_t"], ["θ_t = θ_{t−1} − η·g_t"]),
    (
        sgd(momentum=0.9),
        [
            r"v_t = \begin{cases} g_t & t = 1 \\ \mu v_{t-1} + (1 - \tau) g_t & \text{otherwise} \end{cases}",
            r"\theta_t = \theta_{t-1} - \eta v_t",
        ],
        ["v_t = g_t if t = 1 else μ·v_{t−1} + (1 − τ)·g_t", "θ_t = θ_{t−1} − η·v_t"],
    ),
]


@pytest.mark.parametrize(("settings", "wanted_latex", "wanted_text"), SNAPSHOTS, ids=lambda x: getattr(x, "program", ""))
def test_snapshots(settings: Settings, wanted_latex: list[str], wanted_text: list[str]) -> None:
    assert latex(settings) == wanted_latex
    assert text(settings) == wanted_text


def test_single_lines() -> None:
    assert latex(adam(amsgrad=True))[2] == r"\hat v^{\max}_t = \max\left(\hat v^{\max}_{t-1}, v_t\right)"
    assert latex(adagrad())[-1] == r"\theta_t = \theta_{t-1} - \frac{\eta_t g_t}{G_t^{\kappa} + \epsilon}"
    assert latex(adamax())[-1] == r"\theta_t = \theta_{t-1} - \frac{\alpha}{1 - \beta_1^{t}} \frac{m_t}{u_t}"
    assert latex(nadam())[1] == r"\mu_{t+1} = \beta_1 (1 - 0.5 \cdot 0.96^{(t + 1) \psi})"
    assert r"\rho_\infty = \frac{2}{1 - \beta_2} - 1" in latex(radam())
    assert text(radam())[3] == "ρ∞ = 2 / (1 − β₂) − 1"


@pytest.mark.parametrize(
    ("symbol", "wanted"),
    [
        (r"\epsilon", "ε"), (r"\beta_2", "β₂"), ("v_0", "v₀"), (r"E[\Delta^2]_{t-1}", "E[Δ²]_{t−1}"),
        (r"\mathrm{keep\_it}_t", "keep_it_t"), (r"\bar{m}", "m\u0304"), (r"\eta_t", "η_t"), ("x^{-1}", "x⁻¹"),
    ],
)  # fmt: skip
def test_symbols_in_a_terminal(symbol: str, wanted: str) -> None:
    assert plain(symbol) == wanted
