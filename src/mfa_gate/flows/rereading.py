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
        self._round: _Round | None = None

    def turn(self, limit: int) -> str | None:
        """Read on by so many events; what is wrong with them, or None. Raises `StoreUnavailable`."""
        # What goes wrong on the way ends the round: the next turn begins anew.
        now, self._round = self._round or _Round(self._stream, self._is_ours, self._store_id), None
        try:
            items = list(islice(now.items, limit))
        except TrailMoved:
            return None
        for item in items:
            broken = now.line.take(item)
            if broken is not None:
                # What has gone to the archive meanwhile is not missing.
                return broken if self._stream.beginning() == now.begins else None
        self._round = now if len(items) == limit else None
        return None


class _Round:
    """Once through the trail."""

    def __init__(self, stream: Stream, is_ours: IsOurs, store_id: str) -> None:
        trail = live(stream)
        self.begins = trail.begins
        self.line = Line(trail, is_ours, store_id, None)
        self.items: Iterator[Item] = trail.items()
