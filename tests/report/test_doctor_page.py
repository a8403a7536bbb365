"""The page of an examination or a repair: everything escaped, no script, no request, the chart where it should be."""

import hashlib
import math
import re
from base64 import b64encode
from types import SimpleNamespace

import pytest
from torch import nn

from slalom.core.errors import StoreError
from slalom.doctor.curve import Figure
from slalom.doctor.examination import Branch, Curves, Examination
from slalom.doctor.finding import finding
from slalom.doctor.repairing import Applied, Repair
from slalom.figures.doctor import Line, build_doctor
from slalom.report.chart import chart
from slalom.report.doctor import render_doctor, write_doctor

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> & \ud800"


def examination(found=True):
    said = [finding("lr_too_high", [Figure("a", math.inf, 2.0, HOSTILE), Figure("b", 1.0, 3.0, "calm")], 0.9, 3, cause=HOSTILE)]
    curves = Curves((2.0, math.nan, 1.0, 0.5), (0, 2, 4), (2.0, 1.0, 0.5), (2.1, math.inf, 0.6))
    branches = (Branch(HOSTILE, "code", 0.9, math.nan, (0, 4), (2.0, 0.1)),)
    return Examination(tuple(said) if found else (), 4, 1.5, (0.5, math.nan), curves, branches, (HOSTILE,))


def repaired():
    curve = {"step": [0, 4], "train": [2.0, math.inf], "val": [2.0, 1.0]}
    return Repair(
        nn.Linear(1, 1), math.inf, 0.25, [Applied("lr_too_high", HOSTILE, HOSTILE), Applied("", "second", "x")],
        {"before": curve, "after": {"step": [1, 4], "train": [1.0, 0.2], "val": [1.0, 0.25]}},
        [{"label": "lr_too_high", "fix": HOSTILE, "words": "", "step": 4, "loss": math.inf, "failed": HOSTILE}], 1.2, (),
        examination(),
    )  # fmt: skip


@pytest.mark.parametrize("result", [examination(), examination(False), repaired()], ids=["found", "healthy", "repair"])
def test_no_script_no_request_and_nothing_unescaped(result, tmp_path):
    path = tmp_path / "new" / "page.html"
    result.report(path)
    text = path.read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(src|href)=[\"'](?!data:)", text)
    styles = re.findall(r"<style>(.*?)</style>", text, re.S)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[1].replace("&#39;", "'")
    for style in styles:
        assert b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert "default-src 'none'" in policy
    assert "style=" not in text.replace("style-src", "")
    assert text == render_doctor(build_doctor(result)).encode("utf-8", "replace").decode()


def test_what_a_person_wants_to_know_is_on_it():
    text = render_doctor(build_doctor(examination()))
    for said in ("lr too high", "confidence 90 %, seen at step 3", "not finite", "calm", "Experiments", "Loss by step"):
        assert said in text
    text = render_doctor(build_doctor(repaired()))
    for said in ("Repaired: loss not finite to 0.25", "What was changed", "failed after 4 steps", "1.20 runs"):
        assert said in text
    assert "Nothing is wrong" in render_doctor(build_doctor(examination(False)))


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(StoreError, match="it is a folder"):
        write_doctor(examination(), tmp_path)


def test_the_chart_is_where_the_numbers_say():
    made = chart([Line("a", "train", (0.0, 50.0, 100.0), (1000.0, 1.0, 0.1))])
    assert made.log
    points = [tuple(map(float, p.split())) for p in made.lines[0].path[1:].split(" L")]
    assert points[0] == (made.left, made.top)
    assert points[-1] == (made.right, made.bottom)
    assert points[1][0] == pytest.approx((made.left + made.right) / 2)
    assert points[1][1] == pytest.approx(made.top + 0.75 * (made.bottom - made.top))
    assert [t for _, t in made.ticks_y] == ["0.1", "1", "10", "100", "1000"]
    assert not chart([Line("a", "train", (0.0, 1.0), (-1.0, 2.0))]).log
    assert chart([]) is None
    assert chart([Line("a", "train", (0.0, 1.0), (2.0, 2.0))]) is not None  # flat
    assert build_doctor(SimpleNamespace(**{**vars(examination()), "healthy": True, "labels": []})).verdict
