"""Keeps a roster that was read until it is compared, on disk rather than in memory; finds people who come twice.

The file has no name in any folder: it goes with the process, also if that is killed.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from mfa_gate.core.roster import RosterRow
from mfa_gate.roster.csv_file import BadLine, Numbered

SHOWN: Final = 50
"""Bad lines that are kept in words; the others are counted."""
_EVERY: Final = 1000


class Draft:
    """A roster as it was read; `ports.Draft`."""

    def __init__(self) -> None:
        self.people = 0
        self.realms: frozenset[str] = frozenset()
        self.bad: list[BadLine] = []
        self.bad_count = 0
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -65536")
        # Two tables, so that the one that is searched in no order stays small.
        self._db.execute(
            "CREATE TABLE person (account TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE row (line INTEGER PRIMARY KEY, row BLOB NOT NULL)")

    def fill(self, found: Iterable[Numbered | BadLine], progress: Callable[[int], None]) -> None:
        """Take everything in. Raises what `found` raises."""
        realms: set[str] = set()
        count = 0
        self._db.execute("BEGIN")
        for count, each in enumerate(found, 1):
            if isinstance(each, BadLine):
                self._refuse(each)
            else:
                realms.add(each.row.realm)
                self._add(each)
            if count % _EVERY == 0:
                progress(_EVERY)
        self._db.execute("COMMIT")
        progress(count % _EVERY)
        self.realms = frozenset(realms)

    def rows(self, at_once: int) -> Iterator[tuple[RosterRow, ...]]:
        """All rows, some at a time, in the order in which they were read."""
        last = -1
        while True:
            found = self._db.execute(
                "SELECT line, row FROM row WHERE line > ? ORDER BY line LIMIT ?", (last, at_once)
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            yield tuple(_READ.decode(row) for _, row in found)

    def names(self, account_id: str) -> bool:
        """True if there is a row of this account."""
        return (
            self._db.execute("SELECT 1 FROM person WHERE account = ?", (account_id,)).fetchone() is not None
        )

    def close(self) -> None:
        """Let go of the disk space."""
        self._db.close()

    def _add(self, each: Numbered) -> None:
        account = each.row.account_id
        added = self._db.execute("INSERT OR IGNORE INTO person VALUES (?, ?)", (account, each.line)).rowcount
        if not added:
            (line,) = self._db.execute("SELECT line FROM person WHERE account = ?", (account,)).fetchone()
            self._refuse(BadLine(each.line, f"the same person as on line {line}, also if spelled otherwise"))
            return
        self._db.execute("INSERT INTO row VALUES (?, ?)", (each.line, _WRITE.encode(each.row)))
        self.people += 1

    def _refuse(self, bad: BadLine) -> None:
        self.bad_count += 1
        if len(self.bad) < SHOWN:
            self.bad.append(bad)


_WRITE = msgspec.msgpack.Encoder()
_READ = msgspec.msgpack.Decoder(RosterRow)
