"""A roster that an administrator sends: shown before it counts, put in force by whoever says why and gives a code.

It knows no HTTP and no file format; who may is `Authority`'s to say. Methods may raise `StoreUnavailable`.
"""

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from mfa_gate.core.events import ORG
from mfa_gate.core.roster import RosterHead
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.authority import ADMINS, Authority
from mfa_gate.flows.importing import Importing, Preview, StillSettling, TooLate
from mfa_gate.flows.results import (
    Confirmation,
    NeedsVerification,
    NotAllowed,
    Paused,
    ReasonMissing,
    Rejected,
)
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Draft, Recorded, Roster, Trail

NAMED: Final = 20
"""Administrators whom an offer names; it has to fit what a form carries."""
ACT: Final = "import_roster"


class Lines(Protocol):
    """A file, as far as it is needed here."""

    def readline(self, size: int) -> bytes:
        """The next line, or the first `size` bytes of it; nothing at the end."""


class BadRoster(msgspec.Struct, frozen=True, kw_only=True):
    """A roster that cannot be read: why, or its bad lines by number (some of `count`)."""

    why: str = ""
    lines: tuple[tuple[int, str], ...] = ()
    count: int = 0


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was compared and waits to be confirmed, by the one who sent it; `preview` names nobody."""

    preview: Preview
    digest: str
    by: str
    """The account of who sent it."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison as it is shown, and what confirms it."""

    preview: Preview
    offer: Offer


class Unsure(msgspec.Struct, frozen=True):
    """It deactivates so many, or somebody who administers, that it has to be said that this is meant."""


class Hashed:
    """A file whose lines are hashed while they are read, so that the trail can say which file it was."""

    def __init__(self, file: Lines) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def readline(self, size: int) -> bytes:
        """The next line, or the first `size` bytes of it."""
        line = self._file.readline(size)
        self._hash.update(line)
        return line

    def hexdigest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()


class RosterDesk:
    """One per process. `drafted` reads a file, whatever is wrong with it."""

    def __init__(
        self,
        authority: Authority,
        importing: Importing,
        roster: Roster,
        trail: Trail,
        *,
        drafted: Callable[[Lines], Draft | BadRoster],
    ) -> None:
        self._authority = authority
        self._importing = importing
        self._roster = roster
        self._trail = trail
        self._drafted = drafted

    def enters(self, visitor: Visitor, now: int) -> Visitor | NotAllowed | NeedsVerification:
        """Whether somebody may send a roster at all: before anything of it is read."""
        return self._authority.enters(visitor, ACT, "", now, roles=ADMINS)

    def offer(
        self, visitor: Visitor, file: Lines, now: int
    ) -> Shown | BadRoster | StillSettling | NotAllowed | NeedsVerification:
        """What the roster in `file` would change; nothing of it counts before it is confirmed."""
        me = self.enters(visitor, now)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        if self._roster.head().import_id:
            return StillSettling()
        hashed = Hashed(file)
        draft = self._drafted(hashed)
        if isinstance(draft, BadRoster):
            return draft
        try:
            preview = self._importing.compare(draft, now, keep=True, progress=lambda _: None)
        finally:
            draft.close()
        if isinstance(preview, StillSettling):
            return preview
        kept = replace(preview, shown={}, administrators=preview.administrators[:NAMED])
        return Shown(preview=preview, offer=Offer(preview=kept, digest=hashed.hexdigest(), by=me.account.id))

    def confirm(
        self,
        visitor: Visitor,
        offer: Offer,
        reason: str,
        now: int,
        *,
        meant: bool,
        confirmation: Confirmation | None,
    ) -> RosterHead | TooLate | Unsure | NotAllowed | NeedsVerification | ReasonMissing | Rejected | Paused:
        """Put what was shown in force, with a code of the app in the same request.

        # Security: a roster locks people out and says where their mail goes; a page of the portal must not put one in
        force with a session that it rides.
        """
        me = self.enters(visitor, now)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        if offer.by != me.account.id:
            return TooLate()
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        if offer.preview.wants_confirmation and not meant:
            return Unsure()
        refusal = self._authority.confirmed(me, confirmation, now)
        if refusal is not None:
            return refusal
        return self._importing.confirm(offer.preview, me.actor, given, now, digest=offer.digest)

    def forget(self, visitor: Visitor, offer: Offer) -> None:
        """Drop what was set aside for an offer that its sender does not want; a job would, an hour later."""
        if offer.by == visitor.account.id:
            self._importing.forget(offer.preview)

    def head(self) -> RosterHead:
        """Which import is in force, and whether accounts are still to be told of it."""
        return self._roster.head()

    def imports(self, limit: int) -> tuple[Recorded, ...]:
        """The newest imports as the trail has them, newest first."""
        return self._trail.events(account_id=ORG, kind="roster_imported", before=None, limit=limit)
