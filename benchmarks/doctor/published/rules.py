"""Four tools' rules as functions of a trace: the labels they raise, in the order in which they look; [] for no alarm.

Each symptom is given the label of the cause that the tool names, or the nearest of ours. Thresholds are their defaults.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.doctor.published.trace import Trace


def autotrainer(t: Trace) -> list[str]:
    """Zhang et al. 2021: judged from 30 % of the run on, if accuracy is below .7 or has gained no .01 since; symptoms alone."""
    said = []
    if not np.isfinite(t.loss).all() or np.nanmax(t.loss) >= 1e3:
        said.append("divergence")
    classes = np.isfinite(t.accuracy).all()
    late = t.accuracy[int(0.3 * len(t.accuracy)) :]
    poor = classes and (late[-1] < 0.7 or late.max() - t.accuracy[0] < 0.01)
    flat = not classes and np.isfinite(t.train).all() and t.train[-1] > 0.99 * t.train[0]
    if not (poor or flat or said):
        return []
    g = t.gradients[len(t.gradients) // 3 :]
    if len(g) and np.isfinite(g).all():
        first, last = g[:, 0].mean(), g[:, -1].mean()
        if last > 0 and first / last < 1e-3 and first < 1e-4:
            said.append("vanishing_gradient")
        if g.max() > 70:
            said.append("exploding_gradient")
    if t.dead and t.dead[-1] >= 0.7:
        said.append("dead_relu")
    if classes and len(late) > 3 and (np.abs(np.diff(late)) >= 0.03).mean() >= 0.2:
        said.append("oscillation")
    if not said:
        said.append("lr_too_low")  # "slow convergence"
    return said


def deepdiagnosis(t: Trace) -> list[str]:
    """Wardat et al. 2022: eight symptoms; then a tree over inputs, weights, update ratio and output for the cause."""
    g = t.gradients
    vanishing = len(g) > 0 and bool((np.nanmean(g, axis=1) < 1e-7).any())
    dead = any(d >= 0.7 for d in t.dead)
    unchanged = len(t.train) > 5 and any(np.ptp(t.train[k : k + 5]) < 1e-6 * abs(t.train[0]) for k in range(len(t.train) - 5))
    broken = not np.isfinite(t.loss).all()
    if not (vanishing or dead or unchanged or broken or t.saturated > 0.5):
        return []
    x = t.inputs
    if x.is_floating_point() and bool((x.abs() > 1).any()):
        return ["unnormalised_inputs"]
    if bool(((t.variances < 1e-5) | (t.variances > 10)).any()):
        return ["bad_init"]
    ratio = np.nanmedian(t.ratios) if t.ratios.size else np.nan
    if ratio > 0.1:
        return ["lr_too_high"]
    if ratio < 1e-5:
        return ["lr_too_low"]
    return ["dead_relu" if dead else "vanishing_gradient" if vanishing else "loss_output_mismatch"]


def umlaut(t: Trace) -> list[str]:
    """Schoop et al. 2021: warnings, in the order of its checks."""
    said = []
    x = t.inputs
    if x.is_floating_point():
        if bool(x.isnan().any()):
            said.append("nonfinite_data")
        if bool((x.abs() > 1).any()):
            said.append("unnormalised_inputs")
    if not np.isfinite(t.loss).all():
        said.append("divergence")
    if t.lr > 0.01:
        said.append("lr_too_high")
    if t.lr < 1e-7:
        said.append("lr_too_low")
    if ((np.diff(t.val) > 0) & (np.diff(t.train) < 0)).any():
        said.append("overfitting")
    if t.linear:
        said.append("missing_nonlinearity")
    if t.last:
        said.append("loss_output_mismatch")
    if t.dropout > 0.5:
        said.append("over_regularised")
    return said


def sagemaker(t: Trace) -> list[str]:
    """Rauschmayr et al. 2021, built-in rules: in the order in which they first fire, as far as one can tell."""
    said = []
    x = t.inputs
    if x.is_floating_point() and abs(float(x.nan_to_num().mean())) > 0.2:
        said.append("unnormalised_inputs")
    if t.counts and max(t.counts) > 10 * min(t.counts):
        said.append("class_imbalance")
    if not np.isfinite(t.loss).all() or not np.isfinite(t.gradients).all():
        said.append("divergence")
    if len(t.variances) > 1 and t.variances.min() > 0 and t.variances.max() / t.variances.min() > 10:
        said.append("bad_init")
    if len(t.gradients) and bool((np.nan_to_num(t.gradients, nan=1.0) < 1e-7).any()):
        said.append("vanishing_gradient")
    if any(d > 0.5 for d in t.dead):
        said.append("dead_relu")
    loss = t.loss[np.isfinite(t.loss)]
    if len(loss) > 10 and any(loss[k + 10] > 0.999 * loss[k] for k in range(0, len(loss) - 10, 10)):
        said.append("lr_too_low")  # "loss not decreasing"
    with np.errstate(all="ignore"):
        if ((t.val - t.train) / np.abs(t.train) > 0.1).any():
            said.append("overfitting")
    return said


RULES: dict[str, Callable[[Trace], list[str]]] = {
    "AutoTrainer": autotrainer, "DeepDiagnosis": deepdiagnosis, "UMLAUT": umlaut, "SageMaker": sagemaker,
}  # fmt: skip
