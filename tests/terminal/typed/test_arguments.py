"""What is typed becomes what the race takes; what is wrong is said in one sentence."""

import pytest

from slalom.terminal.typed import arguments


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sgd,adam", ["sgd", "adam"]),
        (" sgd , adam ,", ["sgd", "adam"]),
        ("adam(b1=0.5, b2=0.9),sgd", ["adam(b1=0.5, b2=0.9)", "sgd"]),
        ("adam(convention='a,b'),sgd", ["adam(convention='a,b')", "sgd"]),
        ("f([1,2],{'a':(3,4)}),g", ["f([1,2],{'a':(3,4)})", "g"]),
        ("", []),
    ],
)
def test_commas_inside_brackets_and_quotes_do_not_split(text: str, parts: list[str]) -> None:
    assert arguments.split(text) == parts


@pytest.mark.parametrize("text", ["adam(b1=0.5", "adam)", "adam(convention='tf)"])
def test_brackets_and_quotes_must_close(text: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|quote"):
        arguments.split(text)


def test_rules_left_out_is_the_races_own_choice() -> None:
    assert arguments.rules(None) is None
    with pytest.raises(ValueError, match="names no rule"):
        arguments.rules(" , ")


def test_learning_rates_for_all_rules_or_for_named_ones() -> None:
    assert arguments.learning_rates([]) is None
    assert arguments.learning_rates([".1,1e-2"]) == [0.1, 0.01]
    assert arguments.learning_rates(["sgd=.1", "adam(amsgrad=True)=.001,.01"]) == {
        "sgd": [0.1],
        "adam(amsgrad=True)": [0.001, 0.01],
    }


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fast"], "'fast' is not a learning rate"),
        (["-1"], r"in \[0, inf\), got -1"),
        (["nan"], "got nan"),
        (["inf"], "got inf"),
        ([","], "holds no learning rate"),
        (["adam="], "holds no learning rate"),
        (["adam=.1=.2"], "'.1=.2' is not a learning rate"),
        (["=.1"], "names no rule before"),
        (["adam=.1", "adam=.2"], "names adam twice"),
        ([".1", "adam=.2"], "give it once"),
    ],
)
def test_wrong_learning_rates_are_named(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        arguments.learning_rates(texts)


def test_seeds_are_a_number_of_them_or_themselves() -> None:
    assert arguments.seeds("3") == 3
    assert arguments.seeds("0,1,2") == [0, 1, 2]
    assert arguments.seeds("7,") == [7]
    assert arguments.seeds("0,") == [0]


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "1.5", "1,-2", ","])
def test_wrong_seeds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--seeds must be"):
        arguments.seeds(text)


def test_batch_size_is_whole_or_full() -> None:
    assert arguments.batch_size("64") == 64
    assert arguments.batch_size("full") == "full"
    for wrong in ("0", "-1", "1.5", "all", ""):
        with pytest.raises(ValueError, match="--batch-size must be"):
            arguments.batch_size(wrong)
