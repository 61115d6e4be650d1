"""Decides from signed checkpoints alone whether a trail is what it was when they were signed; it needs no secret.

What it finds is an interval: between two checkpoints something was edited, put in, taken out or moved. Which event it
was, only the chains tell, and for those the audit key is needed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from mfa_gate.core.checkpoints import (
    FORMAT,
    HASH_BYTES,
    Checkpoint,
    Entry,
    LeftOut,
    Mark,
    OrgChain,
    Running,
    Signed,
)
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.trails import AT_ONCE, Item, Trail, TrailMoved, live
from mfa_gate.ports import Stream


class Chains(Protocol):
    """Follows the chains, as whoever has the audit key can."""

    def take(self, shard: str, entry: Entry) -> str | None:
        """The next event; why it does not follow the one before it in its chain, or None."""

    def lose(self, shard: str | None) -> None:
        """Events of this shard, or of any, are not shown: what comes next in a chain may follow one of them."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `newest` is the last of the `checkpoints` that are right.

    Of the events, it covers those that were `signed` and `left_out`; the `unsigned` ones came after it.
    """

    broken: str | None
    newest: Signed | None
    checkpoints: int
    signed: int
    left_out: int = 0
    unsigned: int = 0


def verify(
    trail: Trail,
    is_ours: IsOurs,
    store_id: str | None,
    progress: Callable[[int], None] = lambda _: None,
    chains: Chains | None = None,
) -> Verified:
    """Read a trail once, holding its events against its checkpoints and, where `chains` is given, its chains.

    `store_id` None takes the store that the first checkpoint names. `progress` is told how many events were read.
    """
    line = Line(trail, is_ours, store_id, chains)
    interval: str | None = None
    read = 0
    for item in trail.items():
        if interval is None:
            interval = line.take(item)
            if interval is not None and chains is None:
                break
        if isinstance(item, tuple):
            read += 1
            if read % AT_ONCE == 0:
                progress(AT_ONCE)
            # What was taken out shows in its chain only where that goes on, perhaps long after.
            event = None if chains is None else chains.take(*item)
            if event is not None:
                return line.verified(event if interval is None else f"{event} {interval}")
    progress(read % AT_ONCE)
    return line.verified(interval)


def verify_store(
    stream: Stream, is_ours: IsOurs, store_id: str, progress: Callable[[int], None] = lambda _: None
) -> Verified:
    """Read the trail of a store once. Raises `StoreUnavailable`, also if it goes to the archive meanwhile."""
    trail = live(stream)
    found = verify(trail, is_ours, store_id, progress)
    if found.broken is not None and stream.beginning() != trail.begins:
        raise TrailMoved
    return found


class Line:
    """The checkpoints, each bound to the one before, and what lies between them, as far as all is right."""

    def __init__(self, trail: Trail, is_ours: IsOurs, store_id: str | None, chains: Chains | None) -> None:
        self._trail = trail
        self._is_ours = is_ours
        self._store_id = store_id
        self._chains = chains
        self._newest: Signed | None = None
        self._last: Checkpoint | None = None
        self._running = {shard: Running(Mark(shard=shard)) for shard in trail.shards}
        self._org = OrgChain(0, b"")
        self._shown = self._hidden = self._count = 0
        self._signed = self._left_out = 0

    def take(self, item: Item) -> str | None:
        """What comes next, in the order of the trail; what is wrong with it, or None."""
        match item:
            case Signed():
                return self._end(item)
            case LeftOut(shard=shard):
                running = self._running.get(shard)
                if running is None:
                    return f"There are events of a shard {shard} that the trail has not."
                running.leave_out(item.position, item.hashes)
                self._hidden += len(item.hashes) // HASH_BYTES
                self._lose(shard)
            case shard, entry:
                running = self._running.get(shard)
                if running is None:
                    return f"There are events of a shard {shard} that the trail has not."
                running.take(entry)
                self._org.take(entry)
                self._shown += 1
        return None

    def verified(self, broken: str | None) -> Verified:
        """What was found."""
        return Verified(
            broken=broken,
            newest=self._newest,
            checkpoints=self._count,
            signed=self._signed,
            left_out=self._left_out,
            unsigned=0 if broken else self._shown,
        )

    def _lose(self, shard: str | None) -> None:
        if self._chains is not None and not self._trail.chains_are_whole:
            self._chains.lose(shard)

    def _end(self, signed: Signed) -> str | None:
        """The checkpoint over all that came since the one before."""
        try:
            said = signed.read()
        except RecordCorrupt as error:
            return f"Checkpoint {signed.number} is damaged ({error})."
        # Every checkpoint signs something: one before which nothing stands is where what is shown goes on.
        begins = self._begins_at(signed) and not self._shown and not self._hidden
        why = self._does_not_follow(signed, said, begins=begins)
        if why is None and not self._is_ours(signed):
            why = "is not signed with a key of this gate"
        if why is not None:
            return f"Checkpoint {signed.number} {why}."
        if begins:
            self._lose(None)
        else:
            changed = self._changed(said)
            if changed is not None:
                return changed
        self._count += 1
        self._signed += self._shown
        self._left_out += self._hidden
        self._shown = self._hidden = 0
        self._running = {mark.shard: Running(mark) for mark in said.marks}
        self._org = OrgChain(said.org_count, said.org_link)
        self._newest, self._last, self._store_id = signed, said, said.store
        return None

    def _begins_at(self, signed: Signed) -> bool:
        """Whether what is shown may begin, or go on, with this checkpoint, whatever came before."""
        if self._trail.is_part:
            return True
        # Security: a trail that begins in the middle begins at one checkpoint, and at no other; or whoever takes out
        # its first events, up to a later checkpoint, would not be found.
        return self._newest is None and self._trail.begins.number > 0 and self._trail.begins.is_at(signed)

    def _does_not_follow(self, signed: Signed, said: Checkpoint, *, begins: bool) -> str | None:
        newest, last = self._newest, self._last
        before = self._trail.begins.number - 1 if newest is None else newest.number
        before = max(before, 0)
        if signed.number != before + 1 and not (begins and signed.number > before):
            return f"stands where {before + 1} should be: checkpoints were taken out or put in"
        if said.format != FORMAT:
            return f"has the form {said.format}, and this mfa_gate knows {FORMAT}"
        if self._store_id is not None and said.store != self._store_id:
            return f"is of the store {said.store}"
        if not begins and said.previous != (b"" if newest is None else newest.hash):
            return "does not follow the one before it"
        if [mark.shard for mark in said.marks] != list(self._trail.shards):
            return "speaks of other shards than the trail has"
        if last is not None and any(
            mark.position < earlier.position or mark.count < earlier.count
            for mark, earlier in zip(said.marks, last.marks, strict=True)
        ):
            return "reaches less far than the one before it"
        return None

    def _changed(self, said: Checkpoint) -> str | None:
        """What is not as it was signed, in the first shard of which that is true."""
        for mark in said.marks:
            running = self._running[mark.shard]
            if running.reached() != mark:
                return _interval(self._last, said, mark.shard, running.count - mark.count)
        if not self._hidden and (self._org.count, self._org.link) != (said.org_count, said.org_link):
            return _interval(self._last, said, said.marks[0].shard, self._org.count - said.org_count)
        return None


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
