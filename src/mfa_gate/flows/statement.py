"""What was true of the organization at a moment: the policy in force, coverage, and what was done in the time before.

Read from what was written down at that time, not computed from accounts as they are now, and without going through the
trail. It changes nothing, and it does not ask who looks. Every function may raise `StoreUnavailable`.
"""

from typing import Final

import msgspec

from mfa_gate.core.coverage import COUNTED, Coverage, coverage_in
from mfa_gate.core.events import ORG, EventKind
from mfa_gate.core.listing import STATUSES
from mfa_gate.core.policy import DAY, Policy
from mfa_gate.flows.finding import Sought, find, find_all
from mfa_gate.ports import Policies, Trail

BEFORE_SECONDS: Final = 90 * DAY
"""How far back acts are counted."""
ACTS: Final[tuple[EventKind, ...]] = (
    "reset",
    "exemption_given",
    "exemption_ended",
    "break_glass_granted",
    "break_glass_used",
    "roster_imported",
)
_PAGE: Final = 100


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`policy` is None where none of that time is kept, `coverage` where nobody had counted by then.

    `acts` says how often each was done in the 90 days before.
    """

    at: int
    policy: Policy | None
    coverage: Coverage | None
    acts: dict[EventKind, int]


def state(trail: Trail, policies: Policies, at: int) -> Statement:
    """What was true at a moment that is over."""
    counts = find(trail, Sought(account_id=ORG, kind=COUNTED, until=at + 1), before=None, limit=1).events
    acts = {
        kind: sum(1 for _ in find_all(trail, Sought(kind=kind, since=at - BEFORE_SECONDS, until=at + 1)))
        for kind in ACTS
    }
    return Statement(
        at=at,
        policy=_policy_at(policies, at),
        coverage=coverage_in(counts[0].event, STATUSES) if counts else None,
        acts=acts,
    )


def _policy_at(policies: Policies, at: int) -> Policy | None:
    before: int | None = None
    while found := policies.policy_versions(before, _PAGE):
        for policy in found:
            if policy.changed_at <= at:
                return policy
        before = found[-1].version
    return None
