"""Counts once a day how many people have which status, so that the course of coverage can be shown; a job."""

from mfa_gate.core.coverage import COUNTED, Coverage, GroupCoverage, counted
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.core.policy import DAY, Policy
from mfa_gate.ports import Directory, Policies, Trail


class Counting:
    """One per thread that does the job."""

    def __init__(self, directory: Directory, policies: Policies, trail: Trail) -> None:
        self._directory = directory
        self._policies = policies
        self._trail = trail

    def turn(self, now: int) -> bool:
        """Count, unless somebody has today; True if it was done. Done twice it does no harm: the later one is shown."""
        newest = self._trail.events(account_id=ORG, kind=COUNTED, before=None, limit=1)
        if newest and newest[0].event.at // DAY == now // DAY:
            return False
        self._policies.record((counted(take(self._directory, self._policies.policy(), now)),), now)
        return True


def take(directory: Directory, policy: Policy, now: int) -> Coverage:
    """Coverage as it is now, of everybody and of the groups that the policy names."""
    unseen = Coverage(at=now, counts=directory.counts(Filter(never_seen=True), now) or {})
    return Coverage(
        at=now,
        counts=directory.counts(EVERYBODY, now) or {},
        never_seen=unseen.people,
        policy_version=policy.version,
        groups=coverage_of_groups(directory, policy, now),
    )


def coverage_of_groups(directory: Directory, policy: Policy, now: int) -> dict[str, GroupCoverage]:
    """Coverage now in each group that the policy names."""
    named = (*policy.required_groups, *policy.left_out_groups, *(rule.group for rule in policy.group_factors))
    groups = {}
    for group in dict.fromkeys(named):
        found = Coverage(at=now, counts=directory.counts(Filter(group=group), now) or {})
        groups[group] = GroupCoverage(found.covered, found.people)
    return groups
