"""The trail as a whole, on each kind of store."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from mfa_gate.core.events import ORG
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.redis_keys import key, last_key, shard_of
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores import files, redis_servers
from tests.stores.contract import Backend, person, put
from tests.stores.redis_servers import Kind, RedisServer, Servers
from tests.stores.stream_contract import StreamContract, signed


class TestSqlite(StreamContract):
    def make(self, place: Path) -> Backend:
        return files.make(place)

    def reopen(self, place: Path, sealer: Sealer, audit_key: AuditKeys | bytes) -> Backend:
        return SqliteStore.open(
            files.file_of(place), sealer=sealer, audit_key=audit_key, store_id=files.STORE_ID
        )


class RedisStreamContract(StreamContract):
    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(servers.emptied(self.kind).url)

    def make(self, place: Path) -> Backend:
        return redis_servers.make((place / "url").read_text())

    def reopen(self, place: Path, sealer: Sealer, audit_key: AuditKeys | bytes) -> Backend:
        url = (place / "url").read_text()
        return redis_servers.reopen(url, sealer=sealer, audit_key=audit_key)


class TestRedis7(RedisStreamContract):
    kind = "redis-7"


class TestRedis8(RedisStreamContract):
    kind = "redis-8"


class TestValkey9(RedisStreamContract):
    kind = "valkey-9"


class Put(Protocol):
    """Takes some tables of one account as they are now, to put them back later."""

    def __call__(self, *tables: str) -> Callable[[], None]: ...


class Thief(ABC):
    """Somebody who can write the store, and has no key; `back` puts tables of alice back as they were."""

    ALICE = person("alice").id

    @pytest.fixture
    @abstractmethod
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        """A store whose rows `copies` can take."""

    @pytest.fixture
    @abstractmethod
    def copies(self, store: Backend, tmp_path: Path) -> Put:
        """Tables: document, head, events."""

    @pytest.mark.parametrize(
        ("tables", "said"),
        [
            (("document",), "version"),
            (("head",), "version"),
            (("document", "head"), "put back from an older copy"),
            (("document", "head", "events"), "put back together"),
        ],
    )
    def test_one_account_put_back_is_a_misfit(
        self, store: Backend, copies: Put, tables: tuple[str, ...], said: str
    ) -> None:
        alice = put(store, person("alice"))
        put_back = copies(*tables)
        alice = put(store, put(store, alice))
        newest = store.events(account_id=alice.id, kind=None, before=None, limit=1)[0].link
        assert store.stream.misfits({alice.id: newest}) == ()
        put_back()
        (found,) = store.stream.misfits({alice.id: newest, ORG: None})
        assert said in found.text


class TestSqliteThief(Thief):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        with closing(files.make(tmp_path)) as store:
            yield store

    @pytest.fixture
    def copies(self, store: Backend, tmp_path: Path) -> Put:
        names = {
            "document": ("account", "id"),
            "head": ("register", "account"),
            "events": ("audit", "account"),
        }

        def take(*tables: str) -> Callable[[], None]:
            with closing(sqlite3.connect(files.file_of(tmp_path))) as db:
                rows = {
                    table: db.execute(
                        f"SELECT * FROM {names[table][0]} WHERE {names[table][1]} = ?", (self.ALICE,)
                    ).fetchall()
                    for table in tables
                }

            def put_back() -> None:
                with closing(sqlite3.connect(files.file_of(tmp_path))) as db, db:
                    for table, kept in rows.items():
                        name, column = names[table]
                        db.execute(f"DELETE FROM {name} WHERE {column} = ?", (self.ALICE,))
                        for row in kept:
                            db.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)

            return put_back

        return take


class TestRedisThief(Thief):
    @pytest.fixture
    def store(self, tmp_path: Path, servers: Servers) -> Iterator[Backend]:
        self.server = servers.emptied("redis-8")
        with closing(redis_servers.make(self.server.url)) as store:
            yield store

    @pytest.fixture
    def copies(self, store: Backend) -> Put:
        shard = shard_of(self.ALICE)
        names = {
            "document": key(shard, "accounts"),
            "head": key(shard, "heads"),
            "events": last_key(self.ALICE),
        }

        def take(*tables: str) -> Callable[[], None]:
            with self.server.client() as client:
                kept: dict[str, Any] = {
                    names[table]: client.hget(names[table], self.ALICE) for table in tables
                }

            def put_back() -> None:
                with self.server.client() as client:
                    for name, value in kept.items():
                        client.hset(name, self.ALICE, value)

            return put_back

        return take


@pytest.mark.parametrize("own_server", ["redis-7", "redis-8", "valkey-9"], indirect=True)
def test_a_checkpoint_is_on_disk_before_it_is_anchored(own_server: RedisServer) -> None:
    with own_server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("appendfsync", "everysec")
    with closing(redis_servers.make(own_server.url)) as store:
        put(store, person("alice"))
        store.stream.add_checkpoint(signed(1))
    own_server.kill()
    own_server.options = (*own_server.options, "--appendonly", "yes")
    own_server.start_again()
    with closing(redis_servers.reopen(own_server.url)) as store:
        assert store.stream.reached().checkpoint == signed(1)
        assert store.account(person("alice").id)
