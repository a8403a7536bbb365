"""Every teaching picture can be read, and the ones that move move."""

import numpy as np
import pytest
from PIL import Image

import slalom
from slalom.figures.pictures.scenes import scene_of
from slalom.landscape.teaching import lessons, teach
from slalom.landscape.teaching.record import Panels
from tests.figures.pictures.seen import check_readable, texts


@pytest.mark.parametrize("name", [name for name in lessons() if name != "rotation"])  # that one is next
def test_every_word_can_be_read(name):
    record = teach(name)
    figure = record.plot(theme="light")
    check_readable(figure)
    said = texts(figure)
    assert record.title in said
    assert any(record.words.split(". ")[0].replace("\n", " ")[:40] in text for text in said)


def test_several_rules_in_a_panel_have_a_table():
    rules = ["momentum", "adagrad", "rmsprop(alpha=0.9)", "adam"]
    made = [slalom.landscape("quadratic", rules, lr="tuned", grid=[1e-3, 1e-2, 1e-1], rotate=a, steps=60) for a in (0, 45)]
    figure = Panels("The same bowl, turned", "Words. " * 20, (("along the axes", made[0]), ("turned by 45°", made[1]))).plot()
    check_readable(figure)
    assert {*rules, "lr", "arrived", "0.1", f"step {made[0]['adam'].arrived}", "not in 60"} <= set(texts(figure))
    arrived = made[0]["adam"]
    assert arrived.arrived
    lines = [line.get_xydata() for line in figure.axes[0].lines]
    assert any(np.array_equal(xy, arrived.points[: arrived.arrived + 1]) for xy in lines)  # drawn until it arrives


def test_panels_move_and_tell_their_rates(tmp_path):
    record = teach("learning-rate")
    scene = scene_of(record)
    scene.build(moving=True)
    scene.show(3)
    for (_, made), line in zip(record.panels, scene.lines, strict=True):
        assert np.array_equal(line.get_xydata(), made.paths[0].points[:4])
    assert {"lr 0.01", "lr 0.11", "lr 0.1345"} <= set(texts(scene.figure))
    record.save(tmp_path / "x.gif", frames=3)
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 3


def test_arrows_lie_where_the_record_says():
    record = teach("momentum-and-nag")
    figure = record.plot()
    for axes, (_, arrows) in zip(figure.axes, record.methods, strict=True):
        drawn = {(tuple(t.xyann), tuple(t.xy)) for t in axes.texts if t.arrowprops}
        assert drawn == {(a.begin, a.end) for a in arrows}
