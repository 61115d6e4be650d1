"""How a trail stands in a file: one JSON object a line, so that it can be written and verified as a stream.

The first line says whose trail it is and what was chosen of it; then come the events in the order in which they were
signed, each shard by itself, and after them the checkpoint that signs them. What was not chosen stands there as hashes,
so that the rest can be verified all the same. The last line signs the file. Records stand exactly as they were chained.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from mfa_gate.core.checkpoints import HASH_BYTES, Beginning, Entry, LeftOut, Signed, export_to_sign
from mfa_gate.core.errors import MfaGateError
from mfa_gate.flows.trails import Item, Trail

FORMAT: Final = 2
HASHES_A_LINE: Final = 1_000


class NotAnExport(MfaGateError):
    """What is read is not what `mfa-gate audit export` writes."""


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="export", omit_defaults=True):
    """The first line. `account` … `until` are the filter; `whole_chains`: it leaves out no event of whom it shows."""

    format: int = 0
    store: str
    shards: tuple[str, ...]
    at: int = 0
    by: str = ""
    account: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None
    begins: int = 0
    """The checkpoint that it goes on from, and what stands in files before; 0: it goes back to the first event."""

    @property
    def is_part(self) -> bool:
        """Whether anything was left out."""
        return (self.account, self.kind, self.since, self.until) != (None,) * 4

    @property
    def chains_are_whole(self) -> bool:
        """Whether whoever has an event in it has all of theirs, from the first on."""
        return not self.begins and (self.kind, self.since, self.until) == (None,) * 3


class CheckpointLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="checkpoint"):
    """A checkpoint; bytes are base64."""

    number: int
    body: bytes
    key: str
    signature: bytes


class EventLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="event", omit_defaults=True):
    """An event. `raw` takes the place of a `record` that is no text."""

    shard: str
    position: int
    account: str
    record: str = ""
    raw: bytes = b""
    link: bytes


class LeftOutLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="left_out"):
    """Hashes of events that were not chosen."""

    shard: str
    position: int
    hashes: bytes


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="end"):
    """The last line: how many events, the SHA-256 of every byte before it, and who signed that."""

    events: int
    sha256: bytes
    key: str
    signature: bytes


Line = Begin | CheckpointLine | EventLine | LeftOutLine | End
Sign = Callable[[bytes], tuple[str, bytes]]
"""Message → (key id, signature)."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def lines(begin: Begin, items: Iterator[Item], sign: Sign) -> Iterator[bytes]:
    """The file, line by line."""
    digest = hashlib.sha256()
    events = 0

    def put(line: Line) -> bytes:
        written = _encode(line) + b"\n"
        digest.update(written)
        return written

    yield put(msgspec.structs.replace(begin, format=FORMAT))
    for item in items:
        if isinstance(item, tuple):
            events += 1
            yield put(_event(*item))
        elif isinstance(item, Signed):
            yield put(
                CheckpointLine(number=item.number, body=item.body, key=item.key, signature=item.signature)
            )
        else:
            yield put(LeftOutLine(shard=item.shard, position=item.position, hashes=item.hashes))
    sha256 = digest.digest()
    key, signature = sign(export_to_sign(sha256))
    yield put(End(events=events, sha256=sha256, key=key, signature=signature))


class Reading:
    """A file as it is read, line by line. Raises `NotAnExport`, also while it is read."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        first = next(source, b"")
        try:
            begin = _decode(first)
        except (msgspec.MsgspecError, ValueError):
            begin = None
        if not isinstance(begin, Begin):
            raise NotAnExport("This is no export of an audit trail. Write one with `mfa-gate audit export`.")
        if begin.format != FORMAT:
            raise NotAnExport(
                f"This export has the form {begin.format}, and this mfa_gate reads {FORMAT}. Export the trail anew."
            )
        self._digest.update(first)
        self.begin = begin
        self.events = 0
        self.end: End | None = None
        """The last line; None until it is read, and for ever if it is missing."""
        self.is_intact = False
        """Whether the last line's hash is that of what stands before it."""

    @property
    def trail(self) -> Trail:
        """The trail in it; it can be read once."""
        return Trail(
            shards=self.begin.shards,
            items=self._items,
            begins=Beginning(number=self.begin.begins),
            is_part=self.begin.is_part,
            chains_are_whole=self.begin.chains_are_whole,
        )

    def _items(self) -> Iterator[Item]:
        for written in self._source:
            try:
                line = _decode(written)
            except (msgspec.MsgspecError, ValueError) as error:
                raise NotAnExport("The export is damaged: a line of it is not what was exported.") from error
            match line:
                case EventLine():
                    self.events += 1
                    yield line.shard, _entry(line)
                case CheckpointLine():
                    yield Signed(number=line.number, body=line.body, key=line.key, signature=line.signature)
                case LeftOutLine():
                    if not line.hashes or len(line.hashes) % HASH_BYTES:
                        raise NotAnExport("The export is damaged: a line of hashes is none.")
                    yield LeftOut(shard=line.shard, position=line.position, hashes=line.hashes)
                case End():
                    self.end = line
                    self.is_intact = (line.sha256, line.events) == (self._digest.digest(), self.events)
                    break
                case _:
                    raise NotAnExport("The export is damaged: another begins within it.")
            self._digest.update(written)
        if next(self._source, None) is not None:
            raise NotAnExport("The export is damaged: something stands behind its end.")


def _event(shard: str, entry: Entry) -> EventLine:
    record, raw = "", b""
    try:
        record = entry.record.decode()
    except UnicodeDecodeError:
        raw = entry.record
    return EventLine(
        shard=shard,
        position=entry.position,
        account=entry.account_id,
        record=record,
        raw=raw,
        link=entry.link,
    )


def _entry(line: EventLine) -> Entry:
    return Entry(
        position=line.position,
        account_id=line.account,
        record=line.raw or line.record.encode(),
        link=line.link,
    )
