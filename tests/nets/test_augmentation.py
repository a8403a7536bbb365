"""Augmentation against figures worked out by hand and against torch's own operations."""

import pytest
import torch
import torch.nn.functional as F

from slalom.core.errors import BadDataError, BadValueError
from slalom.nets import Augment, Crop, Cutout, FeatureDrop, Mixup, Noise, Rotate, Shift

G = torch.Generator


def drawn(transform, x, y=None, seed=0):
    return transform(x, torch.arange(len(x)) if y is None else y, G().manual_seed(seed))


def test_shifts_move_every_pixel_alike_and_bring_in_fill():
    x = torch.zeros(200, 2, 7, 5)
    x[:, 0, 3, 2], x[:, 1, 3, 2] = 1, 2
    out, _ = drawn(Shift(2, fill=0.0), x)
    places = out[:, 0].flatten(1).argmax(1)
    assert torch.equal(out[:, 1].flatten(1).argmax(1), places)
    assert (out.sum((1, 2, 3)) == 3).all()
    rows, columns = places // 5, places % 5
    assert set((rows - 3).tolist()) == set((columns - 2).tolist()) == {-2, -1, 0, 1, 2}
    edge = torch.ones(50, 1, 4, 4)
    assert set(drawn(Shift(1), edge)[0].sum((1, 2, 3)).tolist()) == {9, 12, 16}  # nothing wraps around


def test_rotation_keeps_the_centre_and_turns_a_quarter_as_rot90_does():
    x = torch.rand(30, 1, 9, 9)
    out, _ = drawn(Rotate(90), x)
    assert torch.allclose(out[:, :, 4, 4], x[:, :, 4, 4], atol=1e-5)
    same, _ = drawn(Rotate(0), x)
    assert torch.allclose(same, x, atol=1e-5)

    angle = torch.tensor([1.0])
    torch_rand = torch.rand
    torch.rand = lambda shape, generator: angle.expand(shape)
    try:
        turned, _ = drawn(Rotate(90), x[:1])
    finally:
        torch.rand = torch_rand
    assert any(torch.allclose(turned, torch.rot90(x[:1], k, (2, 3)), atol=1e-4) for k in (1, 3))


def test_cutout_makes_one_hole_of_the_side():
    out, _ = drawn(Cutout(3), torch.ones(300, 2, 8, 8))
    holes = (out[:, 0] == 0).sum((1, 2))
    assert holes.max() == 9
    assert holes.min() == 4  # its centre in a corner
    assert torch.equal(out[:, 0], out[:, 1])


def test_noise_and_drops_have_their_size():
    out, _ = drawn(Noise(0.3), torch.zeros(200, 100))
    assert abs(out.std().item() - 0.3) < 0.01
    dropped, _ = drawn(FeatureDrop(0.2, fill=-1.0), torch.ones(200, 100))
    assert set(dropped.unique().tolist()) == {-1.0, 1.0}
    assert abs((dropped == -1).float().mean().item() - 0.2) < 0.01


def test_mixup_mixes_labels_as_it_mixes_samples():
    y = torch.arange(6) % 3
    x = F.one_hot(y, 3).float()  # a sample that is its own label
    out, shares = drawn(Mixup(1.0, classes=3), x, y)
    assert torch.allclose(out, shares)
    assert torch.allclose(shares.sum(1), torch.ones(6))
    assert not torch.equal(out, x)
    lams = [drawn(Mixup(0.2, classes=3), x, y, seed)[1].max().item() for seed in range(300)]
    assert sum(lam > 0.95 for lam in lams) > 150  # Beta(.2, .2) sits at the ends
    with pytest.raises(BadDataError, match="give it classes="):
        drawn(Mixup(0.2), x, y)


def test_crops_are_windows_of_the_sequence():
    x = torch.arange(12.0).repeat(50, 1).unsqueeze(-1)
    out, _ = drawn(Crop(5), x)
    assert out.shape == (50, 5, 1)
    assert (out.diff(dim=1) == 1).all()
    assert set(out[:, 0, 0].tolist()) == set(range(8))


def test_a_lane_draws_the_same_alone_and_beside_others_and_anew_at_every_step():
    x, y = torch.rand(5, 1, 8, 8), torch.arange(5)
    augment = Augment(Shift(1), Rotate(20), Noise(0.1), Cutout(2), Mixup(0.4, classes=5))
    before = torch.get_rng_state()
    xs, ys = augment.lanes(x, y, seeds=[4, 9], step=3)
    alone = augment(x, y, seed=9, step=3)
    assert torch.equal(xs[1], alone[0])
    assert torch.equal(ys[1], alone[1])
    assert not torch.equal(xs[0], xs[1])
    assert not torch.equal(augment(x, y, seed=9, step=4)[0], alone[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "make",
    [lambda: Noise(-1), lambda: FeatureDrop(2), lambda: Shift(1.5), lambda: Rotate(999), lambda: Cutout(0), lambda: Mixup(0),
     lambda: Mixup(classes=1), lambda: Crop(0)],
)  # fmt: skip
def test_bad_values_are_named(make):
    with pytest.raises(BadValueError, match="must be"):
        make()


@pytest.mark.parametrize("transform", [Shift(1), Rotate(1), Cutout(1), Crop(9)])
def test_data_of_the_wrong_shape_are_refused(transform):
    with pytest.raises(BadDataError, match="wants"):
        drawn(transform, torch.zeros(3, 4))
