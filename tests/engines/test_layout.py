"""Where tensors keep what they are: found here, and not found where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from slalom.engines import inside, layout


@pytest.fixture
def afresh() -> Iterator[None]:
    layout.layout.cache_clear()
    layout.hooks.cache_clear()
    yield
    layout.layout.cache_clear()
    layout.hooks.cache_clear()


def test_the_places_hold_what_they_should() -> None:
    found = layout.layout()
    assert found is not None
    for x in (torch.zeros(2), torch.nn.Parameter(torch.zeros(2, 2)), torch.zeros(3)._neg_view(), torch.eye(2).to_sparse()):
        assert layout._words(id(x) + found.type, 1) == [id(type(x))]
        assert layout._words(id(x) + found.tensor, 1) == [x._cdata]
        assert layout._words(x._cdata + found.keys, 1) == [torch._C._dispatch_keys(x).raw_repr()]
        if x.layout == torch.strided and found.storage:
            assert layout._words(x._cdata + found.storage, 1) == [x.untyped_storage()._cdata]


def test_a_word_that_is_right_by_chance_is_no_place() -> None:
    assert layout._place([([1, 2, 3], 2), ([2, 5, 2], 5)]) == 8
    assert layout._place([([1, 2, 3], 2), ([2, 5, 2], 2)]) is None  # another word in each
    assert layout._place([([2, 2, 3], 2), ([5, 5, 2], 5)]) is None  # two words in both


def test_a_torch_laid_out_in_another_way_is_looked_at_slowly(afresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def raw_repr(self) -> int:
            return 12345

    monkeypatch.setattr(inside, "dispatch_keys", lambda x: Wrong())
    assert layout.layout() is None
    assert layout.hooks() is None


def test_dtypes_have_torchs_numbers() -> None:
    numbers = [layout.dtype_number(d) for d in (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64)]
    assert len(set(numbers)) == 5
    assert min(numbers) >= 0
