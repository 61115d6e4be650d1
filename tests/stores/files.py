"""How these tests make and open SQLite stores, here and in the processes that they start."""

import os
from pathlib import Path

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW

STORE_ID = "store-1"
KEYS = {"2026-01": b"k" * 32}
AUDIT_KEY = b"a" * 32


def sealer(keys: dict[str, bytes] = KEYS, current: str = "2026-01") -> Sealer:
    return Sealer(keys, current, os.urandom)


def file_of(place: Path) -> Path:
    return place / "gate.db"


def make(place: Path, store_id: str = STORE_ID) -> SqliteStore:
    return SqliteStore.create(
        file_of(place), sealer=sealer(), audit_key=AUDIT_KEY, store_id=store_id, now=NOW
    )


def reopen(place: Path) -> SqliteStore:
    return SqliteStore.open(file_of(place), sealer=sealer(), audit_key=AUDIT_KEY, store_id=STORE_ID)
