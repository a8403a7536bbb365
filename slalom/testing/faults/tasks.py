"""Data of the fault bench: what ships with scikit-learn, and generators; inputs scaled on the training part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Parts = tuple[Tensor, Tensor, Tensor, Tensor]  # X, y, X of validation, y of validation


def _split(x: np.ndarray, y: np.ndarray, seed: int, share: float = 0.3, scale: bool = True, classes: bool = True) -> Parts:
    from sklearn.model_selection import train_test_split

    a, b, ya, yb = train_test_split(x, y, test_size=share, random_state=seed, stratify=y if classes else None)
    if scale:
        mean, sd = a.mean(0), a.std(0)
        sd[sd == 0] = 1
        a, b = (a - mean) / sd, (b - mean) / sd
    kind = torch.long if classes else torch.float32
    return (
        torch.tensor(a, dtype=torch.float32), torch.tensor(ya, dtype=kind), torch.tensor(b, dtype=torch.float32),
        torch.tensor(yb, dtype=kind),
    )  # fmt: skip


def table(name: str, seed: int) -> Parts:
    """breast_cancer, wine, iris (classes) or diabetes (a number, scaled)."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    if name == "diabetes":
        y = (bunch.target - bunch.target.mean()) / bunch.target.std()
        return _split(bunch.data, y[:, None], seed, classes=False)
    return _split(bunch.data, bunch.target, seed)


def digits(seed: int, rows: int = 900, image: bool = False) -> Parts:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    chosen = np.random.default_rng(seed).permutation(len(bunch.target))[:rows]
    x, y, xv, yv = _split(bunch.data[chosen] / 16.0, bunch.target[chosen], seed, scale=False)
    return (x.reshape(-1, 1, 8, 8), y, xv.reshape(-1, 1, 8, 8), yv) if image else (x, y, xv, yv)


def moons(seed: int, rows: int = 500, noise: float = 0.15) -> Parts:
    from sklearn.datasets import make_moons

    x, y = make_moons(rows, noise=noise, random_state=seed)
    return _split(x, y, seed)


def circles(seed: int, rows: int = 500) -> Parts:
    from sklearn.datasets import make_circles

    x, y = make_circles(rows, noise=0.08, factor=0.5, random_state=seed)
    return _split(x, y, seed)


def blobs(seed: int, rows: int = 600, centres: int = 4, sd: float = 1.6) -> Parts:
    from sklearn.datasets import make_blobs

    x, y = make_blobs(rows, n_features=6, centers=centres, cluster_std=sd, random_state=seed + 3, center_box=(-4, 4))[:2]
    return _split(x, y, seed)


def spirals(seed: int, rows: int = 700, turns: float = 1.25) -> Parts:
    rng = np.random.default_rng(seed)
    r = np.sqrt(rng.uniform(0.02, 1, rows))
    y = rng.integers(0, 2, rows)
    angle = 2 * np.pi * turns * r + np.pi * y
    x = np.stack([r * np.cos(angle), r * np.sin(angle)], 1) + rng.normal(0, 0.02, (rows, 2))
    return _split(x, y, seed)


def sine(seed: int, rows: int = 400, noise: float = 0.2) -> Parts:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, (rows, 1))
    return _split(x, np.sin(2 * x) + rng.normal(0, noise, (rows, 1)), seed, classes=False)


def friedman(seed: int, rows: int = 600) -> Parts:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(rows, n_features=8, noise=0.8, random_state=seed)
    return _split(x, ((y - y.mean()) / y.std())[:, None], seed, classes=False)


def linear(seed: int, rows: int = 400) -> Parts:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 10))
    y = x @ rng.normal(size=(10, 1)) + rng.normal(0, 0.5, (rows, 1))
    return _split(x, y / y.std(), seed, classes=False)


def parity(seed: int, rows: int = 500) -> Parts:
    """The sign of a product of three of six inputs, with a margin."""
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], (rows, 6)) + rng.normal(0, 0.2, (rows, 6))
    return _split(x, (np.prod(np.sign(x[:, :3]), 1) > 0).astype(int), seed)


def glyphs(seed: int, rows: int = 600) -> Parts:
    """8x8 images of four shapes at random places, in noise."""
    rng = np.random.default_rng(seed)
    shapes = [np.array(s) for s in (
        [[1, 1, 1], [0, 0, 0], [0, 0, 0]], [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
    )]  # fmt: skip
    y = rng.integers(0, 4, rows)
    x = rng.normal(0, 0.25, (rows, 1, 8, 8))
    for k, c in enumerate(y):
        i, j = rng.integers(0, 6, 2)
        x[k, 0, i : i + 3, j : j + 3] += 1.5 * shapes[c]
    return _split(x, y, seed, scale=False)


def first_sign(seed: int, rows: int = 600, length: int = 10) -> Parts:
    """Sequences of noise whose class is the sign of the first step's value."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.5, (rows, length, 2))
    y = rng.integers(0, 2, rows)
    x[:, 0, 0] = np.where(y == 1, 1.0, -1.0) + rng.normal(0, 0.2, rows)
    x[:, 0, 1] = 1.0
    return _split(x, y, seed, scale=False)


def adding(seed: int, rows: int = 700, length: int = 12) -> Parts:
    """The adding task (Hochreiter & Schmidhuber 1997): the sum of the two marked values."""
    rng = np.random.default_rng(seed)
    values, marks = rng.uniform(-1, 1, (rows, length)), np.zeros((rows, length))
    for k in range(rows):
        marks[k, rng.choice(length, 2, replace=False)] = 1
    y = (values * marks).sum(1, keepdims=True)
    return _split(np.stack([values, marks], -1), y / y.std(), seed, scale=False, classes=False)


def majority(seed: int, rows: int = 600, length: int = 12) -> Parts:
    """Which of three symbols is the most frequent one of a sequence of one-hot rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    p = np.full((rows, 3), 0.25)
    p[np.arange(rows), y] = 0.5
    symbols = np.array([rng.choice(3, length, p=q) for q in p])
    counts = np.stack([(symbols == c).sum(1) for c in range(3)], 1) + rng.uniform(0, 0.1, (rows, 3))
    return _split(np.eye(3)[symbols], counts.argmax(1), seed, scale=False)


def faces(seed: int, rows: int = 500) -> Parts:
    """Digits to be rebuilt from a narrow code."""
    x, _, xv, _ = digits(seed, rows)
    return x, x, xv, xv


TASKS: dict[str, Callable[[int], Parts]] = {
    "breast_cancer": lambda s: table("breast_cancer", s), "wine": lambda s: table("wine", s),
    "iris": lambda s: table("iris", s),
    "diabetes": lambda s: table("diabetes", s), "digits": digits, "digits_images": lambda s: digits(s, 700, True), "moons": moons,
    "circles": circles,
    "blobs": blobs, "spirals": spirals, "sine": sine, "friedman": friedman, "linear": linear, "parity": parity,
    "glyphs": glyphs, "first_sign": first_sign, "adding": adding, "majority": majority, "faces": faces,
}  # fmt: skip
