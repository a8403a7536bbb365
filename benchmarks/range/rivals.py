"""Other finders' rules on raw losses of a one-pass test: the packages' own where installed (`packages`), else these here.

torch-lr-finder, fastai and Lightning each bring their own training loop; smoothing and stopping are re-implemented from their
sources (`lr_and_pictures.md` A1, A2). `losses [steps]` are those before each update, infinite from where the run diverged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.range import packages

Rule = Callable[[np.ndarray, np.ndarray], float | None]


def ema(losses: np.ndarray, beta: float, debiased: bool) -> np.ndarray:
    made, average = np.empty(len(losses)), losses[0]
    running = 0.0
    for t, loss in enumerate(losses):
        running = beta * running + (1 - beta) * loss
        average = loss if t == 0 else beta * average + (1 - beta) * loss
        made[t] = running / (1 - beta ** (t + 1)) if debiased else average
    return made


def _stopped(lrs: np.ndarray, smooth: np.ndarray, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut where the smoothed loss passes `times` its least or is not finite."""
    best, end = np.inf, len(smooth)
    for t, loss in enumerate(smooth):
        if not np.isfinite(loss) or (t > 1 and loss > times * best):
            end = t + 1 if np.isfinite(loss) else t
            break
        best = min(best, loss)
    return lrs[:end], smooth[:end]


def fastai(rule: Rule) -> Rule:
    def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
        x, y = (v[10:-5] for v in _stopped(lrs, ema(losses, 0.98, True), 4.0))
        return rule(x, y) if len(x) > 3 else None

    return run


def valley(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    n = len(losses)
    length = [1] * n
    for i in range(1, n):
        for j in range(i):
            if losses[i] < losses[j] and length[i] < length[j] + 1:
                length[i] = length[j] + 1
    end = int(np.argmax(length))
    start = end - length[end]
    third = (end - start) // 3
    return float(lrs[start + third + third // 2])


def slide(lrs: np.ndarray, losses: np.ndarray, window: int = 15, threshold: float = 0.005, adjust: float = 1.0) -> float | None:
    gradients = np.gradient(losses)
    right, left = -1, -1 - window
    if len(losses) <= window + 1:
        return None
    local = lrs[left]
    while left >= -len(losses) and abs(gradients[right] - gradients[left]) > threshold:
        local, right, left = lrs[left], right - 1, left - 1
    return float(local * adjust)


def steep(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    slope = (losses[1:] - losses[:-1]) / (np.log(lrs[1:]) - np.log(lrs[:-1]))
    return float(lrs[int(np.argmin(slope))])


def minimum(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    return float(lrs[int(np.argmin(losses))] / 10)


def steepest(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """torch-lr-finder's, of the curve from its 11th to its 6th point from the end."""
    return float(lrs[10:-5][int(np.argmin(np.gradient(losses[10:-5])))])


def torch_lr_finder(rule: Rule) -> Rule:
    def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
        x, y = _stopped(lrs, ema(losses, 0.95, False), 5.0)
        return rule(x, y) if len(x) > 18 else None

    return run


def by_index(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Lightning's before 2.5.3, of the curve from its 11th point to the last but one."""
    return float(lrs[10:-1][int(np.argmin(np.gradient(losses[10:-1])))])


def by_rate(lrs: np.ndarray, losses: np.ndarray) -> float | None:
    """Lightning's since 2.5.3, where the gradient is taken against the rate itself."""
    return float(lrs[10:-1][int(np.argmin(np.gradient(losses[10:-1], lrs[10:-1])))])


def lightning(rule: Rule) -> Rule:
    def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
        x, y = _stopped(lrs, ema(losses, 0.98, True), 4.0)
        return rule(x, y) if len(x) > 13 else None

    return run


OWN: dict[str, Rule] = {
    "fastai valley": valley, "fastai slide": slide, "fastai steep": steep, "fastai minimum/10": minimum,
    "torch-lr-finder": steepest, "Lightning 2.6.6": by_rate,
}  # fmt: skip
THEIRS = packages.rules()
_rule = {**OWN, **THEIRS}

# name -> (lowest rate, highest, rule), 100 steps each
FINDERS: dict[str, tuple[float, float, Rule]] = {
    **{name: (1e-7, 10.0, fastai(_rule[name])) for name in OWN if name.startswith("fastai")},
    "torch-lr-finder": (1e-7, 10.0, torch_lr_finder(_rule["torch-lr-finder"])),
    "Lightning < 2.5.3": (1e-8, 1.0, lightning(by_index)),
    "Lightning 2.6.6": (1e-8, 1.0, lightning(_rule["Lightning 2.6.6"])),
}
