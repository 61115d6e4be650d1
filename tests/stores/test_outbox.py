"""Runs of reminders, on each kind of store."""

from tests.stores.kinds import OnRedis7, OnRedis8, OnSqlite, OnValkey9
from tests.stores.outbox_contract import OutboxContract


class TestSqlite(OnSqlite, OutboxContract):
    """On a file."""


class TestRedis7(OnRedis7, OutboxContract):
    """On Redis 7."""


class TestRedis8(OnRedis8, OutboxContract):
    """On Redis 8."""


class TestValkey9(OnValkey9, OutboxContract):
    """On Valkey 9."""
