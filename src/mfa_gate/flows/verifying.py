"""Decides from signed checkpoints alone whether a trail is what it was when they were signed; it needs no secret.

What it finds is an interval: between two checkpoints something was edited, put in, taken out or moved. Which event it
was, only the chains tell, and for those the audit key is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from mfa_gate.core.checkpoints import Checkpoint, Entry, Mark, OrgChain, Running, Signed
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.ports import Stream

AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True)
class Trail:
    """A trail that can be read more than once, from a store or from a file."""

    shards: tuple[str, ...]
    checkpoints: Callable[[], Iterator[Signed]]
    entries: Callable[[str], Iterator[Entry]]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `newest` is the last checkpoint that is right; `unsigned` events came after it."""

    broken: str | None
    newest: Signed | None
    signed: int
    unsigned: int = 0


def live(stream: Stream) -> Trail:
    """The trail of a store, read piece by piece."""

    def checkpoints() -> Iterator[Signed]:
        after = 0
        while part := stream.checkpoints(after, AT_ONCE):
            yield from part
            after = part[-1].number

    def entries(shard: str) -> Iterator[Entry]:
        after: int | None = None
        while part := stream.entries(shard, after, AT_ONCE):
            yield from part
            after = part[-1].position

    return Trail(shards=stream.shards, checkpoints=checkpoints, entries=entries)


def verify(
    trail: Trail, is_ours: IsOurs, store_id: str | None, progress: Callable[[int], None] = lambda _: None
) -> Verified:
    """Follow the checkpoints from the first one on, then each shard beside them.

    `store_id` None takes the store that the first checkpoint names. `progress` is told how many events were read.
    """
    line = _Line(trail.shards, store_id)
    for signed in trail.checkpoints():
        why = line.take(signed, is_ours)
        if why is not None:
            return line.verified(f"Checkpoint {signed.number} {why}.")
    unsigned = 0
    for shard in trail.shards:
        broken, beyond = _walk(trail, shard, progress)
        if broken is not None:
            return line.verified(broken)
        unsigned += beyond
    return line.verified(None, unsigned)


class _Line:
    """The checkpoints, each bound to the one before, as far as they are right."""

    def __init__(self, shards: tuple[str, ...], store_id: str | None) -> None:
        self._shards = list(shards)
        self._store_id = store_id
        self._newest: Signed | None = None
        self._last: Checkpoint | None = None

    def take(self, signed: Signed, is_ours: IsOurs) -> str | None:
        """The next one; why it is not the next, or None."""
        try:
            said = signed.read()
        except RecordCorrupt as error:
            return f"is damaged ({error})"
        why = self._does_not_follow(signed, said)
        if why is None and not is_ours(signed):
            why = "is not signed with a key of this gate"
        if why is None:
            self._newest, self._last, self._store_id = signed, said, said.store
        return why

    def verified(self, broken: str | None, unsigned: int = 0) -> Verified:
        """What was found."""
        signed = 0 if self._last is None else sum(mark.count for mark in self._last.marks)
        return Verified(broken=broken, newest=self._newest, signed=signed, unsigned=unsigned)

    def _does_not_follow(self, signed: Signed, said: Checkpoint) -> str | None:
        newest, last = self._newest, self._last
        before = 0 if newest is None else newest.number
        if signed.number != before + 1:
            return f"stands where {before + 1} should be: checkpoints were taken out or put in"
        if self._store_id is not None and said.store != self._store_id:
            return f"is of the store {said.store}"
        if said.previous != (b"" if newest is None else newest.hash):
            return "does not follow the one before it"
        if [mark.shard for mark in said.marks] != self._shards:
            return "speaks of other shards than the trail has"
        if last is not None and any(
            mark.position < earlier.position or mark.count < earlier.count
            for mark, earlier in zip(said.marks, last.marks, strict=True)
        ):
            return "reaches less far than the one before it"
        return None


def _walk(trail: Trail, shard: str, progress: Callable[[int], None]) -> tuple[str | None, int]:
    """(what is wrong in a shard, how many events are beyond its last mark)."""
    entries = trail.entries(shard)
    waiting = next(entries, None)
    running, org = Running(Mark(shard=shard)), OrgChain(0, b"")
    last: Checkpoint | None = None
    is_first = shard == trail.shards[0]
    taken = 0
    for signed in trail.checkpoints():
        said = signed.read()
        mark = next(each for each in said.marks if each.shard == shard)
        while waiting is not None and waiting.position <= mark.position:
            running.take(waiting)
            org.take(waiting)
            waiting = next(entries, None)
            taken += 1
            if taken % AT_ONCE == 0:
                progress(AT_ONCE)
        if running.reached() != mark:
            return _interval(last, said, shard, running.count - mark.count), 0
        running = Running(mark)
        if is_first and (org.count, org.link) != (said.org_count, said.org_link):
            return _interval(last, said, shard, org.count - said.org_count), 0
        last = said
    beyond = 0 if waiting is None else 1 + sum(1 for _ in entries)
    progress(taken % AT_ONCE + beyond)
    return None, beyond


def _interval(last: Checkpoint | None, said: Checkpoint, shard: str, more: int) -> str:
    what = (
        f"{-more} fewer than were signed"
        if more < 0
        else f"{more} more than were signed"
        if more > 0
        else "as many as were signed, but not the same in the same order"
    )
    begin = f"checkpoint {last.number} ({_moment(last.at)})" if last is not None else "the beginning"
    return (
        f"Between {begin} and checkpoint {said.number} ({_moment(said.at)}) the trail was changed: in shard {shard} "
        f"there are {what}."
    )


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
