"""Long answers and open sockets are judged again every second, and cut when their visitor would no longer pass.

One watch per event loop; it asks the checker and knows neither request nor response.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

INTERVAL_SECONDS = 1.0


class Watched(Protocol):
    """One long answer."""

    def still(self) -> bool:
        """Whether its visitor would still pass; may block."""

    def cut(self) -> None:
        """End it now."""


class LoopWatch:
    """For ASGI: one task while there is something to watch."""

    def __init__(self, in_thread: Callable[[Callable[[], list[Watched]]], Awaitable[list[Watched]]]) -> None:
        self._in_thread = in_thread
        self._watched: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, watched: Watched) -> None:
        """Watch until it is removed or cut."""
        self._watched.add(watched)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, watched: Watched) -> None:
        """It has ended by itself."""
        self._watched.discard(watched)

    async def _run(self) -> None:
        while self._watched:
            await asyncio.sleep(INTERVAL_SECONDS)
            watched = list(self._watched)
            for each in await self._in_thread(partial(gone, watched)):
                if each in self._watched:
                    self._watched.discard(each)
                    each.cut()


def gone(watched: list[Watched]) -> list[Watched]:
    """Those that would no longer pass."""
    return [each for each in watched if not each.still()]
