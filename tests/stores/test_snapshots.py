"""The daily snapshots, on each kind of store."""

from tests.stores.kinds import OnRedis7, OnRedis8, OnSqlite, OnValkey9
from tests.stores.snapshots_contract import SnapshotsContract


class TestSqlite(OnSqlite, SnapshotsContract):
    """On a file."""


class TestRedis7(OnRedis7, SnapshotsContract):
    """On Redis 7."""


class TestRedis8(OnRedis8, SnapshotsContract):
    """On Redis 8."""


class TestValkey9(OnValkey9, SnapshotsContract):
    """On Valkey 9."""
