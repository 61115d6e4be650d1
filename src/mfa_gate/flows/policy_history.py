"""How the policy came to be what it is: its versions, who made each when and why, and what each changed.

It changes nothing, and it does not ask who looks. Every method may raise `StoreUnavailable`.
"""

import msgspec

from mfa_gate.core.policy import Policy
from mfa_gate.core.policy_changes import Difference, differences
from mfa_gate.ports import Policies

LONGEST_PAGE = 100


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `changes` is what was different in the one before; None where that is not kept."""

    policy: Policy
    changes: tuple[Difference, ...] | None


class PolicyHistory:
    """One per process."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def versions(self, *, before: int | None = None, limit: int = LONGEST_PAGE) -> tuple[PolicyVersion, ...]:
        """At most `limit` (up to 100) versions below `before`, newest first."""
        wanted = max(0, min(limit, LONGEST_PAGE))
        # With each its predecessor, and so one more than is shown.
        found = self._policies.policy_versions(before, wanted + 1)
        kept = {policy.version: policy for policy in found}
        return tuple(_version(policy, kept.get(policy.version - 1)) for policy in found[:wanted])

    def version(self, number: int) -> Policy | None:
        """The policy as it was in this version, if that is kept."""
        found = self._policies.policy_versions(number + 1, 1)
        return found[0] if found and found[0].version == number else None


def _version(policy: Policy, before: Policy | None) -> PolicyVersion:
    return PolicyVersion(policy=policy, changes=None if before is None else differences(before, policy))
