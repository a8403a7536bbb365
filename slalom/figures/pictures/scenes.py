"""Which picture a record gets."""

from __future__ import annotations

from typing import Any, Protocol

from slalom.core.errors import BadValueError
from slalom.figures.pictures.landscape import LandscapeScene
from slalom.landscape.paths.record import Landscape


class Scene(Protocol):
    """A picture: `still()` gives the figure. One that `moves` can be built once and shown at each of `length + 1` moments."""

    moves: bool

    def still(self) -> Any: ...


def scene_of(record: Any, **options: Any) -> Any:
    """The scene of a record; BadValueError for what has none."""
    if isinstance(record, Landscape):
        return LandscapeScene(record, **options)
    raise BadValueError(f"there is no picture of a {type(record).__name__}")
