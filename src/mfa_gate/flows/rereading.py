"""Reads the trail once more from the beginning, some of it at a time, and holds it against what was signed about it.

Whoever takes out everything that speaks of one account, its oldest events included, leaves no record that could be
compared; that its events are missing shows here in turn, long before the daily examination comes to them.
"""

from collections.abc import Iterator
from itertools import islice

from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.trails import Item, TrailMoved, live
from mfa_gate.flows.verifying import Line
from mfa_gate.ports import Stream


class Rereading:
    """Goes round and round; not for several threads at once."""

    def __init__(self, stream: Stream, is_ours: IsOurs, store_id: str) -> None:
        self._stream = stream
        self._is_ours = is_ours
        self._store_id = store_id
        self._begin()

    def turn(self, limit: int) -> str | None:
        """Read on by so many events; what is wrong with them, or None. Raises `StoreUnavailable`."""
        try:
            items = list(islice(self._items, limit))
        except TrailMoved:
            self._begin()
            return None
        except BaseException:
            self._begin()
            raise
        for item in items:
            broken = self._line.take(item)
            if broken is not None:
                begun = self._begins
                self._begin()
                # What has gone to the archive meanwhile is not missing.
                return broken if self._begins == begun else None
        if len(items) < limit:
            self._begin()
        return None

    def _begin(self) -> None:
        trail = live(self._stream)
        self._begins = trail.begins
        self._line = Line(trail, self._is_ours, self._store_id, None)
        self._items: Iterator[Item] = trail.items()
