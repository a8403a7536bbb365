"""Files: what comes out of CSV, TSV, Parquet and npz, and what is said of those that cannot be read."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from slalom.core.errors import BadDataError, BadValueError, UnknownNameError
from slalom.data import load

N = 60
RNG = np.random.default_rng(0)


@pytest.fixture
def houses():
    """A table of every kind of column, with gaps."""
    frame = pd.DataFrame(
        {
            "area": RNG.normal(100, 20, N),
            "rooms": np.arange(N) % 5,
            "city": [("Rome", "Oslo", "Lima")[i % 3] for i in range(N)],
            "garden": np.arange(N) % 2 == 0,
            "built": [f"2001-02-{1 + i % 28:02d}" for i in range(N)],
            "code": [f"h{i}" for i in range(N)],
            "same": 7,
            "price": RNG.normal(300, 50, N),
        }
    )
    frame.loc[[3, 40], "area"] = np.nan
    frame.loc[[5], "city"] = None
    return frame


def whole(data):
    return torch.cat([data.train.x, data.val.x, data.test.x])


def said(data, *words):
    return any(all(word in note for word in words) for note in data.notes)


def test_columns_of_every_kind(houses, tmp_path):
    path = tmp_path / "houses.csv"
    houses.to_csv(path, index=False)
    data = load(path, target="price", scale=False)
    assert (data.name, data.task) == ("houses.csv", "regression")
    assert data.features == ("area", "rooms", "city=Lima", "city=Oslo", "city=Rome", "garden", "built")
    assert said(data, "median", "area (2 of 60)")
    assert said(data, "most frequent value", "city (1 of 60)")
    assert said(data, "one 0/1 column a category", "city (3 categories)")
    assert said(data, "dates read as days", "built")
    assert said(data, "dropped, text that differs", "code")
    assert said(data, "dropped, constant", "same")
    # Rows are found again by their price; the gaps must hold the median of the training rows, computed by pandas.
    price = torch.tensor(houses["price"].to_numpy())
    rows = [(price - y).abs().argmin().item() for y in torch.cat([data.train.y, data.val.y, data.test.y])]
    median = houses["area"].iloc[rows[: len(data.train)]].median()
    np.testing.assert_allclose(whole(data)[:, 0], houses["area"].fillna(median).iloc[rows], rtol=1e-6)
    frequent = houses["city"].iloc[rows[: len(data.train)]].mode()[0]
    expected = pd.get_dummies(houses["city"].fillna(frequent)).iloc[rows].to_numpy(float)
    np.testing.assert_array_equal(whole(data)[:, 2:5], expected)
    np.testing.assert_array_equal(whole(data)[:, 5], houses["garden"].iloc[rows].astype(float))
    days = (pd.to_datetime(houses["built"]) - pd.Timestamp("1970-01-01")).dt.days
    assert whole(data)[:, 6].tolist() == days.iloc[rows].tolist()
    scaled = load(path, target="price").train.x
    assert set(scaled[:, 2].tolist()) == set(scaled[:, 5].tolist()) == {0.0, 1.0}
    assert abs(scaled[:, 0].mean()) < 1e-6
    assert abs(scaled[:, 6].std(correction=0) - 1) < 1e-5


def test_csv_parquet_tsv_and_frame_agree(houses, tmp_path):
    houses.to_csv(tmp_path / "a.csv", index=False)
    houses.to_csv(tmp_path / "b.csv", index=False, sep=";")
    houses.to_csv(tmp_path / "c.tsv", index=False, sep="\t")
    houses.to_csv(tmp_path / "d.csv", index=False, encoding="utf-8-sig", na_rep="?")
    houses.to_parquet(tmp_path / "e.parquet")
    sources = [*sorted(tmp_path.iterdir()), houses]
    prints = {load(source, target="price", seed=2).fingerprint for source in sources}
    assert len(prints) == 1


def test_a_file_loads_again_from_its_record(houses, tmp_path, monkeypatch):
    houses.to_csv(tmp_path / "houses.csv", index=False)
    monkeypatch.chdir(tmp_path)
    data = load("houses.csv", target="price", seed=4, split=(0.5, 0.25, 0.25))
    assert os.path.isabs(data.source["source"])
    monkeypatch.chdir("/")
    assert load(**data.source).fingerprint == data.fingerprint
    with pytest.raises(BadDataError, match=r"there is no such file \(the current directory is /\)"):
        load("houses.csv", target="price")


def test_imputation_is_fitted_on_training_rows_alone():
    frame = pd.DataFrame({"x": [1.0, 2.0, 30.0, np.nan], "c": ["a", "b", "b", None], "y": [0.0, 1.0, 2.0, 3.0]})
    validate = pd.DataFrame({"x": [np.nan, 1e6], "c": ["new", None], "y": [0.0, 1.0]})
    data = load({"train": frame, "val": validate, "test": frame}, target="y", scale=False)
    assert data.features == ("x", "c=a", "c=b")
    assert data.train.x.tolist() == [[1, 1, 0], [2, 0, 1], [30, 0, 1], [2, 0, 1]]
    assert data.val.x.tolist() == [[2, 0, 0], [1e6, 0, 1]]


def test_targets_of_a_table(houses):
    assert load(houses, target="garden").classes == ("False", "True")
    assert load(houses, target="rooms").classes == ("0", "1", "2", "3", "4")
    assert load(houses, target="rooms", task="regression").task == "regression"
    both = load(houses.drop(columns="code"), target="price,rooms")
    assert (both.output_size, both.task) == (2, "regression")
    assert load(houses.drop(columns="code"), target=["price", "rooms"]).fingerprint == both.fingerprint
    with pytest.raises(BadDataError, match=r"target 'city' is missing \(NaN or empty\) in 1 of 60 rows, first at row 5"):
        load(houses, target="city")
    with pytest.raises(BadDataError, match=r"target 'area' is missing .* in 2 of 60 rows, first at row 3"):
        load(houses, target="area")
    houses["kind"] = houses["city"].fillna("Rome").astype("category")
    assert load(houses, target="kind").classes == ("Lima", "Oslo", "Rome")


def test_unusual_dtypes():
    n = 30
    frame = pd.DataFrame(
        {
            "whole": pd.array([None, *range(1, n)], dtype="Int64"),
            "truth": pd.array([None, *[i % 2 == 0 for i in range(1, n)]], dtype="boolean"),
            "text": pd.array(["a", "b", None] * 10, dtype="string"),
            "stamp": pd.date_range("2020-01-01", periods=n, tz="Europe/Rome"),
            "span": pd.to_timedelta(np.arange(n), unit="h"),
            "day": [date(2020, 1, 1 + i) for i in range(n)],
            "money": [Decimal(i) / 4 for i in range(n)],
            "level": pd.Categorical(["low", "high"] * 15),
            "y": np.arange(n) / 7,
        }
    )
    data = load(frame, target="y", scale=False)
    assert data.features == (
        "whole", "truth", "text=a", "text=b", "stamp", "span", "day", "money", "level=high", "level=low",
    )  # fmt: skip
    assert torch.isfinite(whole(data)).all()
    x = whole(data).double()
    torch.testing.assert_close(x[:, 5].sort().values, torch.arange(n).double() / 24, atol=1e-6, rtol=0)
    assert x[:, 6].sort().values.tolist() == [18262.0 + i for i in range(n)]
    assert x[:, 7].sum() == sum(range(n)) / 4
    assert said(data, "truth (1 of 30)")
    assert said(data, "durations read as days: span")


def test_many_categories():
    n = 400
    words = [f"w{i % 80:02d}" for i in range(n)]
    words[:200] = ["w00"] * 200
    data = load(pd.DataFrame({"word": words, "y": np.arange(n) / 3}), target="y")
    assert len(data.features) == 50
    assert "word=w00" in data.features
    assert said(data, "only the 50 most frequent", "word")


def test_row_numbers_are_dropped(houses, tmp_path):
    houses.to_csv(tmp_path / "h.csv")
    data = load(tmp_path / "h.csv", target="price")
    assert "Unnamed: 0" not in data.features
    assert said(data, "a row number", "Unnamed: 0")
    kept = load(pd.DataFrame({"x": np.arange(20), "y": np.arange(20) / 3}), target="y")
    assert kept.features == ("x",)


def test_a_named_index_is_a_column(houses, tmp_path):
    houses.drop(columns="code").set_index("area").to_parquet(tmp_path / "h.parquet")
    assert "area" in load(tmp_path / "h.parquet", target="price").features


def test_npz(tmp_path):
    x, y = RNG.normal(size=(N, 3)), np.arange(N) % 2
    np.savez(tmp_path / "a.npz", X=x, y=y)
    np.savez(tmp_path / "b.npz", inputs=x, label=y)
    np.savez(tmp_path / "c.npz", X=x, label=y, other=y)
    prints = {
        load(tmp_path / "a.npz").fingerprint,
        load(str(tmp_path / "b.npz"), target="label").fingerprint,
        load(tmp_path / "c.npz", target="label").fingerprint,
        load((x, y)).fingerprint,
    }
    assert len(prints) == 1
    with pytest.raises(BadValueError, match=r"which array is the target.* it holds inputs \[60, 3\], label \[60\]"):
        load(tmp_path / "b.npz")
    with pytest.raises(UnknownNameError, match=r"there is no array in a.npz 'z'"):
        load(tmp_path / "a.npz", target="z")
    np.savez(tmp_path / "d.npz", a=x, b=x, y=y)
    with pytest.raises(BadValueError, match="inputs must be in the array 'X'; there is a, b beside the target"):
        load(tmp_path / "d.npz")
    np.savez(tmp_path / "e.npz", X=np.array([{}, []], dtype=object), y=y)
    with pytest.raises(BadDataError, match="pickled Python objects, which are never loaded"):
        load(tmp_path / "e.npz")
    np.savez(tmp_path / "f.npz", X=np.where(np.arange(N)[:, None] == 9, np.nan, x), y=y)
    with pytest.raises(BadDataError, match="X is NaN at row 9, column 0"):
        load(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "a.csv is empty; it needs a header line"),
        ("a.csv", b"\n\n", "a.csv is empty; it needs a header line"),
        ("a.csv", b"a,b\n", "a.csv has columns but no rows"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "is not a table: Expected 2 fields in line 3, saw 3"),
        ("a.csv", b'a,b\n"1,2\n', "is not a table: EOF inside string"),
        ("a.csv", b"a,b\n1,2,3\n1,2,3\n", "more fields than the header"),
        ("a.csv", b"a,b\n\xff\xfe,2\n", "is not UTF-8 text"),
        ("a.csv", b"b\n1\n2\n", "there must be a target and at least one column beside it"),
        ("a.csv", b"a,b\n1,2.5\ninf,3.5\n3,4.5\n5,6.5\n", "column 'a' is infinite at row 1"),
        ("a.csv", b"a,b\n1,2.5\n1,3.5\n1,4.5\n1,6.5\n", "no column is left to learn from: dropped, constant"),
        ("a.csv", b"a,b\n1,2.5\n2,\n3,4.5\n4,6.5\n", "target 'b' is missing .* in 1 of 4 rows, first at row 1"),
        ("a.parquet", b"PAR1 not really", "a.parquet is not a readable Parquet file"),
        ("a.parquet", b"", "a.parquet is not a readable Parquet file"),
        ("a.npz", b"PK not really", "a.npz is not a readable npz archive"),
        ("a.npz", b"", "a.npz is not a readable npz archive"),
        ("a.npz", b"hi", "a.npz is not a readable npz archive: it is no zip archive at all"),
        ("a.csv", b"a,b\n1,2.5\n", "a.csv: the data have 1 row; a split in three parts needs at least 3"),
        (
            "a.csv",
            b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(9)),
            "a.csv: class 'x0' has 1 row.* name another target",
        ),
        ("a.xlsx", b"", "ends in '.xlsx'; data files end in .csv, .tsv, .parquet, .npz: convert"),
        ("noending", b"", "has no ending; data files end in"),
    ],
)
def test_broken_files(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadDataError, match=says) as caught:
        load(str(path), target="b")
    assert name in str(caught.value)


def test_missing_files_and_columns(tmp_path, houses):
    with pytest.raises(BadDataError, match=r"gone.csv: there is no such file"):
        load(tmp_path / "gone.csv", target="y")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadDataError, match=r"folder.csv is a folder"):
        load(tmp_path / "folder.csv", target="y")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadDataError, match=r"folder is a folder; give a file that ends in"):
        load(tmp_path / "folder", target="y")
    houses.to_csv(tmp_path / "houses.csv", index=False)
    with pytest.raises(BadValueError, match=r"houses.csv: which column is the target.* area, rooms, city, garden"):
        load(tmp_path / "houses.csv")
    with pytest.raises(UnknownNameError, match=r"there is no column in houses.csv 'prize'; did you mean 'price'"):
        load(tmp_path / "houses.csv", target="prize")


def test_bad_tables():
    with pytest.raises(BadDataError, match="columns share a name: a"):
        load(pd.DataFrame([[1, 2, 3]] * 5, columns=["a", "a", "y"]), target="y")
    with pytest.raises(BadDataError, match="column 'a' holds lists or mappings"):
        load(pd.DataFrame({"a": [[1], [2]] * 5, "y": np.arange(10) / 3}), target="y")
    with pytest.raises(BadDataError, match="column 'a' holds bytes"):
        load(pd.DataFrame({"a": [b"x", b"z"] * 5, "y": np.arange(10) / 3}), target="y")
    one, two = pd.DataFrame({"a": range(9), "y": range(9)}), pd.DataFrame({"b": range(9), "y": range(9)})
    with pytest.raises(BadDataError, match="val: columns are b; those of train are a; all parts need the same"):
        load({"train": one, "val": two, "test": one}, target="y")
    with pytest.raises(BadDataError, match="target 'y' holds Timestamp"):
        load(pd.DataFrame({"a": range(5), "y": pd.date_range("2020-01-01", periods=5)}), target="y")


def test_decimal_commas_beside_semicolons_are_numbers(tmp_path):
    points = pd.DataFrame({"a": RNG.normal(size=N).round(3), "b": np.arange(N), "price": RNG.normal(size=N).round(4)})
    points.loc[4, "a"] = np.nan
    points["note"] = ["1,2 or so", "3,4 or so"] * (N // 2)
    points.to_csv(tmp_path / "points.csv", index=False)
    points.to_csv(tmp_path / "commas.csv", index=False, sep=";", decimal=",")
    data = load(tmp_path / "commas.csv", target="price")
    assert data.task == "regression"
    assert data.fingerprint == load(tmp_path / "points.csv", target="price").fingerprint
    assert "decimal commas read as points: a, price" in data.notes


def test_errors_in_an_archive_name_it(tmp_path):
    x = RNG.normal(size=(N, 3))
    for inputs, says in (
        (x[0, 0], "X must be .* got a single value"),
        (np.where(x > 2, np.nan, x), "X is NaN"),
        (x[:5], "5 rows"),
    ):
        np.savez(tmp_path / "a.npz", X=inputs, y=np.arange(N) % 2)
        with pytest.raises(BadDataError, match=rf"^a\.npz: {says}"):
            load(tmp_path / "a.npz")
