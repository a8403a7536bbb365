"""Data of the design set: generators and scikit-learn's tables, none of which the bench's two halves hold in this form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slalom.testing.faults.tasks import Parts
from slalom.testing.faults.tasks import _split as split

Array = np.ndarray


def _teacher(x: Array, out: int, hidden: int, seed: int) -> Array:
    """Outputs of a random tanh network."""
    rng = np.random.default_rng(1000 + seed)
    a, b = rng.normal(0, 1.2 / np.sqrt(x.shape[1]), (x.shape[1], hidden)) * 1.5, rng.normal(0, 0.5, hidden)
    return np.tanh(x @ a + b) @ rng.normal(0, 1, (hidden, out))


def _standard(y: Array) -> Array:
    return (y - y.mean(0)) / y.std(0)


def teacher(seed: int, rows: int = 500, n: int = 6, out: int = 1, noise: float = 0.1, hidden: int = 8) -> Parts:
    """A number, or several, by a random network, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, n))
    y = _standard(_teacher(x, out, hidden, seed)) + rng.normal(0, noise, (rows, out))
    return split(x, _standard(y), seed, classes=False)


def teacher_classes(seed: int, rows: int = 600, n: int = 8, classes: int = 4, wrong: float = 0.05, hidden: int = 6) -> Parts:
    """The largest of a random network's outputs; some labels are wrong in both parts."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, n))
    y = _standard(_teacher(x, classes, hidden, seed)).argmax(1)
    flipped = rng.random(rows) < wrong
    return split(x, np.where(flipped, rng.integers(0, classes, rows), y), seed)


def rings(seed: int, rows: int = 540, noise: float = 0.12, wrong: float = 0.0) -> Parts:
    """Three rings around each other."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    angle, r = rng.uniform(0, 2 * np.pi, rows), 0.6 + y + rng.normal(0, noise, rows)
    flipped = rng.random(rows) < wrong
    return split(np.stack([r * np.cos(angle), r * np.sin(angle)], 1), np.where(flipped, rng.integers(0, 3, rows), y), seed)


def checkers(seed: int, rows: int = 600, cells: int = 3) -> Parts:
    """The two colours of a board."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, cells, (rows, 2))
    return split(x, (np.floor(x).sum(1) % 2).astype(int), seed)


def quantiles(seed: int, rows: int = 500, n: int = 4) -> Parts:
    from sklearn.datasets import make_gaussian_quantiles

    x, y = make_gaussian_quantiles(n_samples=rows, n_features=n, n_classes=3, random_state=seed)
    return split(x, y, seed)


def mixture(seed: int, rows: int = 600, classes: int = 3, wrong: float = 0.03) -> Parts:
    from sklearn.datasets import make_classification

    x, y = make_classification(rows, 12, n_informative=6, n_redundant=2, n_classes=classes, n_clusters_per_class=2,
                               class_sep=1.3, flip_y=wrong, random_state=seed)  # fmt: skip
    return split(x, y, seed)


def hastie(seed: int, rows: int = 600) -> Parts:
    from sklearn.datasets import make_hastie_10_2

    x, _ = make_hastie_10_2(rows, random_state=seed)
    return split(x[:, :6], ((x[:, :6] ** 2).sum(1) > 5.3).astype(int), seed)


def overlapping_moons(seed: int, rows: int = 500) -> Parts:
    from sklearn.datasets import make_moons

    return split(*make_moons(rows, noise=0.3, random_state=seed + 50), seed)


def close_blobs(seed: int, rows: int = 500) -> Parts:
    """Blobs that overlap, one with a third of the rows of the others: healthy."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs([200, 200, 70], n_features=2, cluster_std=1.0, random_state=seed,
                      centers=np.array([[0, 0], [2.5, 1], [0, 3]]))[:2]  # fmt: skip
    return split(x, y, seed)


def sinc(seed: int, rows: int = 300, noise: float = 0.05) -> Parts:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, (rows, 1))
    return split(x, _standard(np.sinc(x)) + rng.normal(0, noise, (rows, 1)), seed, classes=False)


def waves(seed: int, rows: int = 500) -> Parts:
    """A product of waves of two inputs, in noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (rows, 2))
    y = np.sin(1.5 * x[:, :1]) * np.cos(x[:, 1:]) * 2 + rng.normal(0, 0.3, (rows, 1))
    return split(x, _standard(y), seed, classes=False)


def plane(seed: int, rows: int = 400, n: int = 8) -> Parts:
    """A linear function with heavy-tailed noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, n))
    y = x @ rng.normal(size=(n, 1)) + 0.3 * rng.standard_t(3, (rows, 1))
    return split(x, _standard(y), seed, classes=False)


def friedman2(seed: int, rows: int = 450) -> Parts:
    from sklearn.datasets import make_friedman2

    x, y = make_friedman2(rows, noise=40.0, random_state=seed)
    return split(x, _standard(y)[:, None], seed, classes=False)


def friedman3(seed: int, rows: int = 450) -> Parts:
    from sklearn.datasets import make_friedman3

    x, y = make_friedman3(rows, noise=0.1, random_state=seed)
    return split(x, _standard(y)[:, None], seed, classes=False)


def bars(seed: int, rows: int = 400, side: int = 8) -> Parts:
    """Images of one bar, upright or lying, in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    x = rng.normal(0, 0.6, (rows, 1, side, side))
    for k in range(rows):
        at = rng.integers(0, side)
        if y[k]:
            x[k, 0, at] += 1.0
        else:
            x[k, 0, :, at] += 1.0
    return split(x, y, seed, scale=False)


def corners(seed: int, rows: int = 450, side: int = 6) -> Parts:
    """Images with a bright patch whose place is to be told: two numbers."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(1, side - 2, (rows, 2))
    grid = np.arange(side)
    x = np.exp(-((grid[None, :, None] - at[:, :1, None]) ** 2 + (grid[None, None] - at[:, 1:, None]) ** 2) / 1.5)
    return split(x[:, None] * 2 + rng.normal(0, 0.2, (rows, 1, side, side)), _standard(at), seed, scale=False, classes=False)


def more_ups(seed: int, rows: int = 500, length: int = 9) -> Parts:
    """Sequences of signs: were there more of one kind?"""
    rng = np.random.default_rng(seed)
    x = np.sign(rng.normal(0.0, 1.0, (rows, length)) + rng.normal(0, 0.6, (rows, 1)))
    return split(x[..., None] + rng.normal(0, 0.2, (rows, length, 1)), (x.sum(1) > 0).astype(int), seed, scale=False)


def decayed_sum(seed: int, rows: int = 500, length: int = 10) -> Parts:
    """A sum over a sequence that forgets."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, length, 2))
    w = 0.8 ** np.arange(length)[::-1]
    return split(x, _standard(np.tanh((x[..., 0] * w).sum(1, keepdims=True)) + 0.3 * x[:, -1, 1:]), seed, scale=False,
                 classes=False)  # fmt: skip


def which_first(seed: int, rows: int = 500, length: int = 12) -> Parts:
    """Which of three marks came first in a sequence of one-hot rows with blanks."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    x = np.zeros((rows, length, 4))
    for k in range(rows):
        row = np.full(length, 3)
        places = np.sort(rng.choice(length, 2, replace=False))
        row[places[0]], row[places[1]] = y[k], rng.integers(0, 3)
        x[k, np.arange(length), row] = 1
    return split(x + rng.normal(0, 0.1, x.shape), y, seed, scale=False)


def low_rank(seed: int, rows: int = 400, n: int = 20, rank: int = 4) -> Parts:
    """Rows of a low rank with noise, to be rebuilt."""
    rng = np.random.default_rng(seed)
    x = np.tanh(rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, n))) + rng.normal(0, 0.1, (rows, n))
    a, _, b, _ = split(x, x[:, :1], seed, classes=False)
    return a, a, b, b


def small_digits(seed: int, rows: int = 500) -> Parts:
    """Digits 0 to 4, halved in resolution."""
    from sklearn.datasets import load_digits

    bunch = load_digits(n_class=5)
    rows_ = np.random.default_rng(seed).permutation(len(bunch.target))[:rows]
    x = bunch.images[rows_].reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16) / 8.0
    return split(x, bunch.target[rows_], seed)


TASKS: dict[str, Callable[[int], Parts]] = {
    f.__name__: f
    for f in (
        teacher, teacher_classes, rings, checkers, quantiles, mixture, hastie, overlapping_moons, close_blobs, sinc, waves, plane,
        friedman2, friedman3, bars, corners, more_ups, decayed_sum, which_first, low_rank, small_digits,
    )
}  # fmt: skip
TASKS |= {
    "teacher of three": lambda s: teacher(s, 450, 5, 3, 0.3), "noisy teacher": lambda s: teacher(s, 400, 8, 1, 0.5),
    "noisy rings": lambda s: rings(s, 450, 0.15, 0.1), "two of twelve": lambda s: mixture(s, 500, 2, 0.1),
    "binary teacher": lambda s: teacher_classes(s, 450, 5, 2, 0.08),
}  # fmt: skip
