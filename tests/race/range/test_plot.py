"""The curve as a picture, where matplotlib is installed."""

from __future__ import annotations

import pytest

import slalom
from tests.race.range.problems import Bowl, bowl_loader

pytest.importorskip("matplotlib", reason="matplotlib is an optional extra")


@pytest.mark.parametrize("given", [{"budget": 300}, {"method": "sweep", "seeds": 2}])
def test_what_was_seen_is_drawn(given, tmp_path):
    result = slalom.range_test(Bowl(), bowl_loader(), optimizer="sgd", **given)
    figure = result.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_title() == f"range test of sgd ({result.method})"
    finite = [(p.lr, p.loss) for p in result.curve if p.loss != float("inf")]
    assert [tuple(point) for point in axes.lines[0].get_xydata()] == finite
    upright = [line.get_xdata()[0] for line in axes.lines[1:]]
    edges = [lr for lr in (result.suggestion, result.phases.slow_below, result.phases.diverging_from) if lr is not None]
    assert sorted(upright) == pytest.approx(sorted(edges))
    assert [text.get_text().strip() for text in axes.texts] == ["too slow", "diverging"]


def test_nothing_but_infinite_losses_can_be_drawn():
    step = {"step": lambda model, optimizer, batch: float("nan"), "optimizer": "torch.SGD"}
    assert slalom.range_test(Bowl(), bowl_loader(), method="sweep", **step).plot().axes[0].get_ylabel() == "loss"
