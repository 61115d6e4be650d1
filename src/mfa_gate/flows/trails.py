"""A trail as it is read from beginning to end, once: events, and each checkpoint after those that it signs.

It judges nothing. In a store the checkpoints lie apart from the events, and each shard by itself; here they are put in
the one order in which they can be verified piece by piece, however long the trail is.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mfa_gate.core.checkpoints import FROM_THE_FIRST, Beginning, Checkpoint, Entry, LeftOut, Signed
from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.ports import Stream

AT_ONCE = 1_000

Item = tuple[str, Entry] | LeftOut | Signed
"""An event and its shard; events that are left out; or a checkpoint over all that came since the one before."""


class TrailMoved(StoreUnavailable):
    """What was to be read has gone to the archive meanwhile."""

    def __init__(self) -> None:
        super().__init__("The trail went to the archive while it was read. Begin again.")


@dataclass(frozen=True, kw_only=True)
class Trail:
    """A trail, from a store or from a file."""

    shards: tuple[str, ...]
    items: Callable[[], Iterator[Item]]
    begins: Beginning = FROM_THE_FIRST
    """The checkpoint that comes first; with number 0 it begins with the first event."""
    is_part: bool = False
    """It may begin at any checkpoint, and jump from one to a later one."""
    chains_are_whole: bool = True
    """Of whomever it has an event, it has all from the first on."""


def live(stream: Stream, begin: Signed | None = None) -> Trail:
    """The trail of a store, read piece by piece; with `begin` from that checkpoint on, which comes first.

    While it is read, `TrailMoved` is raised if the store lets go of events that were still to come.
    """
    begins = stream.beginning()
    is_whole = begin is None and not begins.number
    return Trail(
        shards=stream.shards,
        items=lambda: _items(stream, begin, begins),
        begins=begins if begin is None else FROM_THE_FIRST,
        is_part=begin is not None,
        chains_are_whole=is_whole,
    )


def said_by(signed: Signed) -> Checkpoint | None:
    """What a checkpoint says; None: nothing that can be read."""
    try:
        return signed.read()
    except RecordCorrupt:
        return None


def _items(stream: Stream, begin: Signed | None, begins: Beginning) -> Iterator[Item]:
    if begin is None and begins.number:
        begin = stream.checkpoint(begins.number)
    starts = {} if begin is None else _ends_of(begin)
    shards = [_Shard(stream, shard, starts.get(shard)) for shard in stream.shards]
    if begin is not None:
        yield begin
    after = 0 if begin is None else begin.number
    while part := stream.checkpoints(after, AT_ONCE):
        for signed in part:
            ends = _ends_of(signed)
            for shard in shards:
                yield from shard.until(ends.get(shard.name))
            yield signed
        if stream.beginning().number > after:
            raise TrailMoved
        after = part[-1].number
    for shard in shards:
        yield from shard.rest()


def _ends_of(signed: Signed) -> Mapping[str, int]:
    said = said_by(signed)
    return {} if said is None else {mark.shard: mark.position for mark in said.marks if mark.count}


class _Shard:
    """One shard, read ahead by at most `AT_ONCE` events."""

    def __init__(self, stream: Stream, name: str, after: int | None) -> None:
        self.name = name
        self._stream = stream
        self._after = after
        self._taken = after
        self._ahead: deque[Entry] = deque()

    def until(self, end: int | None) -> Iterator[tuple[str, Entry]]:
        """What comes next, up to a position; None: nothing."""
        while end is not None and (self._taken is None or self._taken < end) and self._fill():
            ahead = self._ahead
            while ahead and ahead[0].position <= end:
                yield self._take()
            if ahead:
                return

    def rest(self) -> Iterator[tuple[str, Entry]]:
        """Everything that is left."""
        while self._fill():
            while self._ahead:
                yield self._take()

    def _take(self) -> tuple[str, Entry]:
        entry = self._ahead.popleft()
        self._taken = entry.position
        return self.name, entry

    def _fill(self) -> bool:
        if not self._ahead:
            self._ahead.extend(self._stream.entries(self.name, self._after, AT_ONCE))
            if self._ahead:
                self._after = self._ahead[-1].position
        return bool(self._ahead)
