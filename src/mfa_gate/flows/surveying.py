"""Looks how the organization stands now: what a snapshot keeps of a day. It changes nothing.

Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.coverage import Coverage, GroupCoverage
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG, EventKind
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.core.policy import Policy
from mfa_gate.core.snapshots import ACTS, Exempt, Openings, SignedSnapshot, Snapshot, to_sign
from mfa_gate.flows.finding import Sought, find_all
from mfa_gate.ports import Directory, Groups, Leases, Policies, Traffic, Trail

WHOLE: Final = "trail whole"
"""Under this name the store keeps, sealed, when the daily examination last found the trail whole."""
GROUPS: Final = 100
"""So many groups, the largest, stand in a snapshot beside those that the policy names."""
EXEMPT: Final = 200
"""So many of those who are exempt stand in a snapshot by name."""
SETTLED_SECONDS: Final = 120
"""So old an act must be to be counted: nobody whose clock is behind writes an older one any more."""
Signs = Callable[[str, bytes, bytes], bool]
"""Whether the key of this id, if it is the gate's, signed this message with this signature."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose organization it is, and in which zone its days are meant. `open_now(now)`: what the settings leave open."""

    store: str
    zone: tzinfo
    zone_name: str
    open_now: Callable[[int], Openings]

    def day(self, at: int) -> date:
        """The day of a moment."""
        return datetime.fromtimestamp(at, self.zone).date()


class Surveying:
    """One per process."""

    def __init__(
        self,
        directory: Directory,
        policies: Policies,
        trail: Trail,
        leases: Leases,
        traffic: Traffic,
        *,
        place: Place,
    ) -> None:
        self._directory = directory
        self._policies = policies
        self._trail = trail
        self._leases = leases
        self._traffic = traffic
        self.place = place

    def take(self, now: int, before: Snapshot | None = None, before_hash: bytes = b"") -> Snapshot:
        """How it stands now. Of the trail only those acts are read that came after the snapshot `before`."""
        policy = self._policies.policy()
        coverage = self.coverage(policy, now)
        acts_since = before.acts_until if before else 0
        acts_until = max(acts_since, now - SETTLED_SECONDS)
        return Snapshot(
            store=self.place.store,
            day=self.place.day(now).isoformat(),
            at=now,
            time_zone=self.place.zone_name,
            policy=policy,
            coverage=coverage,
            openings=self.openings(policy, coverage, now),
            exempt=self._exempt(now) if coverage.counts.get("exempt") else (),
            acts={kind: self._acts(kind, acts_since, acts_until) for kind in ACTS},
            acts_since=acts_since,
            acts_until=acts_until,
            whole_at=self.whole_at(),
            tampered_at=self.tampered_at() or (before.tampered_at if before else None),
            previous=before_hash,
        )

    def coverage(self, policy: Policy, now: int, groups: int = GROUPS) -> Coverage:
        """Coverage now, of everybody and of each group."""
        by_group = self.groups(policy, now, groups)
        unseen = Coverage(counts=self._directory.counts(Filter(never_seen=True), now) or {})
        return Coverage(
            counts=self._directory.counts(EVERYBODY, now) or {},
            never_seen=unseen.people,
            groups=by_group.shown,
            more_groups=by_group.more,
        )

    def groups(self, policy: Policy, now: int, limit: int) -> Groups:
        """Coverage now in each group that the policy names, and in so many of the largest."""
        largest = self._directory.groups(limit)
        named = {
            group: found for group, found in self._named(policy, now).items() if group not in largest.shown
        }
        known = sum(1 for found in named.values() if found.people)
        return Groups(shown=named | largest.shown, more=largest.more - known)

    def _named(self, policy: Policy, now: int) -> dict[str, GroupCoverage]:
        named = (
            *policy.required_groups,
            *policy.left_out_groups,
            *(rule.group for rule in policy.group_factors),
        )
        groups = {}
        for group in dict.fromkeys(named):
            found = Coverage(counts=self._directory.counts(Filter(group=group), now) or {})
            groups[group] = GroupCoverage(found.covered, found.people)
        return groups

    def openings(self, policy: Policy, coverage: Coverage, now: int) -> Openings:
        """Every way past the second step that there is now."""
        return replace(
            self.place.open_now(now),
            exempt=coverage.counts.get("exempt", 0),
            grace=coverage.counts.get("grace", 0),
            left_out_groups=policy.left_out_groups,
            unattributed=0 if policy.require_two_step else len(self._traffic.traffic()),
        )

    def whole_at(self) -> int | None:
        """When the trail was last recomputed and found whole."""
        return whole_at(self._leases)

    def tampered_at(self) -> int | None:
        """When tampering was last noticed, as far as the store's trail goes back."""
        return tampered_at(self._trail)

    def _acts(self, kind: EventKind, since: int, until: int) -> int:
        return sum(1 for _ in find_all(self._trail, Sought(kind=kind, since=since, until=until)))

    def _exempt(self, now: int) -> tuple[Exempt, ...]:
        page = self._directory.people(Filter(statuses=("exempt",)), limit=EXEMPT, now=now)
        return tuple(
            Exempt(
                subject=account.subject,
                realm=account.realm,
                reason=exemption.reason,
                approved_by=exemption.approved_by,
                given_at=exemption.given_at,
                until=exemption.until,
            )
            for account, exemption in ((row.account, row.account.exemption) for row in page.rows)
            if exemption is not None
        )


def whole_at(leases: Leases) -> int | None:
    """When the trail was last recomputed and found whole."""
    return leases.last_runs().get(WHOLE)


def tampered_at(trail: Trail) -> int | None:
    """When tampering was last noticed, as far as the store's trail goes back."""
    noticed = trail.events(account_id=ORG, kind="tampering_noticed", before=None, limit=1)
    return noticed[0].event.at if noticed else None


def said_by(signed: SignedSnapshot, is_ours: Signs, store: str) -> Snapshot | None:
    """What a snapshot of ours says; None if it is not as it was signed, or of another store.

    # Security: whoever can write the store can put anything there, but sign nothing.
    """
    if not is_ours(signed.key, to_sign(signed.body), signed.signature):
        return None
    try:
        said = signed.read()
    except RecordCorrupt:
        return None
    return said if said.store == store else None
