"""Imports a roster in a child process that is killed at its nth call of the database; says what was left each time."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from mfa_gate.core.events import SYSTEM
from mfa_gate.core.roster import RosterRow
from mfa_gate.flows.importing import Importing, Preview
from mfa_gate.flows.settling import Settling
from mfa_gate.ports import Store
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.attacks.resetter import dies_at

PEOPLE = ("alice", "bob", "carol")


def opened(place: Path) -> SqliteStore:
    return SqliteStore.open(
        place / "gate.db", sealer=Sealer({"k1": b"k" * 32}, "k1", os.urandom), audit_key=b"a" * 32
    )


class Written:
    """A roster that somebody wrote down here."""

    def __init__(self, *rows: RosterRow) -> None:
        self._rows = rows
        self.people = len(rows)
        self.realms = frozenset(row.realm for row in rows)

    def rows(self, at_once: int) -> Iterator[tuple[RosterRow, ...]]:
        for at in range(0, len(self._rows), at_once):
            yield self._rows[at : at + at_once]

    def names(self, account_id: str) -> bool:
        return any(row.account_id == account_id for row in self._rows)

    def close(self) -> None:
        """There is nothing to let go of."""


def row(subject: str, **fields: object) -> RosterRow:
    return replace(RosterRow(realm="portal", subject=subject, name=subject.title()), **fields)


def importing_of(store: Store) -> Importing:
    return Importing(
        store.roster, store.stream, random=os.urandom, role_of=lambda person: person.subject == "root" or None
    )


def compared(store: Store, *rows: RosterRow, now: int, keep: bool = True) -> Preview:
    found = importing_of(store).compare(Written(*rows), now, keep=keep, progress=lambda _: None)
    assert isinstance(found, Preview)
    return found


def settle(store: Store, now: int) -> None:
    assert Settling(store.roster, monotonic=lambda: 0.0).turn(now)


def imports(store: Store, now: int) -> None:
    """Everybody is named; alice is not active any more."""
    rows = [row(each, active=each != "alice") for each in PEOPLE]
    importing_of(store).confirm(compared(store, *rows, now=now), SYSTEM, "", now)
    settle(store, now)


def active(store: SqliteStore, now: int) -> list[bool | None]:
    """What the doors see of each; None: nobody."""
    found = [store.facts(row(each).account_id, None, now).account for each in PEOPLE]
    return [None if each is None else each.active for each in found]


def main(place: Path, now: int) -> None:
    number, done = 0, False
    while not done:
        number += 1 if number < 40 else 5
        anew = place / str(number)
        anew.mkdir()
        shutil.copy(place / "gate.db", anew)
        child = os.fork()
        if not child:
            store = opened(anew)
            dies_at(number)
            imports(store, now)
            sys.setprofile(None)
            store.close()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        done = os.WIFEXITED(status)
        store = opened(anew)
        in_force = store.roster.head().number > 0
        at_once = active(store, now)
        if in_force:
            # Whoever comes next goes on where it ended; twice, since a job may be done twice.
            settle(store, now)
            settle(store, now)
        accounts = [store.account(row(each).account_id) for each in PEOPLE]
        found = {
            "in_force": in_force,
            "at_once": at_once,
            "settled": [each and (each.active, each.listing is not None) for each in accounts],
            "broken": store.broken_chain(),
        }
        store.close()
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
