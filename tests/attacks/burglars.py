"""Somebody who can write everything in a store, and has no key: takes parts out, and puts them where they like."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from mfa_gate.core.events import ORG
from mfa_gate.stores.redis_keys import key, last_key, live_key, shard_of
from tests.edges.holdings import RedisHolding
from tests.edges.town import Town

Part = Literal["document", "head", "live", "trail"]
"""Of one person, or of the organization: the record, what outlives it, what is alive, and the events."""
Loot = Any


class Burglar(Protocol):
    """What a thief does with the store."""

    def take(self, part: Part, who: str) -> Loot:
        """A copy of it."""

    def put(self, part: Part, who: str, loot: Loot) -> None:
        """Put it in the place of what somebody has there; an empty copy takes that away."""

    def live(self, who: str, name: str, sealed: bytes, expires_at: int) -> None:
        """Plant something alive (`s:` a session, `c:` a challenge, and its key)."""

    def hold(self, job: str) -> None:
        """Keep the lease of a job for ever, so that nobody does it."""

    def index(self, who: str) -> None:
        """Whatever lists and counters are made from says that somebody has two-step, and waits for nothing."""


@contextmanager
def burglar(town: Town) -> Iterator[Burglar]:
    """A thief in the store of this town."""
    there = town.holding
    if isinstance(there, RedisHolding):
        with there.opened() as client:
            yield _AtRedis(client)
    else:
        yield _AtFile(town.place / "gate.db")


_TABLES: dict[Part, tuple[str, str]] = {
    "document": ("account", "id"),
    "head": ("register", "account"),
    "live": ("live", "account"),
    "trail": ("audit", "account"),
}


class _AtFile:
    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self, part: Part, who: str) -> Loot:
        table, whose = self._table(part, who)
        with self._open() as db:
            return [dict(row) for row in db.execute(f"SELECT * FROM {table} WHERE {whose} = ?", (who,))]

    def put(self, part: Part, who: str, loot: Loot) -> None:
        table, whose = self._table(part, who)
        with self._open() as db:
            db.execute(f"DELETE FROM {table} WHERE {whose} = ?", (who,))
            for row in loot:
                moved = row | ({} if table == "policy" else {whose: who})
                places = ", ".join("?" * len(moved))
                db.execute(f"INSERT INTO {table} ({', '.join(moved)}) VALUES ({places})", (*moved.values(),))

    def live(self, who: str, name: str, sealed: bytes, expires_at: int) -> None:
        kind = {"s": "session", "c": "challenge"}[name[0]]
        with self._open() as db:
            db.execute("INSERT INTO live VALUES (?, ?, ?, ?, ?)", (who, kind, name[2:], expires_at, sealed))

    def hold(self, job: str) -> None:
        with self._open() as db:
            db.execute("REPLACE INTO lease VALUES (?, 'a thief', 1 << 40, 1 << 20)", (job,))

    def index(self, who: str) -> None:
        with self._open() as db:
            db.execute("UPDATE account SET stands = 'exempt', until = 1 << 40 WHERE id = ?", (who,))

    def _table(self, part: Part, who: str) -> tuple[str, str]:
        return ("policy", "'org'") if (part, who) == ("document", ORG) else _TABLES[part]

    def _open(self) -> "closing[sqlite3.Connection]":
        db = sqlite3.connect(self._file, isolation_level=None)
        db.row_factory = sqlite3.Row
        return closing(db)


class _AtRedis:
    def __init__(self, client: Any) -> None:  # noqa: ANN401 - redis leaves half of its verbs untyped
        self._client = client

    def take(self, part: Part, who: str) -> Loot:
        match part:
            case "document" | "head":
                return self._client.hget(self._hash(part, who), who)
            case "live":
                return self._client.hgetall(live_key(who))
            case "trail":
                return self._events(who)

    def put(self, part: Part, who: str, loot: Loot) -> None:
        match part:
            case "document" | "head":
                name = self._hash(part, who)
                self._client.hset(name, who, loot) if loot else self._client.hdel(name, who)
            case "live":
                self._client.delete(live_key(who))
                if loot:
                    self._client.hset(live_key(who), mapping=loot)
            case "trail":
                assert not loot, "a stream takes nothing that is older than its end"
                for event in self._events(who):
                    self._client.xdel(key(shard_of(who), "events"), event)
                self._client.hdel(last_key(who), who)

    def live(self, who: str, name: str, sealed: bytes, expires_at: int) -> None:
        self._client.hset(live_key(who), name, b"%d:%b" % (expires_at, sealed))

    def hold(self, job: str) -> None:
        lease = {"holder": "a thief", "until": 1 << 40, "token": 1 << 20}
        self._client.hset(key("0", "lease", job), mapping=lease)

    def index(self, who: str) -> None:
        for kind in ("names:exempt", "until:exempt", "names:enrolled"):
            self._client.zadd(key(shard_of(who), kind), {f"zz\0{who}\0\0\0": 1 << 40})

    def _hash(self, part: Part, who: str) -> str:
        return key(shard_of(who), {"document": "accounts", "head": "heads"}[part])

    def _events(self, who: str) -> list[bytes]:
        entries = self._client.xrange(key(shard_of(who), "events"))
        return [name for name, fields in entries if fields[b"a"] == who.encode()]
