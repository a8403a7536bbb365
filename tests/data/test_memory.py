"""Data in memory: arrays, lists, tensors, Datasets, own parts; the rule for the task; every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from slalom.core.errors import BadDataError, BadValueError
from slalom.data import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.arange(60) % 3


class Items(Dataset):
    def __init__(self, items, **attributes):
        self.items = items
        self.__dict__.update(attributes)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        if isinstance(self.items[i], Exception):
            raise self.items[i]
        return self.items[i]


def test_all_forms_of_the_same_rows_are_the_same_data():
    pandas = pytest.importorskip("pandas")
    forms = [
        (X, Y),
        (torch.from_numpy(X), torch.from_numpy(Y)),
        (X.tolist(), Y.tolist()),
        (X, Y[:, None]),
        Items([(x, int(y)) for x, y in zip(X, Y, strict=True)]),
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        (pandas.DataFrame(X), pandas.Series(Y)),
    ]
    loaded = [load(form) for form in forms]
    assert len({data.fingerprint for data in loaded}) == 1
    assert all(data.classes == ("0", "1", "2") and data.source == {} for data in loaded)
    assert load(forms[0], seed=1).fingerprint != loaded[0].fingerprint
    assert load(loaded[0]) is loaded[0]


@pytest.mark.parametrize(
    ("y", "task", "outputs"),
    [
        (Y, "classification", 3),
        (Y.astype(str), "classification", 3),
        (Y > 0, "classification", 2),
        (2 * (Y > 0) - 1, "classification", 2),
        (np.array(["a", None, "b"] * 20, dtype=object)[np.array([0, 2] * 30)], "classification", 2),
        (np.arange(60) // 3, "classification", 20),
        (np.arange(60), "regression", 1),
        (np.arange(60) // 2, "regression", 1),
        (Y.astype(float), "regression", 1),
        (X[:, 0], "regression", 1),
        (X[:, :2], "regression", 2),
        (X[:, :1], "regression", 1),
    ],
)
def test_the_target_decides_the_task(y, task, outputs):
    data = load((X, y))
    assert (data.task, data.output_size) == (task, outputs)
    assert data.train.y.shape[1:] == (() if task == "classification" else (outputs,))
    assert any(note.startswith(f"{task} o") and ": it " in note for note in data.notes)


def test_many_whole_numbers_without_a_gap_are_classes():
    y = np.arange(900) % 30
    assert load((np.zeros((900, 1)) + y[:, None], y)).output_size == 30
    assert load((np.zeros((900, 1)) + y[:, None], y * 2)).task == "regression"


def test_small_classes_are_in_every_part():
    y = np.repeat(np.arange(20), 3)
    data = load((X, y))
    assert [len(set(part.y.tolist())) for part in (data.train, data.val, data.test)] == [20, 20, 20]
    assert any("20/20/20 rows" in note and "other shares than asked" in note for note in data.notes)
    y = np.concatenate([np.zeros(985, int), np.repeat(np.arange(1, 6), 3)])
    data = load((RNG.normal(size=(1000, 2)), y))
    assert [len(part) for part in (data.train, data.val, data.test)] == [600, 200, 200]
    assert [len(set(part.y.tolist())) for part in (data.train, data.val, data.test)] == [6, 6, 6]
    assert not any("other shares" in note for note in data.notes)


def test_task_overrides():
    assert load((X, Y), task="regression").task == "regression"
    data = load((X, Y.astype(float)), task="classification")
    assert (data.task, data.classes) == ("classification", ("0", "1", "2"))
    assert load((X, (Y + 0.5)), task="classification").classes == ("0.5", "1.5", "2.5")


def test_images_are_scaled_by_channel():
    images = RNG.integers(0, 256, size=(60, 2, 4, 5)).astype(np.uint8)
    images[:, 1] //= 8
    data = load((images, Y))
    assert data.input_shape == (2, 4, 5)
    for channel in (0, 1):
        values = data.train.x[:, channel].double()
        assert abs(values.mean()) < 1e-6
        assert abs(values.std(correction=0) - 1) < 1e-6
    grey = load((images[:, 0], Y)).train.x.double()
    assert abs(grey.mean()) < 1e-6
    assert abs(grey[:, 0, 0].mean()) > 1e-3


def test_constant_columns_are_centred_not_blown_up():
    x = np.column_stack([X, np.full(60, 0.1), np.full(60, 1e9)])
    data = load((x, Y))
    assert (data.train.x[:, 3:] == 0).all()
    assert any("2 columns constant there, only centred" in note for note in data.notes)


def test_own_parts_are_kept_in_order():
    parts = {"train": (X[:30], Y[:30]), "val": (X[30:40], Y[30:40]), "test": Items(list(zip(X[40:], Y[40:], strict=True)))}
    data = load(parts, scale=False)
    torch.testing.assert_close(data.val.x, torch.from_numpy(X[30:40]).float())
    assert data.test.y.tolist() == Y[40:].tolist()
    scaled = load(parts)
    assert scaled.train.x.mean().abs() < 1e-6
    mean, std = X[:30].mean(0), X[:30].std(0)
    np.testing.assert_allclose(scaled.test.x, (X[40:] - mean) / std, rtol=1e-5, atol=1e-6)
    assert any("split as given: 30/10/20" in note for note in data.notes)


def test_a_dataset_names_its_classes():
    items = [(torch.rand(1, 2, 2), i % 2) for i in range(12)]
    assert load(Items(items, classes=["cat", "dog"])).classes == ("cat", "dog")
    three = load(Items(items, classes=["cat", "dog", "emu"]))
    assert three.output_size == 3
    assert any("without a single row: emu" in note for note in three.notes)
    assert any("read once" in note for note in three.notes)
    items[5] = (items[5][0], 2)
    with pytest.raises(BadDataError, match=r"label 2 at row 5.* is no class; they are 0 to 1"):
        load(Items(items, classes=["cat", "dog"]))


def test_bfloat16_and_requires_grad():
    x = torch.from_numpy(X).bfloat16().requires_grad_()
    torch.testing.assert_close(load((x, Y), scale=False).train.x.sum(0), load((x.float(), Y), scale=False).train.x.sum(0))


def put(array, index, value):
    changed = np.array(array, dtype=object if isinstance(value, str) else array.dtype)
    changed[index] = value
    return changed


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(X[0], 0)])


BAD = [
    ((put(X, (4, 1), np.nan), Y), "X is NaN at row 4, column 1"),
    ((put(X, (4, 1), -np.inf), Y), "X is infinite at row 4, column 1"),
    ((put(X.reshape(60, 1, 3, 1), (4, 0, 2, 0), np.nan), Y), r"X is NaN at row 4, position \(0, 2, 0\)"),
    ((put(X, (4, 1), "a"), Y), "X holds object, not real numbers"),
    ((X + 1j, Y), "X holds complex128"),
    ((X[:, 0], Y), r"X must be \[rows, features\].*got \[60\]; a single feature is given as X\[:, None\]"),
    ((X[:0], Y[:0]), "X is empty"),
    ((X[:, :0], Y), "X is empty"),
    ((X, Y[:50]), "60 rows of inputs but 50 of targets"),
    (([[1.0], [1.0, 2.0]], [0, 1]), "X is ragged"),
    ((3, Y), "X must be an array"),
    ((X, np.zeros(60, int)), "has one value alone, '0', in all 60 rows"),
    ((X, np.ones(60)), "the same value in all 36 rows of train"),
    ((X, np.column_stack([X[:, 0], np.ones(60)])), r"\(column 1\) has the same value"),
    ((X, put(X[:, 0], 7, np.nan)), "target 'y' is missing .* in 1 of 60 rows, first at row 7"),
    ((X, put(X[:, 0], 7, np.inf)), "target 'y' is infinite at row 7"),
    ((X, np.array([None, "a"] * 30, dtype=object)), "missing .* in 30 of 60 rows, first at row 0"),
    ((X, np.array([b"a", b"b"] * 30, dtype=object)), "holds bytes; it must be numbers, booleans or text"),
    ((X, np.array(["2020-01-01", "2020-01-02"] * 30, dtype="M8[D]")), "datetime64"),
    ((X, np.eye(3, dtype=int)[Y]), "looks one-hot; classes are given as one number or word a row"),
    ((X, np.where(np.arange(60) == 0, "rare", "common")), "class 'rare' has 1 row; each class needs at least 3"),
    ((X[:2], X[:2, 0]), "the data have 2 rows; a split in three parts needs at least 3"),
    ({"train": (X, Y), "test": (X, Y)}, "need exactly 'train', 'val' and 'test', got 'train', 'test'"),
    ({"train": (X, Y), "val": (X[:, :2], Y), "test": (X, Y)}, r"val: inputs are \[60, 2\], those of train \[60, 3\]"),
    ({"train": (X, Y), "val": (X, Y + 1), "test": (X, Y)}, "val has class '3', which train has no row of"),
    ({"train": (X, Y), "val": (X, Y), "test": (X[:0], Y[:0])}, "test: X is empty"),
    ({"train": (X[::3], Y[::3]), "val": (X, Y), "test": (X, Y)}, "is '0' in all rows of train"),
    (Items([]), "Items is empty"),
    (Endless(), "Endless has no length; give a map-style Dataset"),
    (Items([(X[0], 0), (X[0, :2], 0)]), r"Items\[1\]: x is \[2\], in Items\[0\] \[3\]; pad or resize"),
    (Items([(X[0], 0), (X[0], [0, 1])]), r"Items\[1\]: y is \[2\], in Items\[0\] \[\]"),
    (Items([X[0]]), r"Items\[0\] must be a pair \(x, y\), got ndarray"),
    (Items([(X[0], 0, 1)]), "got 3 values"),
    (Items([(1.0, 0)]), "x is a single number"),
    (Items([(object(), 0)]), r"Items\[0\]: x is a object; give tensors"),
    (Items([OSError("gone")]), r"Items\[0\] raised OSError: gone"),
    (X, "data cannot be ndarray; give a built-in name, a path"),
    ([X, Y], r"data cannot be a list of 2: inputs and targets go in round brackets, \(X, y\)"),
    (DataLoader(Items([(X[0], 0)])), "data cannot be DataLoader: its own .dataset is what to give here"),
    ((X, np.arange(60) * (np.arange(60) < 3)), r"class '1' has 1 row; .*task='regression' \(--task regression\)"),
    ((X, Y, Y), "data cannot be a tuple of 3"),
    (None, "data cannot be NoneType"),
]


@pytest.mark.parametrize(("source", "says"), BAD, ids=[says[:40] for _, says in BAD])
def test_bad_data(source, says):
    with pytest.raises(BadDataError, match=says):
        load(source)


def test_what_does_not_fit_into_float32():
    with pytest.raises(BadDataError, match="too large for float32"):
        load((X * 1e300, Y), scale=False)
    assert torch.isfinite(load((X * 1e100, Y)).train.x).all()


def test_what_is_too_large_to_be_standardised_is_refused():
    # Its deviation is infinite: divided by it, all inputs would be 0 and nothing would say so.
    for large in ((X * [1, 1e200, 1], Y), (X, X[:, 0] * 1e200)):
        with pytest.raises(BadDataError, match=r"arrays.*: .*e\+200 at row \d+ is too large to be standardised"):
            load(large)


def test_sparse_inputs_are_refused_with_the_way_out():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(BadDataError, match=r"X is a sparse matrix; give X.toarray\(\)"):
        load((scipy_sparse.csr_array(X), Y))


def test_options_that_would_do_nothing_are_refused():
    data = load((X, Y))
    for options in ({"seed": 3}, {"split": (0.8, 0.1, 0.1)}, {"task": "regression"}, {"scale": False}, {"target": "y"}):
        with pytest.raises(BadValueError, match=f"so {next(iter(options))}= would change nothing"):
            load(data, **options)
    parts = {"train": (X, Y), "val": (X, Y), "test": (X, Y)}
    with pytest.raises(BadValueError, match="bring their own split, so seed= would change nothing"):
        load(parts, seed=1)
    with pytest.raises(BadValueError, match="target='y' names a column of a file or DataFrame; a tuple of 2 brings"):
        load((X, Y), target="y")


def test_regression_of_text_is_refused():
    with pytest.raises(BadDataError, match="holds text such as '0'; regression needs numbers"):
        load((X, Y.astype(str)), task="regression")
