"""Which picture a record gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from slalom.core.errors import BadValueError
from slalom.figures.pictures.landscape import LandscapeScene
from slalom.figures.pictures.network import InterpolationScene, NetworkScene
from slalom.figures.pictures.race import RaceScene
from slalom.figures.pictures.teaching import ActivationsScene, ChartsScene, PanelsScene, VectorsScene
from slalom.landscape.networks.record import Interpolation, NetworkLandscape
from slalom.landscape.paths.record import Landscape
from slalom.landscape.teaching.record import Activations, Charts, Panels, Vectors
from slalom.race.outcome import RaceResult


class Scene(Protocol):
    """A picture: `still()` gives the figure. One that `moves` can be built once and shown at each of `length + 1` moments."""

    moves: bool

    def still(self) -> Any: ...


SCENES: dict[type[Any], Callable[..., Any]] = {
    Landscape: LandscapeScene, NetworkLandscape: NetworkScene, Interpolation: InterpolationScene, Panels: PanelsScene,
    Vectors: VectorsScene, Charts: ChartsScene, Activations: ActivationsScene,
    RaceResult: RaceScene,
}  # fmt: skip


def scene_of(record: Any, **options: Any) -> Any:
    """The scene of a record; BadValueError for what has none."""
    for kind, scene in SCENES.items():
        if isinstance(record, kind):
            return scene(record, **options)
    raise BadValueError(f"there is no picture of a {type(record).__name__}")
