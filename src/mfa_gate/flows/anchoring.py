"""Decides whether a store may be used at all, by what is known of it outside, and carries that knowledge on.

It never goes back by itself: a store that has fallen behind is `RolledBack` until somebody accepts the loss.
"""

import logging
from collections.abc import Callable

from mfa_gate.core.checkpoints import Anchor, Reached, Signed, anchor_of, fallen_behind
from mfa_gate.core.errors import RecordCorrupt, RolledBack
from mfa_gate.ports import Anchors, Stream

SETTLED_SECONDS = 10
"""How old a checkpoint must be before a process that did not write it takes it for durable."""

log = logging.getLogger("mfa_gate")

IsOurs = Callable[[Signed], bool]


class AnchorKeeper:
    """Compares one store with its anchor. `is_ours` tells whether a checkpoint is signed by this gate."""

    def __init__(self, stream: Stream, anchors: Anchors, is_ours: IsOurs) -> None:
        self._stream = stream
        self._anchors = anchors
        self._is_ours = is_ours

    def refuse_older(self) -> None:
        """Raise `RolledBack` if the store is older than its anchor, or another one."""
        anchor = self._anchors.read()
        if anchor is not None:
            judge(self._stream, anchor)

    def advance(self, now: int, settled: Signed | None = None) -> None:
        """Take over how far the store has come; `settled` is a checkpoint that is known to be durable.

        Raises `RolledBack` as `refuse_older` does.
        """
        anchor = self._anchors.read()
        if anchor is None:
            log.warning("anchor: there was none; the store is believed as it is from here on.")
            self._anchors.move(None, first_anchor(self._stream.reached(), now))
            return
        reached = judge(self._stream, anchor)
        newest = settled or reached.checkpoint
        if newest is None or newest.number <= anchor.number or not self._is_ours(newest):
            return
        try:
            found = anchor_of(newest)
        except RecordCorrupt:
            return
        # Security: signed by us, but perhaps for another store with the same keys.
        if found.store == anchor.store and (settled is not None or now - found.at >= SETTLED_SECONDS):
            self._anchors.move(anchor, found)


def judge(stream: Stream, anchor: Anchor) -> Reached:
    """How far the store has come. Raises `RolledBack` if that is less far than its anchor knows."""
    # The checkpoint first: while it is read, the store only goes on.
    checkpoint = stream.checkpoint(anchor.number) if anchor.number else None
    reached = stream.reached()
    why = fallen_behind(anchor, reached, checkpoint)
    if why is not None:
        raise RolledBack(
            f"Rollback detected: {why}. Put back the newest copy of the store, or accept what is lost with "
            "`mfa-gate restore --accept-loss --reason …`."
        )
    return reached


def first_anchor(reached: Reached, now: int) -> Anchor:
    """The anchor of a store that is believed as it is."""
    newest = reached.checkpoint
    return Anchor(
        store=reached.store,
        number=0 if newest is None else newest.number,
        hash=b"" if newest is None else newest.hash,
        positions=reached.positions,
        policy_version=reached.policy_version,
        at=now,
    )
