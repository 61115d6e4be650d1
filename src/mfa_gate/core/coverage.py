"""How many people have two-step, all together and by group; who counts them it must not know."""

from typing import Final

import msgspec

from mfa_gate.core.policy import Status

_COVERED: Final[tuple[Status, ...]] = ("enrolled", "paused")


class GroupCoverage(msgspec.Struct, frozen=True):
    """How many of how many people of a group had two-step."""

    covered: int
    people: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many people had which status at a moment; the inactive are nobody of whom coverage speaks.

    `groups` are the largest and those that the policy named then, `more_groups` those that are not shown; `never_seen`
    people are known and never signed in.
    """

    counts: dict[Status, int]
    never_seen: int = 0
    groups: dict[str, GroupCoverage] = {}
    more_groups: int = 0

    @property
    def people(self) -> int:
        """All who are active."""
        return sum(count for status, count in self.counts.items() if status != "inactive")

    @property
    def covered(self) -> int:
        """Those with a factor, also where it is paused."""
        return sum(self.counts.get(status, 0) for status in _COVERED)
