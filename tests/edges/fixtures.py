"""Fixtures of the doors' tests, for `tests/edges` and `tests/attacks`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edges.asking import DoorName
from tests.edges.rig import Rig, found
from tests.edges.servers import Served, ServerName, serving
from tests.edges.town import Town

Build = Callable[..., Rig]
ASGI = pytest.mark.parametrize("door", ["asgi"], indirect=True)
WSGI = pytest.mark.parametrize("door", ["wsgi"], indirect=True)
"""For a test that makes sense at one door only."""


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Town]:
    """A town to copy, with the policy off and on."""
    off, on = tmp_path_factory.mktemp("off"), tmp_path_factory.mktemp("on")
    town = found(off)
    strict = town.copy(on)
    strict.require_two_step()
    strict.close()
    return {False: town, True: strict}


@pytest.fixture(params=["asgi", "wsgi"])
def door(request: pytest.FixtureRequest) -> DoorName:
    """Either door."""
    found: DoorName = request.param
    return found


@pytest.fixture
def build(door: DoorName, towns: dict[bool, Town], tmp_path: Path) -> Iterator[Build]:
    """Builds rigs with settings of one's own; `policy` says whether two-step is required."""
    built: list[Rig] = []

    def make(*, policy: bool = True, door: DoorName = door, **settings: Any) -> Rig:  # noqa: ANN401
        place = tmp_path / f"town{len(built)}"
        place.mkdir()
        built.append(Rig(door, towns[policy].copy(place), **settings))
        return built[-1]

    yield make
    for rig in built:
        rig.close()


@pytest.fixture
def rig(build: Build) -> Rig:
    """A gate with the policy on."""
    return build()


@pytest.fixture
def lax(build: Build) -> Rig:
    """A gate with the policy off."""
    return build(policy=False)


@pytest.fixture(scope="session")
def uvicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running uvicorn with the policy on, under the real clock."""
    yield from _served("uvicorn", tmp_path_factory.mktemp("uvicorn"))


@pytest.fixture(scope="session")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running gunicorn, preloaded and with two workers, with the policy on, under the real clock."""
    yield from _served("gunicorn", tmp_path_factory.mktemp("gunicorn"), "--preload", "--workers", "2")


@pytest.fixture(params=["uvicorn", "gunicorn"])
def served(request: pytest.FixtureRequest) -> Served:
    """Either real server."""
    found: Served = request.getfixturevalue(request.param)
    return found


def _served(name: ServerName, place: Path, *arguments: str) -> Iterator[Served]:
    town = found(place, time.time())
    town.require_two_step(now=time.time())
    with serving(name, town, *arguments) as server:
        yield server
    town.close()
