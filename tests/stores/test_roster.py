"""The rows of a roster, on each kind of store."""

from pathlib import Path

import pytest

from mfa_gate.stores.redis_keys import FIRST, SHARDS, key, shard_of
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores import files, redis_servers
from tests.stores.contract import NOW, Backend, person, put
from tests.stores.files import sealer
from tests.stores.redis_servers import Kind, Servers
from tests.stores.roster_contract import RosterContract, put_in_force, row


class TestSqlite(RosterContract):
    def make(self, place: Path) -> Backend:
        return files.make(place)

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        return SqliteStore.open(
            files.file_of(place), sealer=keys, audit_key=files.AUDIT_KEY, store_id=files.STORE_ID
        )


class RedisRosterContract(RosterContract):
    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(servers.emptied(self.kind).url)

    def make(self, place: Path) -> Backend:
        return redis_servers.make((place / "url").read_text(), timeout_seconds=10)

    def test_a_shard_that_was_not_told_of_a_roster_is_told_by_the_beat_and_by_a_job(
        self, servers: Servers, tmp_path: Path, store: Backend
    ) -> None:
        """Whoever moved the pointer died on the way: one shard has heard of it, fifteen have not."""
        alice = put(
            store, next(person(f"a{each}") for each in range(99) if shard_of(person(f"a{each}").id) != FIRST)
        )
        with servers.running(self.kind).client() as shell:
            older = {shard: shell.hget(key(shard, "shard"), "stand") for shard in SHARDS if shard != FIRST}
            store.roster.stage("i1", (row(alice.subject, active=False),), NOW)
            put_in_force(store, "i1", 1)
            for shard, stand in older.items():
                shell.hset(key(shard, "shard"), "stand", stand)
        other = self.reopen(tmp_path, sealer())
        feed = other.feed()
        feed.poll(0)
        heard = other.facts(alice.id, None, NOW).account
        assert heard is not None
        assert not heard.active, "the beat tells what the first shard knows"
        assert store.repair() == 15
        last = self.reopen(tmp_path, sealer())
        told = last.facts(alice.id, None, NOW).account
        assert told is not None
        assert not told.active
        assert store.repair() == 0
        last.close()
        other.close()

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        return redis_servers.reopen((place / "url").read_text(), sealer=keys, timeout_seconds=10)


class TestRedis7(RedisRosterContract):
    kind = "redis-7"


class TestRedis8(RedisRosterContract):
    kind = "redis-8"


class TestValkey9(RedisRosterContract):
    kind = "valkey-9"
