"""The queue of notices, on each kind of store."""

from tests.stores.kinds import OnRedis7, OnRedis8, OnSqlite, OnValkey9
from tests.stores.notices_contract import NoticesContract


class TestSqlite(OnSqlite, NoticesContract):
    """On a file."""


class TestRedis7(OnRedis7, NoticesContract):
    """On Redis 7."""


class TestRedis8(OnRedis8, NoticesContract):
    """On Redis 8."""


class TestValkey9(OnValkey9, NoticesContract):
    """On Valkey 9."""
