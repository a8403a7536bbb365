"""Columns of the data against NumPy; what is not finite is found and left out."""

import numpy as np
import torch

from slalom.doctor.probes.columns import class_counts, columns, measured, not_finite, shift


def test_means_and_deviations_are_numpy_s():
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 10, 100, 0]) + 3
    made = measured(x)
    np.testing.assert_allclose(made.mean, x.double().numpy().mean(0))
    np.testing.assert_allclose(made.sd, x.double().numpy().std(0))
    assert made.constant.tolist() == [False, False, False, True]
    np.testing.assert_allclose(made.spread, made.sd[2] / made.sd[0])


def test_images_are_read_by_channel_and_sequences_by_feature():
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    np.testing.assert_allclose(measured(x).mean, x.double().numpy().mean((0, 2, 3)))
    assert columns(torch.zeros(6, 7, 2)).shape == (42, 2)
    assert measured(torch.zeros(4, 3, dtype=torch.long)) is None


def test_nan_and_infinity_are_named_by_row_and_left_out_of_means():
    x = torch.ones(5, 2)
    x[1, 0], x[3, 1] = float("nan"), float("inf")
    assert not_finite(x) == [1, 3]
    assert not_finite(torch.arange(3)) == []
    np.testing.assert_allclose(measured(x).mean, [1, 1])


def test_shift_is_in_training_deviations():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, generator=generator)
    y = torch.zeros(4000)
    found = shift((x, y), (x * torch.tensor([1.0, 4.0]) + torch.tensor([2.0, 0.0]), y))
    np.testing.assert_allclose(found.mean, [2, 0], atol=0.1)
    np.testing.assert_allclose(found.sd, [1, 4], rtol=0.05)
    assert found.error < 0.03


def test_class_counts():
    assert class_counts(torch.tensor([0, 0, 2])) == [2, 1]
    assert class_counts(torch.tensor([0.0, 1.0, 1.0])) == [1, 2]
    assert class_counts(torch.tensor([0.5, 1.0])) is None
    assert class_counts(torch.arange(20)) is None


def test_the_usual_spread_leaves_rare_pixels_out():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(200, 20, generator=generator)
    x[:, 0] *= 1e-3
    assert measured(x).spread > 500
    assert measured(x).usual_spread < 1.5
    x[:, 1::2] *= 100
    np.testing.assert_allclose(measured(x).usual_spread, 100, rtol=0.2)
    assert measured(torch.full((4, 2), float("nan"))).usual_spread == 1
