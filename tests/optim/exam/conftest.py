"""The exam is taken by every class."""

import pytest

from tests.optim.exam.infos import NAMES


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a class in slalom.optim."""
    taken: str = request.param
    return taken
