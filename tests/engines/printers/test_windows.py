"""A window taken apart: what is pushed and summed, entry by entry."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from slalom.core.ops import push, sqrt, total
from slalom.core.rule import REGISTRY, Count, Hyper, State, rule
from slalom.engines.printers.nodes import Call, walk
from slalom.engines.printers.tree import LanguageError, program
from slalom.engines.printers.windows import MOST, unrolled
from slalom.rules import windowed_adadelta


def test_the_entries_move_by_one_and_are_summed() -> None:
    made = unrolled(program(windowed_adadelta(w=3)))
    assert made.element_states == ["G__0", "G__1", "G__2"]
    assert made.places["G__2"] == ("G", 2)
    assert [str(getattr(v, "name", v)) for v in made.states.values()] == ["G__1", "G__2", "G__new"]
    assert not any(isinstance(n, Call) and n.fn in ("push", "total") for a in made.assigns for n in walk(a.value))
    assert not made.windowed


def test_a_long_window_is_left_to_the_rule() -> None:
    assert len(unrolled(program(windowed_adadelta(w=MOST))).places) == MOST
    with pytest.raises(LanguageError, match="too long"):
        unrolled(program(windowed_adadelta(w=MOST + 1)))


@rule(source="none", differs="none", lr=Hyper(0.1, r"\eta", "rate", ge=0), w=Count(2, "w", "how many"), G=State(window="w"))
def doubled(p: Any, g: Any, s: Any, h: Any, t: Any) -> Any:
    """A window that is calculated with."""
    W = push(s.G, g)
    W = W * 2
    p = p - h.lr * g / sqrt(total(W))
    return p, s._replace(G=W)


del REGISTRY["doubled"]  # it is nobody's choice in the other tests


def test_a_window_that_is_calculated_with_is_refused() -> None:
    with pytest.raises(LanguageError, match="doubled"):
        unrolled(program(doubled()))


def test_entries_lie_where_the_state_has_them() -> None:
    from slalom.engines.fused import _entry

    x = torch.zeros(3, 4, 5)
    assert [_entry(x, k) for k in range(3)] == [x[k].data_ptr() for k in range(3)]
