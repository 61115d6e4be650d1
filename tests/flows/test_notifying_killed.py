"""A process that is killed in the middle of many notices: everybody hears, and who hears twice gets the same letter."""

import sys
from pathlib import Path

from mfa_gate.flows.notifying import BATCH
from tests.conftest import Scale
from tests.mail.office import NOW, Teller, happened, office_store, seen, smtp
from tests.mail.servers import MailServer

PEOPLE = [f"user-{number:02}" for number in range(25)]


def test_l8_killed_in_the_middle_of_a_letter(tmp_path: Path, scale: Scale) -> None:
    place = tmp_path / "gate.db"
    store = office_store(place)
    for subject in PEOPLE:
        seen(store, subject)
    for number in (1, 10, 13, 25) if scale == "full" else (13,):
        with MailServer() as server:
            for subject in PEOPLE:
                happened(store, subject, "reset", at=NOW + number)
            # It has its letter of this number, and who sent it will never hear so.
            words = [sys.executable, "-m", "tests.mail.teller", str(place), str(server.port), str(NOW)]
            server.kills_at(number, words)
            assert len(server.letters) == number
            Teller(store, smtp(server.port)).turn()
            names: dict[str, set[str]] = {}
            for to, message in server.letters:
                names.setdefault(to, set()).add(str(message["Message-ID"]))
            assert set(names) == {f"{each}@example.org" for each in PEOPLE}
            assert all(len(each) == 1 for each in names.values())
            assert len(server.letters) - len(PEOPLE) <= BATCH
    assert store.broken_chain() is None
    store.close()
