"""Reads what is archived: whether all of it is there, as one trail, and whether a file is what was signed."""

from collections.abc import Callable, Iterator

import msgspec

from mfa_gate.core.checkpoints import Beginning, Signed, export_to_sign, to_sign
from mfa_gate.core.errors import MfaGateError
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.export_lines import NotAnExport, Reading
from mfa_gate.flows.trails import AT_ONCE, Item, Trail
from mfa_gate.flows.verifying import Line
from mfa_gate.ports import Archive, Segment, Stream

Signs = Callable[[str, bytes, bytes], bool]
"""Whether the key of this id, if it is the gate's, signed this message with this signature."""


class Unfit(MfaGateError):
    """What was to be archived, or is in the archive, is not what was signed."""


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read back, and is what was signed."""

    segment: Segment
    file: str
    events: int
    sha256: str
    """Of the file as it lies in the archive."""
    newest: Signed
    """The last checkpoint in it."""

    @property
    def details(self) -> dict[str, str]:
        """What the trail says of it."""
        return {
            "from_checkpoint": str(self.segment.first),
            "to_checkpoint": str(self.segment.last),
            "events": str(self.events),
            "file": self.file,
            "sha256": self.sha256,
        }


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


def refuse_gap(segments: tuple[Segment, ...], beginning: Beginning) -> int:
    """The last checkpoint that is archived. Raises `Unfit` unless the store goes on from there, or before it."""
    last = end_of(segments)
    if last < beginning.number:
        raise Unfit(
            f"The trail of the store begins after checkpoint {beginning.number}, and the archive ends with {last}: a "
            "file is missing. Put it back."
        )
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
            if newest is None or (reading.begin.begins + 1, newest.number) != (segment.first, segment.last):
                raise Unfit(
                    f"The file of the archive that is named after checkpoints {segment.first} to {segment.last} holds "
                    "others: it was renamed, or exchanged."
                )
            check(reading)

    segments = archive.segments(store_id)
    shards = Reading(archive.read(segments[0])).begin.shards if segments else ()
    return Trail(shards=shards, items=items)


def inspected(archive: Archive, segment: Segment, stream: Stream, signs: Signs) -> Inspected:
    """Read a file back from its first byte to its last, and hold it against the checkpoints of the store.

    Raises `Unfit` unless it holds exactly the events that they signed, and `StoreUnavailable`.
    """
    name = archive.name(segment)
    try:
        sha256 = archive.digest(segment)
        reading = Reading(archive.read(segment))
        line = Line(reading.trail, _checkpoints_of(signs), segment.store, None)
        own = _own(stream, segment.first - 1)
        for item in reading.trail.items():
            why = line.take(item)
            if why is None and isinstance(item, Signed) and item != next(own, None):
                why = f"Checkpoint {item.number} is not that of the store."
            if why is not None:
                raise Unfit(f"{name} is not what was archived: {why}")
    except NotAnExport as error:
        raise Unfit(f"{name} is not what was archived: {error}") from error
    found = line.verified(None)
    newest, begins = found.newest, reading.begin.begins
    why = not_intact(reading, signs)
    if newest is None or (begins + 1, newest.number) != (segment.first, segment.last) or found.unsigned:
        why = "it holds others than those after which it is named"
    if why is None and archive.digest(segment) != sha256:
        why = "it was changed while it was read"
    if why is not None or newest is None:
        raise Unfit(f"{name} is not what was archived: {why}")
    return Inspected(segment=segment, file=name, events=found.signed, sha256=sha256, newest=newest)


def not_intact(export: Reading, signs: Signs) -> str | None:
    """Why a file is not the one that was exported, though nothing in it that was signed before contradicts it."""
    end = export.end
    if end is None:
        return "The export has no end: it was cut off."
    if not export.is_intact:
        return (
            "The export is not as it was written: something in it that no checkpoint signs was changed, put in or "
            "taken out, or the filter that it names."
        )
    if not signs(end.key, export_to_sign(end.sha256), end.signature):
        return "The export is not signed with a key of this gate."
    return None


def _checkpoints_of(signs: Signs) -> IsOurs:
    return lambda signed: signs(signed.key, to_sign(signed.body), signed.signature)


def _own(stream: Stream, first: int) -> Iterator[Signed]:
    """The checkpoints of the store from this one on."""
    after = max(0, first - 1)
    while part := stream.checkpoints(after, AT_ONCE):
        yield from part
        after = part[-1].number
