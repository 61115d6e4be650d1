"""Decides over which connection one command goes, and when a connection may be used again; it knows no key.

The client's own way from a command to an answer takes longer than the server takes for a script. Here it is as short
as it can be: connections, sign-in, time-outs and retries are the client's, and nothing else of it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol, cast

from redis.connection import ConnectionPool
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry


class _Connection(Protocol):
    """What is used of `redis.connection.Connection`, which leaves half of its verbs untyped."""

    retry: Retry

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def can_read(self, timeout: float) -> bool: ...
    def send_packed_command(self, command: Sequence[bytes]) -> None: ...
    def read_response(self) -> Any: ...  # noqa: ANN401


class Lane:
    """Connections that `pool` makes; may be used by any number of threads, each of which has one for itself.

    A step that two threads could divide is none: a fork must not leave a lock behind that is held for ever.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._free = deque[_Connection]()

    def run(self, *words: str | bytes | int) -> Any:  # noqa: ANN401 - what a command answers
        """One command, tried as often as the pool's connections do. Raises whatever redis raises."""
        connection = self._taken()
        command = (packed(words),)
        try:
            answer = connection.retry.call_with_retry(
                lambda: _exchanged(connection, command), lambda _: connection.disconnect()
            )
        except ResponseError:
            # It is an answer, too, and was read to its end.
            self._free.append(connection)
            raise
        except BaseException:
            # Security: what is still to come on it would be taken for the answer to the next command (F16).
            connection.disconnect()
            raise
        self._free.append(connection)
        return answer

    def close(self) -> None:
        """Let go of the connections that are not in use."""
        while self._free:
            self._free.pop().disconnect()

    def _taken(self) -> _Connection:
        """A connection that is open, and on which nothing waits to be read."""
        try:
            connection = self._free.pop()
        except IndexError:
            connection = cast("_Connection", self._pool.connection_class(**self._pool.connection_kwargs))
        connection.connect()
        if not _is_quiet(connection):
            connection.disconnect()
            connection.connect()
        return connection


def packed(words: Sequence[str | bytes | int]) -> bytes:
    """One command as the protocol has it."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts += (b"$%d\r\n" % len(raw), raw, b"\r\n")
    return b"".join(parts)


def _exchanged(connection: _Connection, command: Sequence[bytes]) -> Any:  # noqa: ANN401 - what a command answers
    connection.send_packed_command(command)
    return connection.read_response()


def _is_quiet(connection: _Connection) -> bool:
    """Whether the server has neither said anything unasked nor closed it."""
    try:
        return not connection.can_read(0)
    except (OSError, RedisError):
        return False
