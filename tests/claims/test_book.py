"""The book: both languages from one run, in step; the shipped run is what the documents show."""

import re
from pathlib import Path

import pytest

import slalom.claims as claims
from slalom.claims.store import COMMITTED
from slalom.figures.claims import WORDS, figure
from slalom.figures.claims_picture import draw_lines, picture
from slalom.report.claims import markdown, page, write_book

ROOT = Path(__file__).parents[2]
RUN = claims.load_run()
BOTH = {"en": (ROOT / "docs" / "claims.md").read_text(), "zh": (ROOT / "docs" / "claims.zh-CN.md").read_text()}


def sections(text):
    """By id: the lines of each claim."""
    parts = re.split(r'^### <a id="\w+"></a>(\w+)$', text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def kind_of(section, language):
    said = re.search(r"^\*\*(.+)\*\*$", section, flags=re.M).group(1)
    (kind,) = [k for k in claims.KINDS if re.split(": |：", said)[0] == WORDS[k].text(language)]
    return kind


def figures_of(section):
    """Of each row of the table its figures and what was asked."""
    rows = [line for line in section.splitlines() if line.startswith("| ") and "%" not in line.split("|")[2]]
    return [tuple(cell.strip() for cell in row.replace("\\|", "/").split("|")[2:4]) for row in rows]


@pytest.mark.parametrize("language", claims.LANGUAGES)
def test_the_documents_are_those_of_the_shipped_run(language):
    assert markdown(RUN, language) == BOTH[language]


def test_both_languages_are_in_step():
    en, zh = sections(BOTH["en"]), sections(BOTH["zh"])
    assert list(en) == list(zh) == list(RUN.results)
    for name, result in RUN.results.items():
        assert kind_of(en[name], "en") == kind_of(zh[name], "zh") == result.verdict.kind
        assert figures_of(en[name]) == figures_of(zh[name])
        intervals = result.verdict.intervals
        assert [f for f, _ in figures_of(en[name])] == [figure(i) for i in intervals.values()]
        for language, text in (("en", en[name]), ("zh", zh[name])):
            assert (ROOT / "docs" / re.search(r"\((claims/.+svg)\)", text).group(1)).exists(), (name, language)


def test_the_shipped_run_is_whole_and_explains_itself():
    assert COMMITTED.stat().st_size < 200_000
    assert set(RUN.results) == set(claims.every())
    assert not RUN.plan.quick
    for name, result in RUN.results.items():
        claim, kind = claims.every()[name].claim, result.verdict.kind
        assert kind != "depends" or claim.switch.en, f"{name} depends, and nothing is said on what"
        agrees = claim.prototype in (None, kind)
        assert agrees or claim.note.en, f"{name} is {kind}, the prototype's was {claim.prototype}; a note must say why"
    size = sum(p.stat().st_size for p in (ROOT / "docs" / "claims").iterdir())
    assert size + sum(len(t.encode()) for t in BOTH.values()) < 1_000_000


def test_a_book_of_another_run(tmp_path):
    run = claims.run(["O28", "O27"])
    made = write_book(run, tmp_path, with_page=True)
    assert [p.name for p in made] == ["claims.md", "claims.html", "claims.zh-CN.md", "claims.zh-CN.html", "claims"]
    assert sorted(p.name for p in (tmp_path / "claims").iterdir()) == ["o27.en.svg", "o27.zh.svg", "o28.en.svg", "o28.zh.svg"]
    html = (tmp_path / "claims.html").read_text()
    assert html.count("<svg") == 2
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", html)


def test_what_is_odd_is_escaped_and_drawn():
    import xml.etree.ElementTree as ET

    run = claims.run("C1")
    claim, result = claims.every()["C1"].claim, run.results["C1"]
    for language in claims.LANGUAGES:
        ET.fromstring(picture(claim, result.outcome, result.verdict, language))
    lines = claims.Lines((1.0, 10.0), {"<a>": (0.1, float("nan")), "b": (1.0, 0.0)}, ("x & y", "甲"), ("y", "乙"), True, True)
    ET.fromstring(draw_lines(lines, "en"))
    assert "&lt;a&gt;" in draw_lines(lines, "zh")
    assert "|x|" in page(run, "en")


def code(text):
    return re.findall(r"^```.*?^```", text, flags=re.S | re.M)


def test_both_readmes_have_the_same_commands():
    en, zh = (ROOT / "README.md").read_text(), (ROOT / "README.zh-CN.md").read_text()
    assert code(en) == code(zh)
    assert len(re.findall("^## ", en, re.M)) == len(re.findall("^## ", zh, re.M))
    links = [
        sorted(re.findall(r"\]\(([^)]+)\)", t))
        for t in (en, zh.replace("claims.zh-CN.md", "claims.md").replace("](README.md", "](README.zh-CN.md"))
    ]
    assert links[0] == links[1]


def test_the_two_sets_of_the_shipped_run_are_two_draws():
    """What is random differs between the sets; what an experiment drew without a look at its seeds would stand there twice."""
    for name, result in RUN.results.items():
        for key, values in result.outcome.effects.items():
            half = len(values) // 2
            assert len(set(values)) <= 2 or values[:half] != values[half:], (name, key)  # of shares, 0 and .1 are no evidence
