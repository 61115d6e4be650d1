"""Resets somebody in a child process that is killed at its nth call of the database; says what was left each time."""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from mfa_gate.core.accounts import account_id
from mfa_gate.flows.assistance import Reset
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.offices import offices_of

NAMED = ("execute", "commit")


def opened(place: Path) -> SqliteStore:
    return SqliteStore.open(
        place / "gate.db", sealer=Sealer({"k1": b"k" * 32}, "k1", os.urandom), audit_key=b"a" * 32
    )


def dies_at(number: int) -> None:
    """End this process, as a power cut would, right before its nth call of the database."""
    calls = 0

    def watch(_: FrameType, event: str, called: object) -> None:
        nonlocal calls
        if event == "c_call" and getattr(called, "__name__", "") in NAMED:
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def resets(place: Path, named: str, now: int, number: int) -> None:
    store = opened(place)
    assistance = offices_of(store, b"p" * 32, lambda _: None).assistance
    dies_at(number)
    assistance.assist_from_shell("ops", Reset(), named, "killed in the middle", now)
    sys.setprofile(None)
    store.close()


def main(place: Path, subject: str, now: int) -> None:
    named = account_id("portal", subject)
    number, done = 0, False
    while not done:
        number += 1
        child = os.fork()
        if not child:
            resets(place, named, now, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        done = os.WIFEXITED(status)
        store = opened(place)
        account = store.account(named)
        kinds = [each.event.kind for each in store.events(account_id=named, kind=None, before=None, limit=99)]
        found = {
            "killed": os.WIFSIGNALED(status),
            "apps": len(account.totps) if account else None,
            "codes": len(account.recovery.hashes) if account and account.recovery else 0,
            "sessions": len(store.sessions(named, now)),
            "resets": kinds.count("reset"),
            "broken": store.broken_chain(),
        }
        store.close()
        sys.stdout.write(json.dumps(found) + "\n")
        done = done or found["resets"] == 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
