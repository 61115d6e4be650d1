"""The audit trail: what was recorded, in which order, what was signed over it, and where it is kept for long."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from mfa_gate.core.accounts import Identity
from mfa_gate.core.checkpoints import Anchor, Beginning, Entry, Reached, Signed
from mfa_gate.core.events import Event
from mfa_gate.core.grants import Grant
from mfa_gate.core.snapshots import SignedSnapshot


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the trail, `position` rising over the whole store."""

    position: int
    event: Event
    link: bytes


class Trail(Protocol):
    """Used by the audit page and `mfa-gate audit`."""

    def events(
        self, *, account_id: str | None, kind: str | None, before: int | None, limit: int, after: int = 0
    ) -> tuple[Recorded, ...]:
        """Newest first, below position `before` and above `after`."""

    def latest(self, kinds: tuple[str, ...], limit: int) -> tuple[Recorded, ...]:
        """The newest events of one kind or more, newest first, however many others were written since."""

    def position_at(self, at: int) -> int | None:
        """The position of the first event that was written at `at` or later; None: there is none.

        Found by halving, as if no clock had ever been set back: who must not miss an event looks further around.
        """

    def archived_before(self) -> int | None:
        """Until when what was written has left for the archive; None: nothing has."""

    def broken_chain(self) -> str | None:
        """Recompute every chain; None if whole, else a sentence that names the first break."""


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose record is not the one that the trail speaks of."""

    account_id: str
    text: str


class Stream(Protocol):
    """Used by the checkpointer, and by whoever verifies: the trail in the order in which it was written."""

    shards: tuple[str, ...]
    """The parts of the trail, each in one order; the organization's events are in the first."""

    def entries(self, shard: str, after: int | None, limit: int) -> tuple[Entry, ...]:
        """The oldest events of a shard above position `after` (None: from the very first), in order, at most `limit`.

        What was read once never gets an entry before it.
        """

    def reached(self) -> Reached:
        """How far the store has come."""

    def beginning(self) -> Beginning:
        """After which checkpoint the trail begins; what was before is archived."""

    def checkpoint(self, number: int) -> Signed | None:
        """The checkpoint of this number."""

    def checkpoints(self, after: int, limit: int) -> tuple[Signed, ...]:
        """Checkpoints above number `after`, in order, at most `limit`."""

    def add_checkpoint(self, signed: Signed) -> None:
        """Keep the next checkpoint. Raises `StaleState` unless its number is the newest plus one.

        Returns once it, and everything that was written before it, is as durable as this store's records get.
        """

    def misfits(self, seen: Mapping[str, bytes | None]) -> tuple[Misfit, ...]:
        """Of these accounts (and `ORG`), those whose record or chain head is not what their newest event belongs to.

        `seen` holds by account a link that was read in its chain, which must still be there; None if none is known.
        Each is judged at one moment, so that a commit on the way is no misfit.
        """

    def account_ids(self, after: str | None, limit: int) -> tuple[str | None, tuple[str, ...]]:
        """Some ids of accounts that have a chain, about `limit`, and where to go on (None: these were the last)."""


class Snapshots(Protocol):
    """Used by whoever reports: one a day of how the organization stood, kept when the trail of then is archived."""

    def days(self) -> tuple[int, ...]:
        """The days of which there is one, oldest first, as `datetime.date.toordinal` counts them."""

    def of(self, days: tuple[int, ...]) -> tuple[SignedSnapshot, ...]:
        """Those of these days, in their order, but for days without one. Nobody has looked whether they are ours."""

    def add(self, snapshot: SignedSnapshot) -> bool:
        """Keep it for good; False if there is one of that day, which stays."""


class Retention(Protocol):
    """Used by whoever archives: once what is old stands in files, the trail of the store begins later."""

    def begin(self, known: Beginning, to: Beginning, events: tuple[Event, ...], now: int) -> None:
        """Let the trail begin after a later checkpoint, in one commit with the events that say so.

        Raises `StaleState` unless it begins at `known`. From then on nobody reads what is before.
        """

    def let_go(self, limit: int) -> int:
        """Take out the oldest records from before the beginning, about `limit`; how many. 0: there are none left.

        In one step with what each chain goes on from, so that the trail is whole after any number of steps. Raises
        `RecordCorrupt`, and takes nothing, where an event does not belong to its chain.
        """


class Grants(Protocol):
    """Used on the request path, from memory: who may pass without the second step, and that it is written down."""

    def find(self, identity: Identity, now: int) -> Grant | None:
        """A break-glass grant that is good for this person now."""

    def is_noted(self, grant: Grant, now: int) -> bool:
        """True if its use was written down within the last minute."""

    def note(self, grant: Grant, used: Event, now: int) -> bool:
        """Write its use down and say it aloud; False: it could not be, and must not be honored. May block."""


class Anchors(Protocol):
    """Used when a store is opened and after each checkpoint: what is kept of it elsewhere."""

    def read(self) -> Anchor | None:
        """What is known; None if nothing was ever written. Raises `StoreUnavailable`: it cannot be read."""

    def move(self, known: Anchor | None, anchor: Anchor) -> bool:
        """Put `anchor` in the place of `known`, durably; False if somebody else has moved it meanwhile."""


class Segment(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A part of the trail in a file: everything that the checkpoints `first` to `last` sign."""

    first: int
    last: int
    store: str


class Archive(Protocol):
    """Used by whoever archives the trail, and by whoever verifies what was archived: files, one for each segment."""

    def segments(self, store: str) -> tuple[Segment, ...]:
        """What there is of this store, oldest first. Raises `StoreUnavailable`: it cannot be looked at."""

    def name(self, segment: Segment) -> str:
        """How its file is called."""

    def digest(self, segment: Segment) -> str:
        """The SHA-256 of its file, in hex. Raises `StoreUnavailable`."""

    def keep(self, segment: Segment, lines: Iterator[bytes]) -> bool:
        """Write a segment, durably and whole or not at all; False if it is there. Raises `StoreUnavailable`.

        Whatever reading `lines` raises is raised, and nothing is kept.
        """

    def read(self, segment: Segment) -> Iterator[bytes]:
        """The lines of a segment. Raises `StoreUnavailable`."""
