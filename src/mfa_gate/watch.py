"""Long answers and open sockets are judged again every second, and cut when their visitor would no longer pass.

One watch per event loop; it knows neither the request nor what the visitor is judged by.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial

INTERVAL_SECONDS = 1.0
CLOSE_CODE = 4401
"""WebSocket close code where a second step is asked for: HTTP's 401 in the range for private use."""

_ENDS_OF_SOCKETS = frozenset({"websocket.close", "websocket.http.response.body"})


Task = asyncio.Task[object]


class Stream:
    """A long answer or an open socket."""

    def __init__(
        self,
        watch: "LoopWatch",
        *,
        still: Callable[[], bool],
        task: "asyncio.Task[object] | None",
        is_socket: bool,
    ) -> None:
        self.was_cut = False
        self.still = still
        self._watch = watch
        self._task = task
        self._is_socket = is_socket
        self._closed = False

    def notice(self, message: Mapping[str, object]) -> None:
        """What the portal sends next; once cut, nothing of it goes out."""
        if self.was_cut:
            raise CutOff
        if message["type"] in _ENDS_OF_SOCKETS:
            self._closed = True

    def cut(self) -> None:
        """End the portal's work on this request."""
        self.was_cut = True
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> None:
        """The portal's work has ended."""
        self._watch.remove(self)

    async def say_goodbye(self, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        """Close a socket with our code. An HTTP answer that was cut has no end, so that the server closes it."""
        if self._task is not None:
            self._task.uncancel()
        if self._is_socket and not self._closed:
            await send({"type": "websocket.close", "code": CLOSE_CODE, "reason": "two_step_code_required"})


class CutOff(OSError):
    """The visitor may no longer see what the portal sends."""


class LoopWatch:
    """For ASGI: one task while there is something to watch."""

    def __init__(self, in_thread: Callable[[Callable[[], list[Stream]]], Awaitable[list[Stream]]]) -> None:
        self._in_thread = in_thread
        self._watched: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, watched: Stream) -> None:
        """Watch until it is removed or cut."""
        self._watched.add(watched)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, watched: Stream) -> None:
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


def gone(watched: list[Stream]) -> list[Stream]:
    """Those that would no longer pass."""
    return [each for each in watched if not each.still()]


class PieceWatch:
    """For WSGI: lets the pieces of a long answer go out as long as its visitor would still pass; asks once a second."""

    def __init__(self, still: Callable[[], bool], monotonic: Callable[[], float], begun_at: float) -> None:
        self._still = still
        self._monotonic = monotonic
        self._due = begun_at + INTERVAL_SECONDS

    def look(self) -> None:
        """Raise `ConnectionAbortedError` once nothing may go out any more."""
        if self._monotonic() >= self._due:
            if not self._still():
                raise ConnectionAbortedError("This visitor may no longer see this.")
            self._due = self._monotonic() + INTERVAL_SECONDS


class WatchedPieces:
    """A long answer's pieces; it ends early once its visitor would no longer pass."""

    def __init__(self, pieces: Iterable[bytes], watch: PieceWatch) -> None:
        self._source = pieces
        self._watch = watch

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._source:
            self._watch.look()
            yield piece

    def close(self) -> None:
        """PEP 3333: always called by the server, and passed on."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
