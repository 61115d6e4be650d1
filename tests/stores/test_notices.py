"""The queue of notices, on each kind of store."""

from pathlib import Path

import pytest

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores import files, redis_servers
from tests.stores.contract import Backend
from tests.stores.notices_contract import NoticesContract
from tests.stores.redis_servers import Kind, Servers


class TestSqlite(NoticesContract):
    def make(self, place: Path) -> Backend:
        return files.make(place)

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        return SqliteStore.open(
            files.file_of(place), sealer=keys, audit_key=files.AUDIT_KEY, store_id=files.STORE_ID
        )


class RedisNoticesContract(NoticesContract):
    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(servers.emptied(self.kind).url)

    def make(self, place: Path) -> Backend:
        return redis_servers.make((place / "url").read_text(), timeout_seconds=10)

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        return redis_servers.reopen((place / "url").read_text(), sealer=keys, timeout_seconds=10)


class TestRedis7(RedisNoticesContract):
    kind = "redis-7"


class TestRedis8(RedisNoticesContract):
    kind = "redis-8"


class TestValkey9(RedisNoticesContract):
    kind = "valkey-9"
