"""What tests of the pages may ask for: a house with a gate, with the policy off and on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.house import House

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds houses with settings of one's own."""
    built: list[House] = []

    def make(*, home: str = "http://localhost:8000", **settings: Any) -> House:  # noqa: ANN401
        place = tmp_path / f"house{len(built)}"
        place.mkdir()
        built.append(House(place, home=home, **settings))
        return built[-1]

    yield make
    for house in built:
        house.close()


@pytest.fixture
def house(build: Build) -> House:
    """A gate whose policy is off."""
    return build()


@pytest.fixture
def strict(house: House) -> House:
    """A gate that requires two-step of everybody."""
    house.require_two_step()
    return house
