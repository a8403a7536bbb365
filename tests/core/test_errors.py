"""Errors are of Slalom and of the built-in kind, and their text is a sentence."""

import pytest

from slalom.core import errors


@pytest.mark.parametrize(
    ("kind", "built_in"),
    [("BadValueError", ValueError), ("UnknownNameError", LookupError), ("BadDataError", ValueError),
     ("MissingExtraError", ImportError), ("StoreError", OSError)],
)  # fmt: skip
def test_errors_can_be_caught_both_ways(kind, built_in):
    made = getattr(errors, kind)("what is wrong")
    assert isinstance(made, errors.SlalomError)
    assert isinstance(made, built_in)
    assert str(made) == "what is wrong"


def test_unknown_names_list_what_is_known():
    near = errors.unknown_name("rule", "sdg", ["adam", "sgd"])
    assert str(near) == "there is no rule 'sdg'; did you mean 'sgd'? known: adam, sgd"
    assert str(errors.unknown_name("rule", "zzz", ["b", "a"])) == "there is no rule 'zzz'; known: a, b"
