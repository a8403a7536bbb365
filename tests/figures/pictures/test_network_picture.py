"""Pictures of networks say which plane, how much of the variance, how far off it a run ends."""

import numpy as np
import pytest
from PIL import Image

from slalom.figures.pictures.scenes import scene_of
from slalom.landscape.networks.record import Interpolation, NetworkLandscape, Plane, Trace
from tests.figures.pictures.seen import check_readable, texts

AT = np.linspace(-1, 1, 9)
BOWL = 0.01 + AT[:, None] ** 2 + 30 * AT**2


def runs():
    way = np.stack([np.linspace(-0.8, 0.5, 6), np.linspace(0.9, -0.2, 6)], axis=1)
    traces = [
        Trace(rule, 0.003, way * (1 - 0.2 * k), tuple(range(0, 60, 10)), np.linspace(2, 0.1, 6), 0.23)
        for k, rule in enumerate(("sgd", "adamw(weight_decay=0.1)", "torch.LBFGS"))
    ]
    plane = Plane(AT, AT, BOWL, "principal plane of 3 runs, 76% of the variance kept", (0.5, 0.26), tuple(traces))
    return NetworkLandscape("Runs in their principal plane", "MLP on digits", 6570, None, (plane,))


def test_slices():
    planes = tuple(Plane(AT, AT, BOWL * s, f"random plane {s}, filter-normalised (seed {s - 1})") for s in (1, 2))
    figure = NetworkLandscape("Loss around the network", "digits, train, 1078 samples", 6570, 0.01, planes).plot()
    check_readable(figure)
    assert "random plane 2, filter-normalised (seed 1)" in texts(figure)
    assert "digits, train, 1078 samples, 6570 parameters, loss 0.01 in the middle" in texts(figure)
    levels = [c.levels for axes in figure.axes for c in axes.collections if hasattr(c, "levels") and c.filled]
    assert np.array_equal(*levels[:2])  # the same heights on both


def test_runs_move(tmp_path):
    record = runs()
    figure = record.plot(theme="light")
    check_readable(figure)
    said = texts(figure)
    assert "50% of the variance" in said
    assert any("sgd, lr 3e-3" in t and "ends at loss 0.1" in t and "23% of its way off this plane" in t for t in said)
    scene = scene_of(record)
    scene.build(moving=True)
    scene.show(2)
    assert np.array_equal(scene.lines[0].get_xydata(), record.planes[0].traces[0].points[:3])
    assert scene.clock.get_text() == "step 20"
    record.save(tmp_path / "x.gif", frames=3, size=(6, 4))
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 3


@pytest.mark.parametrize("barrier", [0.0, 1.04])
def test_a_line(tmp_path, barrier):
    at = np.linspace(-0.25, 1.25, 13)
    hill = 0.02 + barrier * np.exp(-20 * (at - 0.5) ** 2)
    record = Interpolation("Between two networks", "digits", at, hill, hill + 0.1, barrier, ("seed 0", "seed 1"))
    figure = record.plot()
    check_readable(figure)
    assert any(("no barrier" in t) == (barrier == 0) and "barrier" in t for t in texts(figure))
    record.save(tmp_path / "x.webp")  # does not move: a still picture
    with Image.open(tmp_path / "x.webp") as image:
        assert image.n_frames == 1
