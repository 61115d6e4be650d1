"""Lets what is archived leave the store once it is old enough, and never before its file was read back.

The trail of a store begins after a checkpoint. That it begins later, and which file holds what was before, is one
commit; from then on nobody reads what is before, and it is taken out a little at a time. Whoever dies in between leaves
a trail that is whole, and the next one goes on.
"""

from collections.abc import Callable
from typing import Final

from mfa_gate.core.checkpoints import Anchor, Beginning, Checkpoint
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.core.notices import is_news
from mfa_gate.flows.archived import Inspected, Signs, Unfit, inspected, refuse_gap
from mfa_gate.flows.sinking import mark_of
from mfa_gate.flows.trails import said_by
from mfa_gate.ports import Anchors, Archive, Segment, Store

SETTLED_SECONDS: Final = 600
"""What was signed more recently never leaves: somebody may just be comparing it with what is stored about people."""
AT_ONCE: Final = 500
"""So many events leave in one step, for which whoever writes has to wait."""


class Shortening:
    """One per process. `keep_seconds`: how old what leaves is. `sinks`: names of the jobs that must have read it;
    `notices`: whether somebody is still to be told of what is new.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        signs: Signs,
        keep_seconds: int,
        *,
        anchors: Anchors | None = None,
        sinks: tuple[str, ...] = (),
        notices: bool = False,
    ) -> None:
        self._store = store
        self._archive = archive
        self._signs = signs
        self._keep_seconds = max(keep_seconds, SETTLED_SECONDS)
        self._anchors = anchors
        self._sinks = sinks
        self._notices = notices

    def due(self, now: int) -> tuple[tuple[Segment, ...], str | None]:
        """What would leave, and why nothing more does though it is old enough (None: nothing is).

        Raises `StoreUnavailable`, `Unfit`.
        """
        stream = self._store.stream
        beginning = stream.beginning()
        segments = self._archive.segments(self._store.store_id)
        refuse_gap(segments, beginning)
        found: list[Segment] = []
        for segment in segments:
            if segment.last <= beginning.number:
                continue
            signed = stream.checkpoint(segment.last)
            said = None if signed is None else said_by(signed)
            if said is None:
                raise Unfit(f"The store has no checkpoint {segment.last}; run `mfa-gate audit verify`.")
            if said.at > now - self._keep_seconds:
                break
            why = self._waits(said, now)
            if why is not None:
                return tuple(found), why
            found.append(segment)
        return tuple(found), None

    def turn(
        self,
        now: int,
        actor: Actor = SYSTEM,
        reason: str | None = None,
        progress: Callable[[Inspected], None] = lambda _: None,
    ) -> int:
        """Let leave what is old enough; how many segments. Raises `StoreUnavailable`, `Unfit`; the next call goes on.

        Raises `StaleState` where somebody else does the same.
        """
        self._clear()
        due, _ = self.due(now)
        for segment in due:
            found = inspected(self._archive, segment, self._store.stream, self._signs)
            known = self._store.stream.beginning()
            to = Beginning(number=segment.last, hash=found.newest.hash)
            self._store.retention.begin(known, to, (_shortened(found, actor, reason, now),), now)
            progress(found)
            self._clear()
        return len(due)

    def _clear(self) -> None:
        try:
            while self._store.retention.let_go(AT_ONCE):
                pass
        except RecordCorrupt as error:
            raise Unfit(f"Nothing leaves the store: {error}") from error

    def _waits(self, said: Checkpoint, now: int) -> str | None:
        """Who has not read it yet."""
        anchor: Anchor | None = None if self._anchors is None else self._anchors.read()
        if self._anchors is not None and (anchor is None or anchor.number < said.number):
            return "the anchor does not know it yet"
        marks = {mark.shard: mark.position for mark in said.marks if mark.count}
        reached = self._store.last_runs()
        for sink in self._sinks:
            if any(reached.get(mark_of(sink, shard), 0) < position for shard, position in marks.items()):
                return f"{sink} has not sent it yet"
        if self._notices and is_news(said.at, now):
            read = self._store.notices.queue().marks
            if any(read.get(shard, 0) < position for shard, position in marks.items()):
                return "not everybody has been told of it yet"
        return None


def _shortened(found: Inspected, actor: Actor, reason: str | None, now: int) -> Event:
    return Event(
        kind="trail_shortened",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details=found.details | ({} if reason is None else {"reason": reason}),
        # By the settings it is no news; by hand it is.
        notify=() if actor is SYSTEM else ("admins",),
    )
