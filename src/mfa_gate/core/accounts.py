"""What the gate keeps about one person; how it changes stands in `transitions.py`, where it is kept it must not know.

All times are UTC seconds since the epoch. A record leaves out what is at its default, as most of most records is: a
default is part of how records are kept, and never changes.
"""

import hashlib
import unicodedata
from typing import Literal

import msgspec

from mfa_gate.core.clients import NativeKind
from mfa_gate.core.throttle import FOREVER, Strikes

FactorKind = Literal["totp", "recovery_code"]
Means = FactorKind | Literal["remembered_browser"]
"""What a session was opened by: a factor, or a browser in which one was confirmed before."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the first factor says this is, as one identity source read it from one request.

    `groups` is None where the source tells of none; `()` says that there are none.
    """

    source: str
    realm: str
    subject: str
    session_id: str | None = None
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] | None = None
    case_insensitive: bool = False


class Totp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One authenticator app. `last_step` is the newest 30-second step ever accepted (RFC 6238 §5.2)."""

    id: str
    name: str
    secret: bytes
    added_at: int
    last_step: int = 0
    last_used_at: int = 0
    strikes: Strikes = Strikes()


class RecoveryCodes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One set of recovery codes, kept as keyed hashes; a used one is removed."""

    made_at: int
    hashes: tuple[bytes, ...]
    total: int
    strikes: Strikes = Strikes()


class SetupCode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one-time code without which an administrator cannot enroll; kept as a keyed hash."""

    code_hash: bytes
    expires_at: int
    strikes: Strikes = Strikes()


class RememberedBrowser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A browser that is not asked for a code at sign-in; see `core.remembered`. It counts only while all of it fits.

    `id` stands in its cookie and nowhere else. Of the token that counts now, and of the one before it, only SHA-256 is
    kept; `salt` made the one of the other. `epoch` and `factors` are the account's as they were when it was remembered.
    """

    id: bytes
    token_hash: bytes
    factor: FactorKind
    factors: bytes
    epoch: int
    remembered_at: int
    until: int
    used_at: int = 0
    rotated_at: int = 0
    former_hash: bytes = b""
    salt: bytes = b""
    name: str = ""
    address: str = ""
    """What it called itself, and from where it was used last."""

    @property
    def handle(self) -> str:
        """What pages and programs call it by; nothing of ours can be found or opened with it."""
        return hashlib.sha256(b"browser " + self.id).hexdigest()[:32]


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mobile or desktop client for which a code was given; see `core.devices`.

    Of its token only a keyed hash is kept. `epoch` is the account's as it was when it was registered.
    """

    id: str
    kind: NativeKind
    name: str
    token_hash: bytes
    factor: FactorKind
    epoch: int
    registered_at: int
    expires_at: int
    used_at: int = 0
    address: str = ""
    """From where it was used last."""


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded exception: nobody asks this person to set up two-step before `until`. It never lacks an end.

    `approved_by` is the administrator as the trail shows them (`Actor.shown`).
    """

    reason: str
    approved_by: str
    given_at: int
    until: int
    told_at: int = 0
    """When those whom it concerns were last told that its end is near."""


class Reminder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last mail that reminded this person. `claimed`: it is about to leave, or nobody knows whether it has."""

    run: str
    at: int
    round: int = 0
    outcome: Literal["claimed", "sent", "failed", "unknown"] = "claimed"
    why: str = ""


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the roster says of one person; `number` is that of the import that said so first.

    # Security: `groups` stand apart from those that the portal tells, which alone can make an administrator.
    """

    number: int
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's record. `version` 0 means that it was never stored."""

    id: str
    realm: str
    subject: str
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    active: bool = True
    version: int = 0
    epoch: int = 1
    first_seen_at: int = 0
    created_at: int = 0
    """When the record was made, where that was not because the person was seen."""
    two_step_since: int = 0
    last_verified_at: int = 0
    totps: tuple[Totp, ...] = ()
    recovery: RecoveryCodes | None = None
    remembered: tuple[RememberedBrowser, ...] = ()
    """Browsers in which no code is asked for at sign-in, in the order in which they were remembered."""
    devices: tuple[Device, ...] = ()
    """Mobile and desktop clients, in the order in which they were registered."""
    setup_code: SetupCode | None = None
    exemption: Exemption | None = None
    reminder: Reminder | None = None
    reset_at: int = 0
    put_off_at: int = 0
    """When they last chose to set up two-step later."""
    tried_while_paused_at: int = 0
    places: tuple[str, ...] = ()
    """Where they were verified from, newest last: see `core.places`."""
    listing: Listing | None = None
    """None: no roster has ever named this person."""
    email_since: int = 0
    """When `email` came in the place of another."""
    former_email: str = ""
    """The address by which something could be proven before."""

    @property
    def has_factor(self) -> bool:
        """True if two-step is set up, paused and disabled factors included."""
        return bool(self.totps)

    @property
    def had_factor(self) -> bool:
        """True if two-step was ever set up: whatever was confirmed once leaves its time, also after a reset."""
        return self.has_factor or self.last_verified_at > 0

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Those that the portal tells, and those of the roster."""
        return tuple(dict.fromkeys((*self.groups, *(self.listing.groups if self.listing else ()))))

    @property
    def revision(self) -> str:
        """Names what an administrator decides upon: another one after each enrollment, reset or exemption."""
        return f"{self.epoch}-{self.exempt_until}"

    @property
    def exempt_until(self) -> int:
        """When the exemption on record ends or ended; 0 if there is none. It is over then without any write."""
        return self.exemption.until if self.exemption else 0

    @property
    def is_locked(self) -> bool:
        """True once one factor was guessed at so often in a row that only a live session may still try any."""
        codes = self.recovery
        return any(totp.strikes.is_locked for totp in self.totps) or (
            codes is not None and codes.strikes.is_locked
        )

    @property
    def opens_at(self) -> int:
        """When the first factor may be tried again by somebody unknown; 0 if one may be tried at any time."""
        if self.is_locked:
            return FOREVER
        times = [totp.strikes.paused_until for totp in self.totps]
        if self.recovery is not None and self.recovery.hashes:
            times.append(self.recovery.strikes.paused_until)
        return min(times, default=0)

    def is_paused(self, now: int) -> bool:
        """True while every factor is paused, locked or disabled. A paused factor is still a factor."""
        return self.has_factor and now < self.opens_at


def fold_subject(subject: str) -> str:
    """The form in which two spellings are one person: NFKC, casefold, trim."""
    if subject.isascii():
        return subject.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject).casefold()).strip()


def account_id(realm: str, subject: str) -> str:
    """The account's id: 32 hex digits of SHA-256 over realm and folded subject; the first digit is its shard."""
    return hashlib.sha256(f"{realm}\0{fold_subject(subject)}".encode()).hexdigest()[:32]
