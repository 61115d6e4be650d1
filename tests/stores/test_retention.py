"""What leaves for the archive, on a file and on each kind of server."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import redis

from mfa_gate.stores.redis_keys import FIRST, SHARDS, key, last_key, shard_of
from tests.stores import files
from tests.stores.kinds import OnRedis7, OnSqlite, OnValkey9
from tests.stores.retention_contract import NEW, OLD, RetentionContract

Rows = list[tuple[str, list[Any]]]

FROM = {
    "the first event": ["audit WHERE position = (SELECT MIN(position) FROM audit)"],
    "the last event of the first interval": [
        "audit WHERE position = (SELECT MAX(position) FROM audit WHERE kind = 'verified')"
    ],
    "the first events, up to the next checkpoint, with the one before": [
        "audit WHERE kind = 'verified'",
        "checkpoint WHERE number = 2",
    ],
    "the checkpoint at which it begins": ["checkpoint WHERE number = 2"],
    "what a chain goes on from": [f"base WHERE account = '{NEW.id}'"],
    "what everything goes on from": ["base", "removed"],
    "how much has left": ["removed"],
    "everything of somebody whose events have all left": [
        f"base WHERE account = '{OLD.id}'",
        f"register WHERE account = '{OLD.id}'",
        f"account WHERE id = '{OLD.id}'",
    ],
    "the record of somebody whose events have all left": [
        f"register WHERE account = '{OLD.id}'",
        f"account WHERE id = '{OLD.id}'",
    ],
}


class TestSqlite(OnSqlite, RetentionContract):
    def take(self, place: Path, what: str) -> object:
        taken: Rows = []
        with closing(sqlite3.connect(files.file_of(place), isolation_level=None)) as db:
            for rows in FROM[what]:
                taken.append((rows.split()[0], db.execute(f"SELECT * FROM {rows}").fetchall()))
                db.execute(f"DELETE FROM {rows}")
        return taken

    def put_back(self, place: Path, what: str, taken: Any) -> None:  # noqa: ANN401
        with closing(sqlite3.connect(files.file_of(place), isolation_level=None)) as db:
            for table, rows in taken:
                for row in rows:
                    db.execute(f"REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


class OnAServer:
    """What somebody with `redis-cli` can do."""

    def client(self, place: Path) -> "redis.Redis":
        return redis.Redis.from_url((place / "url").read_text())

    def take(self, place: Path, what: str) -> object:
        with self.client(place) as client:
            names = self.names(client, what)
            taken: dict[str, Any] = {}
            for name, rest in names.items():
                taken[name] = (
                    (rest, client.hget(name, rest)) if isinstance(rest, bytes) else client.dump(name)
                )
                if rest is None:
                    client.delete(name)
                elif isinstance(rest, bytes):
                    client.hdel(name, rest)
                else:
                    client.xdel(name, *rest)
        return taken

    def put_back(self, place: Path, what: str, taken: Any) -> None:  # noqa: ANN401
        with self.client(place) as client:
            for name, content in taken.items():
                if isinstance(content, tuple):
                    field, value = content
                    client.hdel(name, field) if value is None else client.hset(name, field, value)
                    continue
                client.delete(name)
                if content is not None:
                    client.restore(name, 0, content)

    def names(self, client: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
        """What is touched: a key → None (all of it), a field, or ids of events."""
        new, old = shard_of(NEW.id), shard_of(OLD.id)

        def ids(shard: str) -> list[bytes]:
            found = client.xrange(key(shard, "events"))
            return [name for name, fields in found if fields[b"k"] == b"verified"]

        match what:
            case "the first event":
                return {key(new, "events"): ids(new)[:1] or client.xrange(key(new, "events"))[0][:1]}
            case "the last event of the first interval":
                return {key(new, "events"): ids(new)[-1:]}
            case "the first events, up to the next checkpoint, with the one before":
                all_of = {key(shard, "events"): ids(shard) for shard in SHARDS if ids(shard)}
                return {**all_of, key(FIRST, "checkpoints"): [b"2-0"]}
            case "the checkpoint at which it begins":
                return {key(FIRST, "checkpoints"): [b"2-0"]}
            case "what a chain goes on from":
                return {key(new, "bases"): NEW.id.encode()}
            case "what everything goes on from":
                every = {key(shard, "bases"): None for shard in SHARDS}
                return {**every, **{key(shard, "shard"): b"removed" for shard in SHARDS}}
            case "how much has left":
                return {key(new, "shard"): b"removed"}
            case "everything of somebody whose events have all left":
                parts = {key(old, part): OLD.id.encode() for part in ("bases", "heads", "accounts")}
                return {**parts, last_key(OLD.id): OLD.id.encode()}
            case _:
                return {key(old, part): OLD.id.encode() for part in ("heads", "accounts")}


class TestRedis7(OnAServer, OnRedis7, RetentionContract):
    pass


class TestValkey9(OnAServer, OnValkey9, RetentionContract):
    pass
