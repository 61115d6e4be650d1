"""The store as a whole, and what concerns all of it."""

from typing import Literal, Protocol

import msgspec

from mfa_gate.core.events import Event
from mfa_gate.core.policy import Policy
from mfa_gate.ports.people import Accounts, Directory, FactsReader, Roster, Sessions
from mfa_gate.ports.trail import Retention, Snapshots, Stream, Trail
from mfa_gate.ports.work import Feed, Leases, Mending, Notices, Outbox, Traffic


class Policies(Protocol):
    """Used by administration."""

    def policy(self) -> Policy:
        """The newest policy."""

    def commit_policy(self, policy: Policy, events: tuple[Event, ...], now: int) -> Policy:
        """Write `policy` (its `version` is the one that was read) as version + 1; events join the chain `ORG`.

        Raises `StaleState`.
        """

    def policy_versions(self, before: int | None, limit: int) -> tuple[Policy, ...]:
        """The policy as it was, newest first, at most `limit` below version `before`, of those that are kept."""

    def record(self, events: tuple[Event, ...], now: int) -> None:
        """Append organization events that change no document."""


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """One step through everything that is sealed. `next` is where to go on; None at the end."""

    next: str | None
    changed: int = 0
    needed: dict[str, int] = {}
    """Seal keys, by id, and how many of the records that were looked at need each."""
    broken: tuple[str, ...] = ()
    """Records that open with no key of ours; they are left as they are."""


class Seals(Protocol):
    """Used by `mfa-gate keys reseal` and `keys retire`."""

    def reseal(self, after: str | None, limit: int) -> Resealed:
        """Seal what is not sealed with the newest key anew, of at most `limit` accounts; None begins at the first."""

    def survey(self, after: str | None, limit: int) -> Resealed:
        """Look at the same in the same steps, and change nothing."""


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a store that somebody should mend (`error`) or know, with its cure."""

    severity: Literal["error", "warning"]
    about: str
    text: str


class Health(Protocol):
    """Used by `mfa-gate check`, and by whoever must know whether clocks agree."""

    def health(self, now: float) -> tuple[Concern, ...]:
        """What endangers what is stored: persistence, reach, clocks."""

    def server_time(self) -> float | None:
        """UTC seconds by the clock of the store's server; None where the store is on this machine's clock."""


class Store(
    FactsReader,
    Accounts,
    Sessions,
    Policies,
    Directory,
    Traffic,
    Trail,
    Leases,
    Mending,
    Outbox,
    Health,
    Protocol,
):
    """What a backend offers; wiring hands each user only the part that it needs."""

    store_id: str
    stream: Stream
    retention: Retention
    seals: Seals
    notices: Notices
    roster: Roster
    snapshots: Snapshots

    def feed(self) -> Feed:
        """Begin to follow what others change. Every call begins anew."""

    def close(self) -> None:
        """Release files and connections; the store can be opened again."""
