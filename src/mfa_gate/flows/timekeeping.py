"""Holds this machine's clock against the store's server's: codes of authenticator apps count only while both agree.

One of the two is wrong, and nobody here can tell which. A clock that is off takes codes that are over, or that were
seen before, and refuses those that are right. The server is asked in the background and remembered against a clock
that never goes back, so that a code costs no trip more; before anything is refused, it is asked anew (J13).
"""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from mfa_gate.core.clocks import alarming, forbids_codes, in_words
from mfa_gate.core.errors import ClocksDiffer
from mfa_gate.ports import Health

FRESH_SECONDS: Final = 5
"""For how long what the server said is believed."""
ASK_SECONDS: Final = 2
"""How often it is asked in the background."""

log = logging.getLogger("mfa_gate")


class _Asked(msgspec.Struct, frozen=True):
    """What the server's clock showed at some moment between two of this machine."""

    server: float
    begun_at: float
    """Monotonic, before it was asked."""
    took: float


class Timekeeper:
    """One for each process. `machine` shows UTC seconds, `monotonic` never goes back."""

    def __init__(self, health: Health, machine: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._health = health
        self._machine = machine
        self._monotonic = monotonic
        self._asked: _Asked | None = None
        self._told = False

    def look(self) -> None:
        """Ask the server if that is due, and tell when the clocks part and when they agree again. May block.

        Raises `StoreUnavailable`.
        """
        if self._age() >= ASK_SECONDS:
            self._ask()
        skew = self._skew()
        if alarming(skew) and not self._told:
            log.error("clock: %s", in_words(skew))
        elif self._told and not alarming(skew):
            log.warning("clock: the store's server and this machine agree again.")
        self._told = alarming(skew)

    def hold(self) -> None:
        """Return if codes may be judged by this machine's clock. May block.

        Raises `ClocksDiffer`, and `StoreUnavailable` where the server's clock is not known and cannot be asked.
        """
        if self._age() < FRESH_SECONDS and not forbids_codes(self._skew()):
            return
        self._ask()
        skew = self._skew()
        if forbids_codes(skew):
            raise ClocksDiffer(in_words(skew))

    def skew_seconds(self) -> float:
        """By how much the server's clock is ahead, asked anew; 0 where the store is in a file. May block.

        Raises `StoreUnavailable`.
        """
        self._ask()
        return self._skew()

    def _age(self) -> float:
        """Seconds since the server was asked; endless where it never was, or a clock went back that cannot."""
        age = float("inf") if self._asked is None else self._monotonic() - self._asked.begun_at
        return age if age >= 0 else float("inf")

    def _ask(self) -> None:
        begun_at = self._monotonic()
        server = self._health.server_time()
        # A store in a file has no clock but this machine's.
        self._asked = _Asked(
            self._machine() if server is None else server, begun_at, self._monotonic() - begun_at
        )

    def _skew(self) -> float:
        """How far this machine is outside of all that the server's clock may show now."""
        if self._asked is None:
            return 0.0
        latest = self._asked.server + self._monotonic() - self._asked.begun_at
        earliest = latest - self._asked.took
        now = self._machine()
        return earliest - now if now < earliest else min(0.0, latest - now)
