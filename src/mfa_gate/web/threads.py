"""Threads of our own for whatever waits, so that the portal's are never used up; it knows nothing of the work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import anyio
import anyio.from_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")


class Threads:
    """At most `number` threads for each event loop.

    Security: a limiter that two loops share loses wake-ups, and requests then wait for ever. A process may well have
    two: WSGI pages behind two middlewares, or two first requests at one moment.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._limiters: RunVar[anyio.CapacityLimiter] = RunVar("mfa_gate_threads")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, done in one of the threads."""

        def done() -> T:
            try:
                return work()
            except asyncio.CancelledError as error:
                # Security: to the loop it would look as if the request had been cancelled, and a WSGI thread would
                # wait for its answer for ever. Nobody cancels work in a thread.
                raise RuntimeError("Work that nobody can cancel says that it was cancelled.") from error

        return await anyio.to_thread.run_sync(done, limiter=self._limiter())

    def _limiter(self) -> anyio.CapacityLimiter:
        found = self._limiters.get(None)
        if found is None:
            found = anyio.CapacityLimiter(self._number)
            self._limiters.set(found)
        return found


def from_loop(stream: AsyncIterator[bytes]) -> Callable[[], bytes]:
    """What gives a thread of ours the next piece of a stream that the loop reads; nothing at its end.

    Raises what the stream raises.
    """

    async def following() -> bytes:
        async for piece in stream:
            if piece:
                return piece
        return b""

    return lambda: anyio.from_thread.run(following)
