"""Augmentation of batches by torch operations: a function of (seed, step), the same in any company of lanes.

    augment = Augment(Shift(2), Noise(0.1))
    x, y = augment(x, y, seed=3, step=t)              # one batch
    xs, ys = augment.lanes(x, y, seeds=[0, 1, 2], step=t)  # one batch a lane: [lanes, batch, ...]

A step of it takes `x [batch, ...]`, `y` and a generator. Images are `[batch, channels, height, width]`, sequences
`[batch, time, ...]`, tables `[batch, features]`. What helps depends on what may change without changing the label (claim R8:
noise helped on digits, shifts that wrap around the edge hurt), so there is no default set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from slalom.core.checks import number, whole
from slalom.core.errors import BadDataError, BadValueError

_SALT = 0x0A06A6E7  # keeps these draws apart from others by the same seed


class Transform(Protocol):
    """One way of changing a batch; labels come back too, for they may change with it."""

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]: ...


def _images(what: str, x: Tensor) -> tuple[int, int, int, int]:
    if x.dim() != 4:
        raise BadDataError(f"{what} wants images [batch, channels, height, width], got {list(x.shape)}")
    n, c, h, w = x.shape
    return n, c, h, w


def _rand(shape: Sequence[int], x: Tensor, generator: Generator) -> Tensor:
    return torch.rand(list(shape), generator=generator).to(x.device, x.dtype)


@dataclass(frozen=True)
class Noise:
    """Adds Gaussian noise of this standard deviation: to tables, images and sequences alike.

    >>> Noise(0.1)(torch.zeros(2, 3), torch.zeros(2), Generator().manual_seed(0))[0].shape
    torch.Size([2, 3])
    """

    std: float = 0.1

    def __post_init__(self) -> None:
        number(self.std, "Noise: std", "[0, inf)")

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        return x + self.std * torch.randn(list(x.shape), generator=generator).to(x.device, x.dtype), y


@dataclass(frozen=True)
class FeatureDrop:
    """Sets each entry of a table to `fill` with probability p, without scaling the rest; fill is the mean for scaled data."""

    p: float = 0.1
    fill: float = 0.0

    def __post_init__(self) -> None:
        number(self.p, "FeatureDrop: p", "[0, 1]")

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        return torch.where(_rand(x.shape, x, generator) < self.p, torch.full_like(x, self.fill), x), y


@dataclass(frozen=True)
class Shift:
    """Moves each image by up to `pixels` in both directions, uniformly; what comes in is `fill`, nothing wraps around."""

    pixels: int = 1
    fill: float = 0.0

    def __post_init__(self) -> None:
        whole(self.pixels, "Shift: pixels", 0, 10**6)

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        n, _, h, w = _images("Shift", x)
        s = self.pixels
        padded = F.pad(x, (s, s, s, s), value=self.fill)
        top, left = torch.randint(0, 2 * s + 1, (2, n, 1), generator=generator).to(x.device)
        rows, columns = top + torch.arange(h, device=x.device), left + torch.arange(w, device=x.device)
        one = torch.arange(n, device=x.device)[:, None, None]
        return padded[one, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous(), y


@dataclass(frozen=True)
class Rotate:
    """Turns each image about its centre by up to `degrees` either way, uniformly; bilinear, 0 outside."""

    degrees: float = 10.0

    def __post_init__(self) -> None:
        number(self.degrees, "Rotate: degrees", "[0, 180]")

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        n, _, h, w = _images("Rotate", x)
        angle = (2 * _rand([n], x, generator) - 1) * math.radians(self.degrees)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # affine_grid's axes run from -1 to 1 whatever the sides, hence their ratio
        turn = torch.stack([torch.stack([cos, -sin * h / w, zero], 1), torch.stack([sin * w / h, cos, zero], 1)], 1)
        grid = F.affine_grid(turn, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False), y


@dataclass(frozen=True)
class Cutout:
    """Sets a square of this side in each image to `fill`; its centre is any pixel, so it may reach over the edge.

    Source: DeVries & Taylor 2017, arXiv:1708.04552.
    """

    side: int = 2
    fill: float = 0.0

    def __post_init__(self) -> None:
        whole(self.side, "Cutout: side", 1)

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        n, _, h, w = _images("Cutout", x)

        def within(size: int) -> Tensor:
            start = torch.randint(0, size, (n, 1), generator=generator).to(x.device) - self.side // 2
            at = torch.arange(size, device=x.device)
            return (at >= start) & (at < start + self.side)

        hole = within(h)[:, None, :, None] & within(w)[:, None, None, :]
        return torch.where(hole, torch.full_like(x, self.fill), x), y


@dataclass(frozen=True)
class Mixup:
    """Mixes each sample with another of the batch, and its label in the same share: `lam ~ Beta(alpha, alpha)`, one a batch.

    `classes`: labels become shares `[batch, classes]`, which `torch.nn.functional.cross_entropy` takes; None: targets are
    numbers and are mixed as they are. Source: Zhang et al. 2018, arXiv:1710.09412.
    """

    alpha: float = 0.2
    classes: int | None = None

    def __post_init__(self) -> None:
        number(self.alpha, "Mixup: alpha", "(0, inf)")
        if self.classes is not None:
            whole(self.classes, "Mixup: classes", 2, way_out=" or None")

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        if self.classes is None and not y.is_floating_point():
            raise BadDataError("Mixup mixes labels too, and these are class numbers; give it classes=")
        soft = y if self.classes is None or y.is_floating_point() else F.one_hot(y, self.classes).to(x.dtype)
        seed = int(torch.randint(2**62, (), generator=generator))  # torch's own Beta takes no generator
        lam = float(np.random.default_rng(seed).beta(self.alpha, self.alpha))
        other = torch.randperm(len(x), generator=generator).to(x.device)
        return lam * x + (1 - lam) * x[other], lam * soft + (1 - lam) * soft[other]


@dataclass(frozen=True)
class Crop:
    """Keeps a random window of `length` steps of each sequence `[batch, time, ...]`; all come out that long."""

    length: int

    def __post_init__(self) -> None:
        whole(self.length, "Crop: length", 1)

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        if x.dim() < 2 or x.shape[1] < self.length:
            raise BadDataError(f"Crop wants sequences of {self.length} steps or more, [batch, time, ...], got {list(x.shape)}")
        start = torch.randint(0, x.shape[1] - self.length + 1, (len(x), 1), generator=generator)
        at = (start + torch.arange(self.length)).to(x.device)
        return x[torch.arange(len(x), device=x.device)[:, None], at], y


IMAGES = (Shift, Rotate, Cutout)


class Augment:
    """Several ways one after another, drawn by (seed, step).

    `image`: channels, height and width of inputs that come as flat rows; those ways that want images see them as such.

    >>> x, y = torch.zeros(4, 1, 8, 8), torch.arange(4)
    >>> augment = Augment(Shift(1), Noise(0.1))
    >>> augment.lanes(x, y, seeds=[0, 1], step=0)[0].shape
    torch.Size([2, 4, 1, 8, 8])
    """

    def __init__(self, *transforms: Transform, image: tuple[int, int, int] | None = None) -> None:
        for each in transforms:
            if isinstance(each, type) or not callable(each):
                raise BadValueError(f"Augment takes transforms such as Shift(1) or Noise(0.1), got {each!r}")
        self.transforms = transforms
        self.image = image

    def __repr__(self) -> str:
        image = [] if self.image is None else [f"image={self.image}"]
        return f"Augment({', '.join([*map(repr, self.transforms), *image])})"

    def __call__(self, x: Tensor, y: Tensor, *, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """The batch changed, with its labels; what was handed in stays as it is."""
        generator = Generator().manual_seed((seed * 1_000_003 + step ^ _SALT) & 0x7FFFFFFFFFFFFFFF)
        for transform in self.transforms:
            if self.image is not None and isinstance(transform, IMAGES):
                shape = x.shape
                x, y = transform(x.reshape(len(x), *self.image), y, generator)
                x = x.reshape(shape)
            else:
                x, y = transform(x, y, generator)
        return x, y

    def lanes(self, x: Tensor, y: Tensor, *, seeds: Sequence[int], step: int) -> tuple[Tensor, Tensor]:
        """One shared batch changed for each lane by its own seed: `[lanes, batch, ...]`, labels too."""
        made = [self(x, y, seed=seed, step=step) for seed in seeds]
        return torch.stack([m[0] for m in made]), torch.stack([m[1] for m in made])
