"""Archives the older part of the trail: segments between two checkpoints, verified while they are written.

A segment goes on from the checkpoint at which the one before ended, so that all of them and the store are one trail.
What does not verify is not archived; the reason is an alarm, as anything that was tampered with.
"""

from collections.abc import Callable, Iterator
from typing import Final

from mfa_gate.core.checkpoints import Signed
from mfa_gate.core.errors import MfaGateError
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.export_lines import Begin, Reading, Sign, lines
from mfa_gate.flows.trails import Item, Trail, live, said_by
from mfa_gate.flows.verifying import Line
from mfa_gate.ports import Archive, Segment, Store

EVENTS: Final = 200_000
"""About so many events make one file."""
_PROBED_AT_ONCE: Final = 1_000


class Unfit(MfaGateError):
    """What was to be archived, or is in the archive, is not what was signed."""


class Archiving:
    """One per process. `after_seconds`: how old checkpoints are archived."""

    def __init__(
        self, store: Store, archive: Archive, sign: Sign, is_ours: IsOurs, after_seconds: int
    ) -> None:
        self._store = store
        self._archive = archive
        self._sign = sign
        self._is_ours = is_ours
        self._after_seconds = after_seconds

    def turn(
        self, now: int, actor: Actor = SYSTEM, progress: Callable[[Segment], None] = lambda _: None
    ) -> int:
        """Archive what is old enough; how many segments. Raises `StoreUnavailable`, `Unfit`; the next call goes on."""
        count = 0
        while True:
            segment = self._next(now)
            if segment is None:
                return count
            begin = self._begin(segment)
            head = Begin(
                store=segment.store,
                shards=self._store.stream.shards,
                at=now,
                by=actor.shown,
                begins=segment.first - 1,
            )
            if self._archive.keep(segment, lines(head, self._verified(segment, begin), self._sign)):
                self._store.record((_archived(segment, actor, now),), now)
                progress(segment)
                count += 1

    def _next(self, now: int) -> Segment | None:
        """The checkpoints of the next file, if any are old enough."""
        store = self._store
        last = end_of(self._archive.segments(store.store_id))
        first, events, base = last + 1, 0, None
        for signed in self._old_enough(last, now):
            last = signed.number
            said = signed.read()
            counted = sum(mark.count for mark in said.marks)
            base = counted if base is None else base
            events = counted - base
            if events >= EVENTS:
                break
        return None if last < first else Segment(first=first, last=last, store=store.store_id)

    def _old_enough(self, after: int, now: int) -> Iterator[Signed]:
        while part := self._store.stream.checkpoints(after, _PROBED_AT_ONCE):
            for signed in part:
                said = said_by(signed)
                if said is None:
                    raise Unfit(f"Checkpoint {signed.number} cannot be read; run `mfa-gate audit verify`.")
                if said.at > now - self._after_seconds:
                    return
                yield signed
            after = part[-1].number

    def _begin(self, segment: Segment) -> Signed | None:
        if segment.first == 1:
            return None
        signed = self._store.stream.checkpoint(segment.first - 1)
        if signed is None:
            raise Unfit(f"The store has no checkpoint {segment.first - 1}; run `mfa-gate audit verify`.")
        return signed

    def _verified(self, segment: Segment, begin: Signed | None) -> Iterator[Item]:
        trail = live(self._store.stream, begin)
        line = Line(trail, self._is_ours, segment.store, None)
        for item in trail.items():
            why = line.take(item)
            if why is not None:
                raise Unfit(f"Nothing is archived: {why}")
            yield item
            if isinstance(item, Signed) and item.number == segment.last:
                return


def end_of(segments: tuple[Segment, ...]) -> int:
    """The last checkpoint that is archived; 0: none. Raises `Unfit` if a segment is missing or there twice."""
    last = 0
    for segment in segments:
        if segment.first != last + 1 or segment.last < segment.first:
            raise Unfit(
                f"The archive goes on with checkpoint {segment.first} where {last + 1} should be: a file is missing, "
                "or another was put in. Put it back."
            )
        last = segment.last
    return last


def archived(archive: Archive, store_id: str, check: Callable[[Reading], None]) -> Trail:
    """What is archived, as one trail. `check` looks at each file once it is read to its end."""

    def items() -> Iterator[Item]:
        newest: Signed | None = None
        for segment in archive.segments(store_id):
            reading = Reading(archive.read(segment))
            for item in reading.trail.items():
                if isinstance(item, Signed) and newest is not None and item.number == newest.number:
                    # Where the file before ended: the same, or it is told by what does not follow it.
                    if item.hash != newest.hash:
                        yield item
                    continue
                yield item
                newest = item if isinstance(item, Signed) else newest
            check(reading)

    segments = archive.segments(store_id)
    shards = Reading(archive.read(segments[0])).begin.shards if segments else ()
    return Trail(shards=shards, items=items)


def _archived(segment: Segment, actor: Actor, now: int) -> Event:
    return Event(
        kind="trail_archived",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details={"from_checkpoint": str(segment.first), "to_checkpoint": str(segment.last)},
    )
