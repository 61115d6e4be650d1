"""A process that is killed in the middle of many notices: everybody hears, and who hears twice gets the same letter."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mfa_gate.flows.notifying import BATCH
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.conftest import Scale
from tests.mail.office import NOW, Teller, happened, seen, smtp
from tests.mail.servers import MailServer

TOP = Path(__file__).parents[2]
PEOPLE = [f"user-{number:02}" for number in range(25)]
PATIENCE = 60


def killed_at(number: int, place: Path, server: MailServer) -> None:
    """A process works; the server has its letter of this number, and it will never hear so."""
    words = [sys.executable, "-m", "tests.mail.teller", str(place), str(server.port), str(NOW)]
    with subprocess.Popen(words, cwd=TOP) as process:

        def kills(_: str) -> None:
            if len(server.letters) == number:
                process.send_signal(signal.SIGKILL)
                process.wait(PATIENCE)

        server.on_data = kills
        assert process.wait(PATIENCE) == -signal.SIGKILL
    server.on_data = lambda _: None


def test_l8_killed_in_the_middle_of_a_letter(tmp_path: Path, scale: Scale) -> None:
    place = tmp_path / "gate.db"
    sealer = Sealer({"k1": b"k" * 32}, "k1", os.urandom)
    store = SqliteStore.create(place, sealer=sealer, audit_key=b"a" * 32, store_id="office", now=NOW)
    for subject in PEOPLE:
        seen(store, subject)
    for number in (1, 10, 13, 25) if scale == "full" else (13,):
        with MailServer() as server:
            for subject in PEOPLE:
                happened(store, subject, "reset", at=NOW + number)
            killed_at(number, place, server)
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
