"""What is written down once a day of how the organization stands, and what of it is signed; it signs nothing.

A snapshot says of its day what a report of that day says later, when the trail of then may long be archived and people
may be gone. Each names the one before, so that whoever reads some of them sees that none in between is missing.
"""

import hashlib
from datetime import date
from typing import Final, Literal

import msgspec

from mfa_gate.core.coverage import Coverage
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import EventKind
from mfa_gate.core.policy import Policy

FORMAT: Final = 1
_DOMAIN: Final = b"mfa_gate snapshot 1\0"
ACTS: Final[tuple[EventKind, ...]] = (
    "reset",
    "exemption_given",
    "exemption_ended",
    "break_glass_granted",
    "break_glass_used",
    "roster_imported",
)
"""What is counted of what was done."""


class Exempt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is exempt, as an auditor asks: who, why, approved by whom, from when until when."""

    subject: str
    realm: str
    reason: str
    approved_by: str
    given_at: int
    until: int


class Openings(msgspec.Struct, frozen=True, kw_only=True):
    """Every way by which somebody gets past without a second step. `open_paths` are those of the settings.

    `break_glass` is how many grants count now; None where the settings leave no place for any. `unattributed` kinds of
    requests name nobody, and pass while nothing is required.
    """

    mode: Literal["enforce", "observe"]
    open_paths: tuple[str, ...] = ()
    exempt: int = 0
    grace: int = 0
    left_out_groups: tuple[str, ...] = ()
    break_glass: int | None = None
    unattributed: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How the organization stood at `at`. `day` is that of `time_zone`, written `2026-03-31`.

    `acts` were done from `acts_since` to `acts_until`, which is where those of the next begin. `whole_at` and
    `tampered_at`: when the trail had last been found whole and tampered with; None: never.
    """

    store: str
    day: str
    at: int
    time_zone: str
    policy: Policy
    coverage: Coverage
    openings: Openings
    exempt: tuple[Exempt, ...] = ()
    acts: dict[EventKind, int] = {}
    acts_since: int = 0
    acts_until: int = 0
    whole_at: int | None = None
    tampered_at: int | None = None
    previous: bytes = b""
    """SHA-256 of the body of the snapshot before; empty for the first."""
    format: int = FORMAT


class SignedSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is kept: the exact bytes that were signed, and with which key. `day` counts from 1 January 1."""

    day: int
    body: bytes
    key: str
    signature: bytes

    @property
    def hash(self) -> bytes:
        """What the next snapshot names it by."""
        return hashlib.sha256(self.body).digest()

    def read(self) -> Snapshot:
        """What it says. Raises `RecordCorrupt`; whether it is ours, only the signature tells."""
        try:
            said = msgspec.json.decode(self.body, type=Snapshot)
            stands_under = date.fromisoformat(said.day).toordinal()
        except (msgspec.MsgspecError, ValueError) as error:
            raise RecordCorrupt(f"The snapshot of {self.shown} cannot be read ({error}).") from error
        if stands_under != self.day:
            raise RecordCorrupt(f"The snapshot of {self.shown} is that of {said.day}.")
        return said

    @property
    def shown(self) -> str:
        """Its day, as people write it in files."""
        return (
            date.fromordinal(self.day).isoformat() if 0 < self.day <= date.max.toordinal() else str(self.day)
        )


def body_of(snapshot: Snapshot) -> bytes:
    """The bytes of a snapshot."""
    return msgspec.json.encode(snapshot, order="sorted")


def to_sign(body: bytes) -> bytes:
    """What is signed: the body under a name of its own, so that no signature over anything else passes for it."""
    return _DOMAIN + body
