"""Decides how far what is archived may leave a store, and whether a step out of it is whole; it knows no database."""

from collections.abc import Sequence

from mfa_gate.core.checkpoints import Beginning, Entry, Signed
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.ports import Stream
from mfa_gate.stores.chains import put_back
from mfa_gate.stores.documents import Removed


def end_of(beginning: Beginning, signed: Signed | None, shard: str) -> Removed:
    """How much of a shard may leave: what the checkpoint has signed after which the trail begins.

    # Security: which checkpoint that is, is sealed with its hash: whoever writes another there takes out nothing.
    """
    if signed is None or not beginning.hash or not beginning.is_at(signed):
        raise RecordCorrupt(
            f"Checkpoint {beginning.number}, after which the trail begins, is gone or another; run "
            "`mfa-gate audit verify`."
        )
    mark = next((mark for mark in signed.read().marks if mark.shard == shard), None)
    return Removed() if mark is None else Removed(position=mark.position, count=mark.count)


def archived_before(stream: Stream) -> int | None:
    """When the checkpoint was signed after which the trail begins; None: it begins with the first event."""
    beginning = stream.beginning()
    signed = stream.checkpoint(beginning.number) if beginning.number else None
    return None if signed is None else signed.read().at


def whole_step(shard: str, removed: Removed, end: Removed, entries: Sequence[Entry]) -> Removed:
    """How much has left once these oldest entries have, too; `end`: how much may. Raises `RecordCorrupt`."""
    if entries and removed.count and entries[0].position <= removed.position:
        raise RecordCorrupt(put_back(entries[0].position))
    count = removed.count + len(entries)
    position = entries[-1].position if entries else removed.position
    # As many as were signed, and the last where it was signed.
    if not entries or count > end.count or (count == end.count) != (position == end.position):
        raise RecordCorrupt(
            f"Of the events from before the beginning (shard {shard}) there are others than were signed; run "
            "`mfa-gate audit verify`."
        )
    return Removed(position=position, count=count)
