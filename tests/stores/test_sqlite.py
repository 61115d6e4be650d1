"""What is SQLite's own: files, locks, crashes, full disks, and a thief who can write the file."""

from pathlib import Path

from tests.stores.contract import Backend, StoreContract
from tests.stores.files import make, reopen


class TestSqlite(StoreContract):
    def make(self, place: Path) -> Backend:
        return make(place)

    def reopen(self, place: Path) -> Backend:
        return reopen(place)
