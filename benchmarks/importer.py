"""Imports a roster of so many made-up people into the store in a folder, and says how long each part took."""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mfa_gate.core.events import Actor
from mfa_gate.flows.importing import Importing, Preview
from mfa_gate.flows.settling import Settling
from mfa_gate.roster.csv_file import read
from mfa_gate.roster.draft import Draft
from tests.edges.town import REALM, Town

WARDS: Final = 40


class MadeUp:
    """A CSV file of so many people, each in two groups; written while it is read."""

    def __init__(self, people: int, changed: int = 0) -> None:
        self._lines = self._written(people, changed)

    def readline(self, size: int) -> bytes:
        """The next line."""
        return next(self._lines, b"")[:size]

    def _written(self, people: int, changed: int) -> Iterator[bytes]:
        yield b"realm,subject,name,email,groups,active\n"
        for number in range(people):
            name = f"Person {number}" if number >= changed else f"Renamed {number}"
            line = f'{REALM},user{number},{name},user{number}@example.com,"staff,ward {number % WARDS}",yes\n'
            yield line.encode()


def imported(town: Town, file: MadeUp) -> dict[str, float]:
    """Seconds of each part."""
    store, now = town.store, int(time.time())
    times = {"begun": time.monotonic()}
    draft = Draft()
    draft.fill(read(file, (REALM,)), lambda _: None)
    times["read"] = time.monotonic()
    importing = Importing(store.roster, store.stream, random=os.urandom, role_of=lambda _: None)
    preview = importing.compare(draft, now, keep=True, progress=lambda _: None)
    draft.close()
    assert isinstance(preview, Preview)
    times["compared"] = time.monotonic()
    importing.confirm(preview, Actor(subject="bench", surface="shell"), "", now)
    times["in force"] = time.monotonic()
    settling = Settling(store.roster, monotonic=time.monotonic)
    while not settling.turn(now):
        pass
    times["told"] = time.monotonic()
    return {name: at - times["begun"] for name, at in times.items() if name != "begun"}


def main(folder: Path, people: int) -> None:
    """A first import of everybody, and then one that renames one in a hundred."""
    town = Town(folder)
    before = time.process_time()
    first = imported(town, MadeUp(people))
    cpu = time.process_time() - before
    second = imported(town, MadeUp(people, people // 100))
    town.close()
    told = {
        "first": first,
        "second": second,
        "cpu": cpu,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
