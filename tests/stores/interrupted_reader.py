"""A process that is interrupted while it reads facts: `interrupted_reader.py URL TIMES`. Says what it got.

The handler of the signal raises, as that of a server's time-out does: at any moment, also in the middle of an answer.
"""

import random
import signal
import sys

from mfa_gate.core.errors import MfaGateError
from tests.stores.contract import NOW, person
from tests.stores.redis_servers import reopen


class Interrupted(BaseException):
    """The worker has taken too long."""


class Reader:
    """Reads the facts of one person after another."""

    def __init__(self, url: str) -> None:
        self.done = self.interrupted = self.wrong = 0
        self._store = reopen(url)
        self._choose = random.Random(16)
        self._people = [person(f"u{number}") for number in range(4)]
        self._busy = False
        signal.signal(signal.SIGALRM, self._interrupt)

    def read(self) -> None:
        who = self._choose.choice(self._people)
        try:
            signal.setitimer(signal.ITIMER_REAL, self._choose.random() / 1000)
            self._busy = True
            facts = self._store.facts(who.id, f"{who.subject}-1", NOW)
            account = self._store.account(who.id)
            self._busy = False
        except MfaGateError:
            self._busy = False
            return
        self.done += 1
        found = (facts.account, account)
        owners = {each.id for each in found if each} | {facts.session.account_id if facts.session else ""}
        self.wrong += None in found or owners != {who.id}

    def _interrupt(self, _: int, __: object) -> None:
        if self._busy:
            self._busy = False
            raise Interrupted


def main(url: str, times: int) -> None:
    reader = Reader(url)
    while reader.interrupted < times:
        try:
            reader.read()
        except Interrupted:
            reader.interrupted += 1
    sys.stdout.write(f"{reader.done > times / 20} {reader.wrong}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
