"""What a report says of a date, and of today where the two are told apart; it must not know how it is shown."""

import msgspec

from mfa_gate.core.events import EventKind
from mfa_gate.core.policy import Policy
from mfa_gate.core.snapshots import Snapshot


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage on one day of the course."""

    day: str
    at: int
    covered: int
    people: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How an organization stood at `at`: the end of `day`, or the moment at which it was made (`day` is None).

    `snapshot` is the last that was taken by then, None if there was none or it is not as it was signed; `policy` the
    one in force then, None where it is not kept. `acts` were done from `acts_since` to `acts_until`. `course` goes to
    the day, oldest first. `unfit` are days whose snapshot was changed after it was signed, `torn` those before which a
    snapshot was taken out. `whole_at` and `tampered_at` are of the trail as it is when the report is made; those of
    then are the snapshot's.
    """

    portal: str
    public_url: str
    store: str
    time_zone: str
    made_at: int
    day: str | None
    at: int
    snapshot: Snapshot | None
    snapshot_sha256: str = ""
    """Of the snapshot's body, as it stands in the trail; empty for one that was taken for this report."""
    first_day: str = ""
    """The first of which there is a snapshot; empty: none was taken yet."""
    policy: Policy | None = None
    acts: dict[EventKind, int] = {}
    acts_since: int = 0
    acts_until: int = 0
    course: tuple[Day, ...] = ()
    unfit: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    whole_at: int | None = None
    tampered_at: int | None = None

    @property
    def is_late(self) -> bool:
        """True if the snapshot is of a day before the one that was asked for."""
        return self.day is not None and self.snapshot is not None and self.snapshot.day != self.day
