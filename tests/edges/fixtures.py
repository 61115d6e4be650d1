"""Fixtures of the doors' tests, for `tests/edges` and `tests/attacks`."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edges.asking import DoorName
from tests.edges.holdings import SQLITE, Backend, RedisHolding, patience
from tests.edges.rig import Rig, found
from tests.edges.servers import Served, ServerName, serving
from tests.edges.town import Town
from tests.stores.redis_servers import SPARE, Kind, Servers, servers

__all__ = ["servers"]

Build = Callable[..., Rig]
ASGI = pytest.mark.parametrize("door", ["asgi"], indirect=True)
WSGI = pytest.mark.parametrize("door", ["wsgi"], indirect=True)
"""For a test that makes sense at one door only."""


Pair = tuple[DoorName, Backend]


def spread(metafunc: pytest.Metafunc, pairs: Iterable[Pair]) -> None:
    """Run a test once for each pair of door and store, as far as it has a door and a store, and does not name them."""
    named = {
        name.strip()
        for mark in metafunc.definition.iter_markers("parametrize")
        for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
    }
    wanted = [name for name in ("door", "backend") if name in metafunc.fixturenames and name not in named]
    if not wanted:
        return
    seen = dict.fromkeys(tuple(pair[("door", "backend").index(name)] for name in wanted) for pair in pairs)
    metafunc.parametrize(wanted, list(seen), indirect=True, ids=["-".join(each) for each in seen])


class Towns:
    """Towns to copy, with the policy off and on, on every kind of store; each is made when it is first asked for."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        self._folder = folder
        self._servers = servers
        self._files: dict[bool, Town] = {}
        self._dumps: dict[tuple[bool, Kind], tuple[Town, dict[bytes, bytes]]] = {}

    def __getitem__(self, policy: bool) -> Town:
        """The one on a file."""
        if policy not in self._files:
            self._files[policy] = self._found(policy, "sqlite", SQLITE)
        return self._files[policy]

    def copy(self, place: Path, *, policy: bool, backend: Backend, number: int = 1) -> Town:
        """A town of this kind in a folder; `number` tells those of one test apart."""
        if backend == "sqlite":
            return self[policy].copy(place)
        if (policy, backend) not in self._dumps:
            url = self._servers.running(backend).url_of(SPARE - 1)
            RedisHolding(url).put_back({})
            self._dumps[policy, backend] = (
                self._found(policy, backend, url),
                RedisHolding(url).dumped(),
            )
        town, dumped = self._dumps[policy, backend]
        return town.settled(place, self._servers.running(backend).url_of(number), dumped)

    def _found(self, policy: bool, name: str, url: str) -> Town:
        place = self._folder / f"{name}-{policy}"
        place.mkdir()
        town = found(place, url=url)
        if policy:
            town.require_two_step()
        town.close()
        return town


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Towns:
    """Towns to copy."""
    return Towns(tmp_path_factory.mktemp("towns"), servers)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Which store the rigs of a test are on."""
    found: Backend = getattr(request, "param", "sqlite")
    with patience():
        yield found


@pytest.fixture
def door(request: pytest.FixtureRequest) -> DoorName:
    """Either door; `spread` says which."""
    found: DoorName = request.param
    return found


@pytest.fixture
def build(door: DoorName, backend: Backend, towns: Towns, tmp_path: Path) -> Iterator[Build]:
    """Builds rigs with settings of one's own; `policy` says whether two-step is required."""
    built: list[Rig] = []

    def make(*, policy: bool = True, door: DoorName = door, **settings: Any) -> Rig:  # noqa: ANN401
        place = tmp_path / f"town{len(built)}"
        place.mkdir()
        town = towns.copy(place, policy=policy, backend=backend, number=1 + len(built))
        built.append(Rig(door, town, **settings))
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
