"""The rows of a roster, on each kind of store."""

from pathlib import Path

import pytest

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores import files, redis_servers
from tests.stores.contract import Backend
from tests.stores.redis_servers import Kind, Servers
from tests.stores.roster_contract import RosterContract


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

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        return redis_servers.reopen((place / "url").read_text(), sealer=keys, timeout_seconds=10)


class TestRedis7(RedisRosterContract):
    kind = "redis-7"


class TestRedis8(RedisRosterContract):
    kind = "redis-8"


class TestValkey9(RedisRosterContract):
    kind = "valkey-9"
