"""Lists and counters, on each kind of store."""

from pathlib import Path

import pytest

from tests.stores import files, redis_servers
from tests.stores.contract import Backend
from tests.stores.directory_contract import DirectoryContract
from tests.stores.redis_servers import Kind, Servers


class TestSqlite(DirectoryContract):
    def make(self, place: Path) -> Backend:
        return files.make(place)


class RedisDirectoryContract(DirectoryContract):
    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers) -> None:
        self.url = servers.emptied(self.kind).url

    def make(self, place: Path) -> Backend:
        return redis_servers.make(self.url, timeout_seconds=10)


class TestRedis7(RedisDirectoryContract):
    kind = "redis-7"


class TestRedis8(RedisDirectoryContract):
    kind = "redis-8"


class TestValkey9(RedisDirectoryContract):
    kind = "valkey-9"
