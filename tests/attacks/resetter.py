"""Resets somebody in child processes, each killed at a later call of the store; says what was left each time."""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.edges.town import Town

# Of the database's module, and of the socket to a server.
CALLS = {"execute", "commit", "sendall", "recv", "recv_into"}


def dies_at(number: int) -> None:
    """End this process, as a power cut would, right before its nth call of the store."""
    calls = 0

    def watch(_: FrameType, event: str, called: object) -> None:
        nonlocal calls
        if event == "c_call" and getattr(called, "__name__", "") in CALLS:
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def resets(town: Town, subject: str, now: int, number: int) -> None:
    """Reset them, unless it is too late for this process."""
    dies_at(number)
    town.reset(subject, now)
    sys.setprofile(None)


def left(town: Town, subject: str, now: int) -> dict[str, object]:
    """What there is of somebody."""
    account = town.account(subject)
    return {
        "apps": len(account.totps),
        "codes": len(account.recovery.hashes) if account.recovery else 0,
        "sessions": len(town.store.sessions(account.id, now)),
        "resets": town.events(subject).count("reset"),
        "broken": town.store.broken_chain(),
    }


def main(place: Path, subject: str, now: int) -> None:
    """Kill one child after the other, until the reset is done."""
    number, done = 0, False
    while not done:
        number += 1
        child = os.fork()
        if not child:
            resets(Town(place), subject, now, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        town = Town(place)
        found = left(town, subject, now)
        town.close()
        sys.stdout.write(json.dumps({"killed": os.WIFSIGNALED(status), **found}) + "\n")
        done = os.WIFEXITED(status) or found["resets"] != 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
