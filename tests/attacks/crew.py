"""Four worker processes of one gate on one store, each with a door of its own; the test tells them the time.

They are told over pipes what to ask of their doors, so that a hundred requests really meet in the store.
"""

import asyncio
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.edges.asking import Ask, DoorName, Got, ask_wsgi, asking
from tests.edges.holdings import patience
from tests.edges.rig import Rig
from tests.edges.town import Town

WORKERS = 4
PATIENCE_SECONDS = 60


class Crew:
    """The workers. `join` brings them to a rig's store; `fire` spreads requests over them, all at one moment."""

    def __init__(self, size: int = WORKERS) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def join(self, rig: Rig, **settings: Any) -> "Crew":  # noqa: ANN401
        """Serve the store of a rig, by the same kind of door."""
        self._all([("join", rig.door, rig.town.place, settings, rig.clock())] * len(self._pipes))
        return self

    def fire(self, asks: Sequence[Ask], now: float) -> list[Got]:
        """All of the requests at one moment, dealt out to the workers in turn; the answers in the same order."""
        size = len(self._pipes)
        answers = self._all([("fire", asks[at::size], now) for at in range(size)])
        return [answers[at % size][at // size] for at in range(len(asks))]

    def each(self, ask: Ask, now: float) -> list[Got]:
        """The same request to every worker."""
        return self.fire([ask] * len(self._pipes), now)

    def reached(self) -> int:
        """How many requests reached the portal since the workers joined."""
        return sum(self._all([("reached",)] * len(self._pipes)))

    def close(self) -> None:
        """Let the workers go."""
        for pipe in self._pipes:
            pipe.send(("leave",))
        for process in self._processes:
            process.join(PATIENCE_SECONDS)
            process.close()

    def _all(self, orders: Iterable[tuple[object, ...]]) -> list[Any]:
        for pipe, order in zip(self._pipes, orders, strict=True):
            pipe.send(order)
        answers = []
        for pipe in self._pipes:
            assert pipe.poll(PATIENCE_SECONDS), "a worker does not answer"
            answers.append(pipe.recv())
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


def work(pipe: Connection) -> None:
    """What a worker process does until it is told to leave."""
    with patience():
        _serve(pipe)


def _serve(pipe: Connection) -> None:
    worker = _Worker()
    while True:
        order, *rest = pipe.recv()
        if order == "leave":
            worker.close()
            return
        try:
            pipe.send(getattr(worker, order)(*rest))
        except Exception as error:  # noqa: BLE001 - the test shall see it
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


class _Worker:
    def __init__(self) -> None:
        self._rig: Rig | None = None
        self._runner = asyncio.Runner()
        self._threads = ThreadPoolExecutor(32)

    def join(self, door: DoorName, place: Path, settings: dict[str, Any], now: float) -> None:
        self.close()
        self._rig = Rig(door, Town(place), **settings)
        self._rig.clock.now = now
        self._rig.get("/static/warm")

    def fire(self, asks: Sequence[Ask], now: float) -> list[Got]:
        assert self._rig is not None
        self._rig.clock.now = now
        if self._rig.door == "wsgi":
            app = self._rig.wsgi
            return list(self._threads.map(lambda ask: ask_wsgi(app, ask), asks))
        return self._runner.run(self._gathered(asks))

    def reached(self) -> int:
        assert self._rig is not None
        return sum(seen.path != "/static/warm" for seen in self._rig.seen)

    def close(self) -> None:
        if self._rig is not None:
            self._rig.close()
            self._rig = None

    async def _gathered(self, asks: Sequence[Ask]) -> list[Got]:
        assert self._rig is not None
        return await asyncio.gather(*(asking(self._rig.asgi, ask) for ask in asks))


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """Four workers; they begin when a test first asks for them."""
    found = Crew()
    yield found
    found.close()
