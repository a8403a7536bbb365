"""The book's claims: complete, in both languages, each with a rule that can go either way."""

import re

import pytest

from slalom.claims import Claim, T, above, every
from slalom.claims.registry import named, order
from slalom.core.errors import BadValueError, UnknownNameError

WANTED = {
    "O": set(range(1, 40)) - {37},  # O37, A14 cannot be tested
    "L": set(range(1, 16)), "R": set(range(1, 12)), "H": {1, 2, 3}, "C": {1}, "A": set(range(1, 14)), "B": {1},
}  # fmt: skip
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_every_testable_row_of_the_reference_is_there():
    found = {}
    for name in every():
        found.setdefault(name[0], set()).add(int(name[1:]))
    assert found == WANTED
    assert list(every()) == sorted(every(), key=order)


@pytest.mark.parametrize("name", list(every()))
def test_a_claim_is_told_whole(name):
    claim = every()[name].claim
    assert CHINESE.search(claim.sentence.zh)
    assert CHINESE.search(claim.setup.zh)
    for text in (claim.sentence, claim.literature, claim.setup, claim.erratum, claim.note):
        assert (text.en[-1:], text.zh[-1:]) in {(".", "。"), ("", "")}, text
    for c in claim.criteria:
        assert c.low is not None or c.high is not None
        assert CHINESE.search(c.label.zh) or not re.search(r"[a-z]{4}", c.label.en), c.label
    assert not CHINESE.search(claim.sentence.en + claim.literature.en + claim.setup.en + claim.erratum.en + claim.note.en)


def test_ids_are_taken_in_any_case_and_a_wrong_one_is_named():
    assert list(named(["o27", "O3"])) == ["O3", "O27"]
    with pytest.raises(UnknownNameError, match="no claim 'O99'"):
        named(["O99"])


def test_a_claim_without_a_rule_or_a_language_is_refused():
    told = {"id": "X1", "sentence": T("a", "甲"), "literature": T("b", "乙"), "setup": T("c", "丙")}
    with pytest.raises(BadValueError, match="criteria"):
        Claim(**told, criteria=())
    with pytest.raises(BadValueError, match="both languages"):
        Claim(**told, criteria=(above("x", T("x", "甲")),), note=T("only English", ""))
