"""A process that is killed in the middle of many reminders: another goes on, and nobody gets two."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from mfa_gate.stores.sqlite import SqliteStore
from tests.conftest import Scale
from tests.mail.office import Office, of, office_store, require_two_step, seen, smtp
from tests.mail.servers import MailServer

PEOPLE = [f"user-{number:02}" for number in range(45)]
TWO_DAYS = 2 * 24 * 3600


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture
def store(place: Path) -> SqliteStore:
    made = office_store(place)
    require_two_step(made)
    for subject in PEOPLE:
        seen(made, subject)
    return made


def killed_at(number: int, place: Path, server: MailServer, office: Office, name: str) -> None:
    """A process works on a run; the server has its letter of this number, and it will never hear so."""
    words = [sys.executable, "-m", "tests.mail.worker", str(place), str(server.port), name, str(office.now)]
    server.kills_at(number, words)
    assert len(server.letters) == number


def test_l8_killed_in_the_middle_of_a_letter(store: SqliteStore, place: Path, scale: Scale) -> None:
    with MailServer() as server:
        office = Office(store, smtp(server.port))
        for number in (1, 13, 20, 21, 40, 45) if scale == "full" else (13, 40):
            office.now += TWO_DAYS
            server.letters.clear()
            name = f"r{number}"
            office.begin(statuses=("missing",), name=name)
            killed_at(number, place, server, office, name)
            assert office.run(name).is_open
            office.now += 100
            while office.run(name).is_open:
                office.turn()
            got = Counter(to for to, _ in server.letters)
            assert got == Counter(f"{each}@example.org" for each in PEOPLE)
            assert office.run(name).counts == {"sent": len(PEOPLE) - 1, "unknown": 1}
            (doubt,) = store.results(name, "unknown", 0, 10)
            subject = server.letters[number - 1][0].partition("@")[0]
            assert doubt.account_id == of(store, subject).id
    assert store.broken_chain() is None
    store.close()
