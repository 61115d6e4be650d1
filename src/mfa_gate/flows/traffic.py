"""Unattributed traffic: what nobody can be named for while the policy is off, counted for the day it is turned on.

Bounded and batched: counters of (first path segment, kinds of credential) are added to the store now and then, by
a thread beside the requests.
"""

from collections.abc import Callable
from threading import Lock

from mfa_gate.core.messages import printable
from mfa_gate.ports import Traffic

FLUSH_SECONDS = 10
MAX_PAIRS = 100
OTHER = "(other)"


class Unattributed:
    """One per process. `first_segment` of the path is all that is kept of an address."""

    def __init__(self, store: Traffic, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._counts: dict[tuple[str, str], int] = {}
        self._due = monotonic()
        self._lock = Lock()
        self._flushing = Lock()

    def note(self, path: str, credentials: tuple[str, ...]) -> None:
        """Count one request. Never blocks on the store."""
        kind = ", ".join(sorted(credentials)) or "none"
        pair = (printable("/" + path[1:].partition("/")[0], 60), printable(kind, 60))
        with self._lock:
            if pair not in self._counts and len(self._counts) >= MAX_PAIRS:
                pair = (OTHER, OTHER)
            self._counts[pair] = self._counts.get(pair, 0) + 1

    def flush_due(self, now: int) -> None:
        """`flush`, but at most every `FLUSH_SECONDS`, so that crowds of requests cost the store no more than a few."""
        if self._counts and self._monotonic() >= self._due:
            self.flush(now)

    def flush(self, now: int) -> None:
        """Add the counters to the store; raises `StoreUnavailable`, and then keeps them. Waits for another flush."""
        with self._flushing:
            self._flush(now)

    def _flush(self, now: int) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
            self._due = self._monotonic() + FLUSH_SECONDS
        if not counts:
            return
        try:
            self._store.count_traffic(counts, now)
        except BaseException:
            with self._lock:
                for pair, count in counts.items():
                    self._counts[pair] = self._counts.get(pair, 0) + count
            raise
