"""What contracts of a part of a store are held against: a store on a file, and one on each kind of server."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores import files, redis_servers
from tests.stores.contract import Backend
from tests.stores.redis_servers import Kind, Servers


class OnAStore(ABC):
    """A contract's base; a subclass of both it and a kind below is its test on that kind."""

    @abstractmethod
    def make(self, place: Path) -> Backend:
        """A new store that belongs to this folder."""

    @abstractmethod
    def reopen(self, place: Path, keys: Sealer) -> Backend:
        """One more client of it, with these keys."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        """A new store."""
        made = self.make(tmp_path)
        yield made
        made.close()


class OnSqlite:
    """On a file."""

    def make(self, place: Path) -> Backend:
        """A new file."""
        return files.make(place)

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        """The same file."""
        return SqliteStore.open(
            files.file_of(place), sealer=keys, audit_key=files.AUDIT_KEY, store_id=files.STORE_ID
        )


class OnRedis:
    """On an emptied server of this kind."""

    kind: Kind

    @pytest.fixture(autouse=True)
    def _server(self, servers: Servers, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(servers.emptied(self.kind).url)

    def make(self, place: Path) -> Backend:
        """A new store there."""
        return redis_servers.make((place / "url").read_text(), timeout_seconds=10)

    def reopen(self, place: Path, keys: Sealer) -> Backend:
        """The same."""
        return redis_servers.reopen((place / "url").read_text(), sealer=keys, timeout_seconds=10)


class OnRedis7(OnRedis):
    """On Redis 7."""

    kind = "redis-7"


class OnRedis8(OnRedis):
    """On Redis 8."""

    kind = "redis-8"


class OnValkey9(OnRedis):
    """On Valkey 9."""

    kind = "valkey-9"
