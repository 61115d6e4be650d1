"""Archives the older part of the trail: segments between two checkpoints, verified while they are written and after.

A segment goes on from the checkpoint at which the one before ended, so that all of them and the store are one trail.
What does not verify is not archived; the reason is an alarm, as anything that was tampered with.
"""

from collections.abc import Callable, Iterator
from typing import Final

from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.flows.archived import Inspected, Signs, Unfit, inspected, refuse_gap
from mfa_gate.flows.export_lines import Begin, Sign, lines
from mfa_gate.flows.trails import Item, live, said_by
from mfa_gate.flows.verifying import Line
from mfa_gate.ports import Archive, Segment, Store

EVENTS: Final = 200_000
"""About so many events make one file."""
_PROBED_AT_ONCE: Final = 1_000


class Archiving:
    """One per process. `after_seconds`: how old checkpoints are archived."""

    def __init__(self, store: Store, archive: Archive, sign: Sign, signs: Signs, after_seconds: int) -> None:
        self._store = store
        self._archive = archive
        self._sign = sign
        self._signs = signs
        self._after_seconds = after_seconds

    def due(self, now: int) -> Iterator[Segment]:
        """What is old enough, file by file. Raises `StoreUnavailable`, `Unfit`."""
        last = refuse_gap(self._segments(), self._store.stream.beginning())
        while (segment := self._next(last, now)) is not None:
            yield segment
            last = segment.last

    def turn(
        self, now: int, actor: Actor = SYSTEM, progress: Callable[[Inspected], None] = lambda _: None
    ) -> int:
        """Archive what is old enough; how many segments. Raises `StoreUnavailable`, `Unfit`; the next call goes on."""
        self._tell_untold(now, actor)
        count = 0
        for segment in self.due(now):
            begin = self._begin(segment)
            head = Begin(
                store=segment.store,
                shards=self._store.stream.shards,
                at=now,
                by=actor.shown,
                begins=segment.first - 1,
            )
            if self._archive.keep(segment, lines(head, self._verified(segment, begin), self._sign)):
                progress(self._tell(segment, now, actor))
                count += 1
        return count

    def _segments(self) -> tuple[Segment, ...]:
        return self._archive.segments(self._store.store_id)

    def _tell(self, segment: Segment, now: int, actor: Actor) -> Inspected:
        """Read it back, and record it."""
        found = inspected(self._archive, segment, self._store.stream, self._signs)
        kept = Event(
            kind="trail_archived", account_id=ORG, subject="", at=now, actor=actor, details=found.details
        )
        self._store.record((kept,), now)
        return found

    def _tell_untold(self, now: int, actor: Actor) -> None:
        """Record what somebody wrote who died before he could say so."""
        newest = self._store.events(account_id=ORG, kind="trail_archived", before=None, limit=1)
        told = int(newest[0].event.details.get("to_checkpoint", "0")) if newest else 0
        told = max(told, self._store.stream.beginning().number)
        for segment in self._segments():
            if segment.first > told:
                self._tell(segment, now, actor)

    def _next(self, last: int, now: int) -> Segment | None:
        """The checkpoints of the file that follows this checkpoint, if any are old enough."""
        first, events, base = last + 1, 0, None
        for signed in self._old_enough(last, now):
            last = signed.number
            said = signed.read()
            counted = sum(mark.count for mark in said.marks)
            base = counted if base is None else base
            events = counted - base
            if events >= EVENTS:
                break
        return None if last < first else Segment(first=first, last=last, store=self._store.store_id)

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
        line = Line(
            trail,
            lambda signed: self._signs(signed.key, to_sign(signed.body), signed.signature),
            segment.store,
            None,
        )
        for item in trail.items():
            why = line.take(item)
            if why is not None:
                raise Unfit(f"Nothing is archived: {why}")
            yield item
            if isinstance(item, Signed) and item.number == segment.last:
                return
