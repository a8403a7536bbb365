"""Every teaching picture can be read, and the ones that move move."""

import numpy as np
import pytest
from PIL import Image

from slalom.figures.pictures.scenes import scene_of
from slalom.landscape.teaching import lessons, teach
from tests.figures.pictures.seen import check_readable, texts


@pytest.mark.parametrize("name", lessons())
def test_every_word_can_be_read(name):
    record = teach(name)
    figure = record.plot(theme="light")
    check_readable(figure)
    said = texts(figure)
    assert record.title in said
    assert any(record.words.split(". ")[0].replace("\n", " ")[:40] in text for text in said)


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
