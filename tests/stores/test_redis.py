"""The contract of every store, on each kind of server."""

from pathlib import Path

import pytest

from tests.stores.contract import Backend, StoreContract
from tests.stores.redis_servers import Kind, Servers, make, reopen

PATIENCE = 10.0
"""Here nothing is about time, and machines that test are busy."""


class RedisContract(StoreContract):
    """The address of the server lies in the test's folder, where another process finds it, too."""

    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(servers.emptied(self.kind).url)

    def make(self, place: Path) -> Backend:
        return make((place / "url").read_text(), timeout_seconds=PATIENCE)

    def reopen(self, place: Path) -> Backend:
        return reopen((place / "url").read_text(), timeout_seconds=PATIENCE)


class TestRedis7(RedisContract):
    kind = "redis-7"


class TestRedis8(RedisContract):
    kind = "redis-8"


class TestValkey9(RedisContract):
    kind = "valkey-9"
