"""Sends every event of the trail to a place outside, in order and at least once; it must not know what place it is.

How far it has come is kept in the store, sealed, after the place has taken the events: whoever dies between the two
sends some of them again, and no one is ever left out. One place has one of these, in a thread of its own.
"""

import logging
from typing import Final, Protocol

from mfa_gate.core.checkpoints import Entry
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.ports import Leases, Stream

AT_ONCE: Final = 100
AT_A_TURN: Final = 5_000
"""So many events are sent in a turn; then the lease is looked at again."""
LONGEST_WAIT: Final = 300

log = logging.getLogger("mfa_gate")


class Sink(Protocol):
    """A place that takes events."""

    def send(self, shard: str, entries: tuple[Entry, ...], now: int) -> None:
        """Bring events of one shard there, in their order. Raises `OSError` unless they were taken."""


def mark_of(name: str, shard: str) -> str:
    """Under which name the store keeps how far a sink has come in a shard."""
    return f"{name} {shard}"


class Sinking:
    """Brings the trail to one sink. `name` is the same for good: under it the store keeps how far it has come."""

    def __init__(self, stream: Stream, leases: Leases, name: str, sink: Sink) -> None:
        self._stream = stream
        self._leases = leases
        self._name = name
        self._sink = sink
        self._failures = 0
        self._not_before = 0
        self._trouble = ""
        self._tried: dict[str, int] = {}

    def turn(self, now: int) -> int:
        """Send what is new; how many events. Raises `StoreUnavailable` while the sink takes nothing.

        After a failure it waits, twice as long each time, five minutes at most.
        """
        if now < self._not_before <= now + LONGEST_WAIT:
            raise StoreUnavailable(self._trouble)
        reached = self._leases.last_runs()
        sent = 0
        for shard in self._stream.shards:
            after = reached.get(mark_of(self._name, shard))
            while sent < AT_A_TURN:
                # What was tried and may have been taken goes once more as the same batch, under the same name.
                entries = self._stream.entries(shard, after, self._tried.get(shard, AT_ONCE))
                if not entries:
                    break
                self._send(shard, entries, now)
                after = entries[-1].position
                # The store has no other place for "how far": what is kept there of a job is a number, sealed.
                self._leases.note_run(mark_of(self._name, shard), after)
                sent += len(entries)
        return sent

    def _send(self, shard: str, entries: tuple[Entry, ...], now: int) -> None:
        try:
            self._sink.send(shard, entries, now)
        except OSError as error:
            self._tried[shard] = len(entries)
            self._failures += 1
            self._not_before = now + min(2**self._failures, LONGEST_WAIT)
            self._trouble = f"{self._name} was not reached: {printable(str(error), 300)}"
            raise StoreUnavailable(self._trouble) from error
        self._tried.pop(shard, None)
        if self._failures:
            log.warning("%s is reached again.", self._name)
        self._failures = self._not_before = 0
