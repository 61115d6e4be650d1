"""Where a town's store lies, as somebody with a shell handles it, past the store: copied, counted, taken away."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_keys import FIRST, SHARDS, key, live_key
from tests.stores.redis_servers import SPARE, Kind

Backend = Literal["sqlite"] | Kind
BACKENDS: tuple[Backend, ...] = ("sqlite", *get_args(Kind))
SQLITE = "sqlite:gate.db"
PATIENCE_SECONDS = 10.0
_KEPT = ("account", "live", "policy", "register", "audit", "traffic")
_NOTE = "store_url"
_QUIET = "CREATE TRIGGER quiet AFTER INSERT ON change BEGIN DELETE FROM change WHERE seq = NEW.seq; END"
"""Only what is new: that older rows are gone is noticed, and everything is forgotten then."""
_PASSING = tuple(key(FIRST, word).encode() for word in ("lease:", "checkpoints", "jobs"))
_WHOLE: dict[bytes, tuple[str, ...]] = {
    b"hash": ("HGETALL",),
    b"zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
    b"stream": ("XRANGE", "-", "+"),
    b"string": ("GET",),
}


class Holding(Protocol):
    """What can be done to a store by hand."""

    def rows(self) -> dict[str, int]:
        """How many there are of each kind: `account`, `live` (sessions and challenges), `audit`, `traffic` …"""

    def fingerprint(self) -> str:
        """Of everything that is kept. Each write seals anew, so that even an idle one shows."""

    def everything(self) -> bytes:
        """Every byte of it."""

    def live(self, account_id: str) -> list[str]:
        """`session KEY` and `challenge ID` of whatever is kept of somebody."""

    def size(self) -> int:
        """About how many bytes it takes, but for what background jobs write."""

    def away(self) -> AbstractContextManager[None]:
        """While it lasts there is nothing where the store was."""

    def takes_no_write(self) -> AbstractContextManager[None]:
        """While it lasts the store can be read and not written."""

    def untold(self) -> AbstractContextManager[None]:
        """While it lasts no process hears of what another has changed."""


def holding(place: Path) -> Holding:
    """What holds the store of the town in this folder."""
    url = url_of(place)
    return SqliteHolding(place) if url == SQLITE else RedisHolding(url)


def url_of(place: Path) -> str:
    """`[store] url` of the town in this folder."""
    note = place / _NOTE
    return note.read_text() if note.exists() else SQLITE


def settle(place: Path, url: str) -> None:
    """The town in this folder has its store at `url`."""
    if url != SQLITE:
        (place / _NOTE).write_text(url)


@contextmanager
def patience() -> Iterator[None]:
    """While it lasts, whoever opens a store waits longer for its server than a gate would on a busy machine."""
    defaults = RedisStore.open.__func__.__kwdefaults__  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(defaults, "timeout_seconds", PATIENCE_SECONDS)
        yield


class SqliteHolding:
    """A file."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def copy_to(self, place: Path) -> None:
        """The same file in another folder."""
        shutil.copy(self._place / "gate.db", place / "gate.db")

    def rows(self) -> dict[str, int]:
        with self._open() as db:
            tables = (*_KEPT, "change")
            return {name: db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}

    def fingerprint(self) -> str:
        with self._open() as db:
            return _digest(
                row for table in _KEPT for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
            )

    def everything(self) -> bytes:
        files = sorted(self._place.glob("gate.db*"))
        assert len(files) > 1, "the log is part of it"
        return b"\0".join(path.read_bytes() for path in files)

    def live(self, account_id: str) -> list[str]:
        asked = "SELECT kind || ' ' || key FROM live WHERE account = ?"
        with self._open() as db:
            return [found for (found,) in db.execute(asked, (account_id,))]

    def size(self) -> int:
        # Not that of the files: how long the log has become depends on when somebody read last.
        with self._open() as db:
            pages, each = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages * each)

    @contextmanager
    def away(self) -> Iterator[None]:
        (self._place / "gate.db").rename(self._place / "away")
        yield
        (self._place / "away").rename(self._place / "gate.db")

    @contextmanager
    def takes_no_write(self) -> Iterator[None]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    @contextmanager
    def untold(self) -> Iterator[None]:
        with self._open() as db:
            db.execute(_QUIET)
            yield
            db.execute("DROP TRIGGER quiet")

    def _open(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(self._place / "gate.db", isolation_level=None))


class RedisHolding:
    """One database of a server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def dumped(self) -> dict[bytes, bytes]:
        """Everything, to be put back."""
        with self.opened() as client:
            names = list(client.scan_iter(count=1000))
            return dict(zip(names, _piped(client, (("DUMP", name) for name in names)), strict=True))

    def put_back(self, dumped: dict[bytes, bytes]) -> None:
        """Everything as it was then, and nothing else."""
        with self.opened() as client:
            client.flushdb()
            _piped(client, (("RESTORE", name, 0, value) for name, value in dumped.items()))

    def rows(self) -> dict[str, int]:
        parts = {"account": ("HLEN", "accounts"), "register": ("HLEN", "heads"), "audit": ("XLEN", "events")}
        with self.opened() as client:
            found = {
                name: sum(_piped(client, ((count, key(shard, part)) for shard in SHARDS)))
                for name, (count, part) in parts.items()
            }
            lives = client.scan_iter(match=key("?", "live", "*"), count=1000)
            found["live"] = sum(_piped(client, (("HLEN", name) for name in lives)))
            found["traffic"] = client.hlen(key(FIRST, "traffic"))
        found["account"] -= 1  # the policy lies beside them
        return found

    def fingerprint(self) -> str:
        return _digest(
            (name, sorted(pair for pair in value.items() if pair[0] != b"checkpoint"))
            if isinstance(value, dict)
            else (name, value)
            for name, value in self._read().items()
            if not name.startswith(_PASSING)
        )

    def everything(self) -> bytes:
        return b"\0".join(_flat(self._read().items()))

    def live(self, account_id: str) -> list[str]:
        kinds = {b"s:": "session", b"c:": "challenge"}
        with self.opened() as client:
            return [
                f"{kinds[field[:2]]} {field[2:].decode()}" for field in client.hkeys(live_key(account_id))
            ]

    def size(self) -> int:
        with self.opened() as client:
            names = (name for name in client.scan_iter(count=1000) if not name.startswith(_PASSING))
            return sum(_piped(client, (("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names)))

    @contextmanager
    def away(self) -> Iterator[None]:
        number = int(self._url.rpartition("/")[2])
        with self.opened() as client:
            client.swapdb(number, SPARE)
            yield
            client.swapdb(number, SPARE)

    @contextmanager
    def takes_no_write(self) -> Iterator[None]:
        with self.opened() as client:
            client.config_set("min-replicas-to-write", 1)
            try:
                yield
            finally:
                client.config_set("min-replicas-to-write", 0)

    @contextmanager
    def untold(self) -> Iterator[None]:
        with self.opened() as client:
            client.execute_command("ACL", "SETUSER", "default", "-subscribe")
            client.client_kill_filter(_type="pubsub")
            try:
                yield
            finally:
                client.execute_command("ACL", "SETUSER", "default", "+subscribe")

    def _read(self) -> dict[bytes, Any]:
        with self.opened() as client:
            names = sorted(client.scan_iter(count=1000))
            kinds = _piped(client, (("TYPE", name) for name in names))
            asked = [
                (_WHOLE[kind][0], name, *_WHOLE[kind][1:]) for name, kind in zip(names, kinds, strict=True)
            ]
            return dict(zip(names, _piped(client, asked), strict=True))

    def opened(self) -> Any:  # noqa: ANN401 - redis leaves half of its verbs untyped
        """A client of the database."""
        return redis.Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), socket_timeout=PATIENCE_SECONDS)


def _piped(client: Any, commands: Iterable[tuple[Any, ...]]) -> list[Any]:  # noqa: ANN401
    with client.pipeline(transaction=False) as pipeline:
        for words in commands:
            pipeline.execute_command(*words)
        answers: list[Any] = pipeline.execute()
    return answers


def _digest(parts: Iterable[object]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(repr(part).encode())
    return found.hexdigest()


def _flat(value: object) -> Iterator[bytes]:
    """Every byte string in there."""
    match value:
        case bytes():
            yield value
        case dict():
            yield from _flat(value.items())
        case str() | int() | float() | None:
            yield str(value).encode()
        case _:
            for each in value:  # type: ignore[attr-defined]  # a list, a tuple or a view
                yield from _flat(each)
