"""Decides how long to wait for a Redis server, what is tried twice, and what its errors mean; it knows no key.

A read is tried once more after a lost connection or a time-out. A write is never repeated here: it may have been
done although no answer came, and would then meet itself.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import PubSub
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.settings.store_urls import RedisAddress
from mfa_gate.stores.redis_lane import Lane
from mfa_gate.stores.redis_scripts import Call

TIMEOUT_SECONDS: Final = 0.25
"""For connecting, and for each answer: a server that hangs must not hold a request for a second."""

_CURES: Final[tuple[tuple[str, str], ...]] = (
    ("AuthenticationError", "give its user and password in [store] url"),
    ("NOAUTH", "give its user and password in [store] url"),
    ("NOPERM", "let its user read and write ~mfa:* and &mfa:*, and run scripts"),
    ("NoPermissionError", "let its user read and write ~mfa:* and &mfa:*, and run scripts"),
    ("BusyLoadingError", "it is starting; wait"),
    ("ReadOnlyError", "it is a replica; let [store] url name the master"),
    ("OutOfMemoryError", "its memory is full; raise maxmemory"),
    ("MISCONF", "it cannot save to its disk; look at its log"),
    ("NOREPLICAS", "its replicas are missing; look at its log"),
    ("WRONGTYPE", "something else writes to its keys mfa:*; give the gate a database of its own"),
    ("MOVED", "it is a node of a cluster; name a single server"),
    ("ASK", "it is a node of a cluster; name a single server"),
    ("CLUSTERDOWN", "its cluster is down"),
    ("BUSY", "it is busy with a script; look at its slow log"),
    ("Error compiling script", "it is older than Redis 7; install Redis 7 or later, or Valkey"),
    ("TimeoutError", "it hangs or has too much to do; look at its slow log"),
    ("ConnectionError", "start it, or correct [store] url"),
)


Words = tuple[str | bytes | int, ...]


class _Redis(Protocol):
    """What is used of `redis.Redis`, which leaves half of its verbs untyped."""

    def execute_command(self, *words: str | bytes | int) -> Any: ...  # noqa: ANN401
    def pipeline(self, *, transaction: bool) -> Any: ...  # noqa: ANN401
    def pubsub(self) -> PubSub: ...
    def close(self) -> None: ...


class _Client:
    """Single scripts, which requests wait for, go by a lane of their own; everything else as the client does it."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.lane = Lane(pool)
        self.redis = cast("_Redis", redis.Redis.from_pool(pool))

    def close(self) -> None:
        self.lane.close()
        self.redis.close()


class _Clients:
    """What one process has open. A child of a fork makes its own and leaves these alone."""

    def __init__(self, address: RedisAddress, timeout_seconds: float) -> None:
        self.pid = os.getpid()
        once_more = Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.1), 1)
        self.reading = _Client(_pool(address, timeout_seconds, once_more))
        self.writing = _Client(_pool(address, timeout_seconds, Retry(NoBackoff(), 0)))


class Server:
    """One Redis server; may be used by any number of threads, and on both sides of a fork.

    Every method raises `StoreUnavailable` for whatever goes wrong, and the next call tries anew.
    """

    def __init__(self, address: RedisAddress, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.address = address
        self.timeout_seconds = timeout_seconds
        self._clients: _Clients | None = None

    def read(self, call: Call) -> Any:  # noqa: ANN401 - what a script answers
        """Run a script that only reads; one round trip."""
        return self._one(self._here().reading, call)

    def read_all(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts that only read; one round trip."""
        return self._many(self._here().reading, calls)

    def write(self, call: Call) -> Any:  # noqa: ANN401 - what a script answers
        """Run a script once; one round trip. If no answer comes, it may have run."""
        return self._one(self._here().writing, call)

    def write_all(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts, each once; one round trip."""
        return self._many(self._here().writing, calls)

    def ask(self, *words: str | bytes | int) -> Any:  # noqa: ANN401 - what a command answers
        """Run a command that only reads."""
        with self.explained():
            return self._here().reading.redis.execute_command(*words)

    def ask_all(self, commands: Sequence[Words]) -> list[Any]:
        """Run commands that only read; one round trip."""
        with self.explained():
            return _whole(_pipelined(self._here().reading, commands))

    def put_all(self, commands: Sequence[Words]) -> list[Any]:
        """Run commands, each once; one round trip."""
        with self.explained():
            return _whole(_pipelined(self._here().writing, commands))

    def put_together(self, *commands: Words) -> None:
        """Run commands of one hash slot, all or none, once."""
        with self.explained(), self._here().writing.redis.pipeline(transaction=True) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            pipeline.execute()

    def scan(self, *words: str, match: str = "*", count: int = 1000) -> Iterator[Any]:
        """What SCAN or HSCAN gives, part by part."""
        cursor: Any = 0
        while True:
            cursor, part = self.ask(*words, cursor, "MATCH", match, "COUNT", count)
            yield part
            if int(cursor) == 0:
                return

    @contextmanager
    def listening(self, channel: str) -> Iterator[tuple[PubSub, int]]:
        """A connection on which nothing is repeated, so that a lost one is noticed; and the server's number for it."""
        with self.explained():
            pubsub = self._here().writing.redis.pubsub()
        try:
            with self.explained():
                pubsub.subscribe(channel)
                connection: Any = pubsub.connection
                number = int(connection.handshake_metadata[b"id"])
            yield pubsub, number
        finally:
            pubsub.close()

    def close(self) -> None:
        """Let go of all connections that are not in use; the next call makes new ones."""
        clients, self._clients = self._clients, None
        if clients is not None and clients.pid == os.getpid():
            clients.reading.close()
            clients.writing.close()

    def _here(self) -> _Clients:
        clients = self._clients
        if clients is None or clients.pid != os.getpid():
            clients = self._clients = _Clients(self.address, self.timeout_seconds)
        return clients

    def _one(self, client: _Client, call: Call) -> Any:  # noqa: ANN401 - what a script answers
        with self.explained():
            try:
                return client.lane.run(*_words(call, known=True))
            except NoScriptError:
                # It did not run, so that it may be sent again, with its text.
                return client.lane.run(*_words(call, known=False))

    def _many(self, client: _Client, calls: Sequence[Call]) -> list[Any]:
        with self.explained():
            answers = _pipelined(client, [_words(call, known=True) for call in calls])
            unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            again = _pipelined(client, [_words(calls[at], known=False) for at in unknown])
            for at, answer in zip(unknown, again, strict=True):
                answers[at] = answer
            return _whole(answers)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Whatever redis raises inside becomes `StoreUnavailable`."""
        try:
            yield
        except (RedisError, OSError) as error:
            if isinstance(error, ReadOnlyError):
                # Security: what was the master is a replica now. Whoever goes on reading it may miss a revocation.
                self._clients = None
            raise self.unavailable(error) from error
        except BaseException as error:
            # A thread that is interrupted, by a worker's time-out for example, may leave a connection half made or
            # an answer half read. None of them is used again.
            self._clients = None
            if isinstance(error, Exception):
                raise self.unavailable(error) from error
            raise

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """What to raise for an error, with its cure."""
        names = [kind.__name__ for kind in type(error).__mro__]
        cure = next(
            (cure for word, cure in _CURES if word in names or str(error).startswith(word)),
            "see the server's log",
        )
        return StoreUnavailable(f"The store {self.address} does not answer ({error}): {cure}.")


def _pool(address: RedisAddress, timeout_seconds: float, retry: Retry) -> ConnectionPool:
    options: dict[str, Any] = {}
    if address.tls:
        options = {
            "ssl_ca_certs": address.ca_file and str(address.ca_file),
            "ssl_certfile": address.cert_file and str(address.cert_file),
            "ssl_keyfile": address.key_file and str(address.key_file),
        }
    if address.password is not None:
        options |= {"username": address.user, "password": address.password.reveal().decode()}
    return ConnectionPool(
        connection_class=SSLConnection if address.tls else Connection,
        host=address.host,
        port=address.port,
        db=address.db,
        protocol=3,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=retry,
        redis_connect_func=_greet,
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options,
    )


def _greet(connection: Connection) -> None:
    """Sign in; a replica is refused.

    # Security: a replica that has lost its master answers for ever with what was true then.
    """
    connection.on_connect()  # type: ignore[no-untyped-call]
    told: dict[Any, Any] = connection.handshake_metadata
    role = told.get(b"role")
    if role != b"master":
        raise ReadOnlyError(f"it says that it is a {(role or b'server of no known role').decode()}")


def _words(call: Call, *, known: bool) -> Words:
    script: Words = ("EVALSHA", call.script.sha) if known else ("EVAL", call.script.text)
    return (*script, len(call.keys), *call.keys, *call.args)


def _pipelined(client: _Client, commands: Sequence[Words]) -> list[Any]:
    if not commands:
        return []
    with client.redis.pipeline(transaction=False) as pipeline:
        for words in commands:
            pipeline.execute_command(*words)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def _whole(answers: list[Any]) -> list[Any]:
    """The answers, if none of them is an error."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
