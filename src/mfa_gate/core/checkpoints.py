"""What is signed about a trail and kept outside the store, and when a store has fallen behind it; it signs nothing.

A store keeps its events in one or more shards, each in one order. A checkpoint says how far each shard had come and
carries a running hash over everything before, bound to the checkpoint before it. Without any key of the store,
whoever has a checkpoint's public key can so tell between which two checkpoints a trail was changed.
"""

import hashlib
import struct
from collections.abc import Mapping

import msgspec

from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG

FORMAT = 2
"""How a checkpoint comes to its digests: over the hash of each event, so that an event can be left out of an export."""
ANCHOR_FORMAT = 1
HASH_BYTES = 32
_DOMAIN = b"mfa_gate checkpoint 1\0"
_EXPORT_DOMAIN = b"mfa_gate export 1\0"
_LENGTHS = struct.Struct(">III").pack


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it lies in its shard. `position` rises within the shard."""

    position: int
    account_id: str
    record: bytes
    link: bytes


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a shard, one after the other, of which only the hashes are shown; `position` is that of the last."""

    shard: str
    position: int
    hashes: bytes


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far one shard had come: its newest position, how many events, and the running SHA-256 over theirs."""

    shard: str
    position: int = 0
    count: int = 0
    digest: bytes = b""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one checkpoint says. `org_count` and `org_link`: the organization's chain, as far as it was read."""

    store: str
    number: int
    at: int
    marks: tuple[Mark, ...]
    previous: bytes
    """SHA-256 of the body of the checkpoint before; empty for the first."""
    policy_version: int
    org_count: int = 0
    org_link: bytes = b""
    format: int = FORMAT


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as it is kept: the exact bytes that were signed, and with which key."""

    number: int
    body: bytes
    key: str
    signature: bytes

    @property
    def hash(self) -> bytes:
        """What the next checkpoint and the anchor name it by."""
        return hashlib.sha256(self.body).digest()

    def read(self) -> Checkpoint:
        """What it says. Raises `RecordCorrupt`; whether it is ours, only the signature tells."""
        try:
            said = msgspec.json.decode(self.body, type=Checkpoint)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RecordCorrupt(f"Checkpoint {self.number} cannot be read ({error}).") from error
        if said.number != self.number:
            raise RecordCorrupt(f"Checkpoint {self.number} says that it is {said.number}.")
        return said


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """After which checkpoint the trail of a store begins; what that one and those before it signed is archived."""

    number: int = 0
    """0: it begins with the first event."""
    hash: bytes = b""
    """Of that checkpoint; empty: not known."""

    def is_at(self, signed: Signed) -> bool:
        """Whether this is the checkpoint."""
        return signed.number == self.number and self.hash in {b"", signed.hash}


FROM_THE_FIRST = Beginning()


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far a store has come, read in one go: newest position by shard (0: none), policy, newest checkpoint."""

    store: str
    positions: dict[str, int]
    policy_version: int
    checkpoint: Signed | None
    beginning: Beginning = FROM_THE_FIRST


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known outside the store: as far as this, it has been, and will never fall back by itself."""

    store: str
    number: int
    """Of the newest checkpoint; 0 before the first."""
    hash: bytes
    positions: dict[str, int]
    policy_version: int
    at: int
    format: int = ANCHOR_FORMAT


def body_of(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint."""
    return msgspec.json.encode(checkpoint, order="sorted")


def to_sign(body: bytes) -> bytes:
    """What is signed: the body under a name of its own, so that no signature over anything else passes for it."""
    return _DOMAIN + body


def export_to_sign(digest: bytes) -> bytes:
    """What is signed at the end of an export; `digest` is the SHA-256 of everything before."""
    return _EXPORT_DOMAIN + digest


def hash_of(entry: Entry) -> bytes:
    """The SHA-256 of one event as it lies in its shard."""
    account = entry.account_id.encode()
    # Security: every part carries its length; merely joined, a byte could move from one to the next.
    lengths = _LENGTHS(len(account), len(entry.record), len(entry.link))
    position = entry.position.to_bytes(16, "big", signed=True)
    return hashlib.sha256(b"".join((position, lengths, account, entry.record, entry.link))).digest()


class Running:
    """A running hash over one shard, taken up where a mark ends."""

    __slots__ = ("_hash", "count", "mark", "position")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.position = mark.position
        self.count = mark.count
        self._hash = hashlib.sha256(mark.digest)

    def take(self, entry: Entry) -> None:
        """The next event of the shard."""
        self.leave_out(entry.position, hash_of(entry))

    def leave_out(self, position: int, hashes: bytes) -> None:
        """The next events, of which only the hashes are known; `position` is that of the last."""
        self._hash.update(hashes)
        self.position = position
        self.count += len(hashes) // HASH_BYTES

    def reached(self) -> Mark:
        """The mark at which it stands; the same as the first, if nothing was taken."""
        if self.count == self.mark.count:
            return self.mark
        return Mark(
            shard=self.mark.shard, position=self.position, count=self.count, digest=self._hash.digest()
        )


class OrgChain:
    """The end of the organization's chain, as its events come by."""

    __slots__ = ("count", "link")

    def __init__(self, count: int, link: bytes) -> None:
        self.count = count
        self.link = link

    def take(self, entry: Entry) -> None:
        """An event of any account."""
        if entry.account_id == ORG:
            self.count += 1
            self.link = entry.link


def anchor_of(signed: Signed) -> Anchor:
    """What is kept outside of a checkpoint."""
    said = signed.read()
    return Anchor(
        store=said.store,
        number=said.number,
        hash=signed.hash,
        positions={mark.shard: mark.position for mark in said.marks},
        policy_version=said.policy_version,
        at=said.at,
    )


def fallen_behind(anchor: Anchor, reached: Reached, checkpoint: Signed | None) -> str | None:
    """Why this store is not the one that the anchor knows, or an older copy of it; None if it may be used.

    `checkpoint` is the store's own of the anchor's number.
    """
    if anchor.store != reached.store:
        return f"the anchor knows the store {anchor.store}, and this is {reached.store}"
    newest = 0 if reached.checkpoint is None else reached.checkpoint.number
    if newest < anchor.number:
        return f"the store's newest checkpoint is {newest}, and the anchor knows {anchor.number}"
    # A host whose anchor was not moved for long may know a checkpoint that has left the store for the archive since.
    is_there = anchor.number and anchor.number >= reached.beginning.number
    if is_there and (checkpoint is None or checkpoint.hash != anchor.hash):
        return f"checkpoint {anchor.number} of the store is not the one that the anchor knows"
    if reached.policy_version < anchor.policy_version:
        return (
            f"the policy has version {reached.policy_version}, and the anchor knows {anchor.policy_version}"
        )
    return _short_shard(anchor.positions, reached.positions, "the anchor knows")


def ends_before(marks: tuple[Mark, ...], positions: Mapping[str, int]) -> str | None:
    """Whether a trail ends before what its own checkpoint says."""
    return _short_shard({mark.shard: mark.position for mark in marks}, positions, "its checkpoint says")


def _short_shard(wanted: Mapping[str, int], positions: Mapping[str, int], who: str) -> str | None:
    for shard, position in wanted.items():
        if positions.get(shard, 0) < position:
            return (
                f"the trail (shard {shard}) ends at position {positions.get(shard, 0)}, and {who} {position}"
            )
    return None
