"""What is counted once a day for the course of coverage, and how it stands in the trail; who counts it must not know.

A count is an event of the organization. So it is chained and signed with everything else, and what an auditor is shown
of a day long past was written on that day.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from mfa_gate.core.events import ORG, SYSTEM, Event, EventKind
from mfa_gate.core.policy import DAY, Status

COUNTED: Final[EventKind] = "coverage_counted"
_GROUP: Final = "group:"
_COVERED: Final[tuple[Status, ...]] = ("enrolled", "paused")


class GroupCoverage(msgspec.Struct, frozen=True):
    """How many of how many people of a group had two-step."""

    covered: int
    people: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many people had which status at a moment; the inactive are nobody of whom coverage speaks.

    `groups` are those that the policy named then; `never_seen` people are known and never signed in.
    """

    at: int
    counts: dict[Status, int]
    never_seen: int = 0
    policy_version: int = 0
    groups: dict[str, GroupCoverage] = {}

    @property
    def people(self) -> int:
        """All who are active."""
        return sum(count for status, count in self.counts.items() if status != "inactive")

    @property
    def covered(self) -> int:
        """Those with a factor, also where it is paused."""
        return sum(self.counts.get(status, 0) for status in _COVERED)

    @property
    def day(self) -> int:
        """The day in UTC, as a number."""
        return self.at // DAY


def counted(coverage: Coverage) -> Event:
    """The event of a count."""
    details: dict[str, str] = {status: str(count) for status, count in coverage.counts.items()}
    details |= {"never_seen": str(coverage.never_seen), "policy": str(coverage.policy_version)}
    details |= {
        f"{_GROUP}{group}": f"{found.covered}/{found.people}" for group, found in coverage.groups.items()
    }
    return Event(
        kind=COUNTED,
        account_id=ORG,
        subject="",
        at=coverage.at,
        actor=SYSTEM,
        details=details,
    )


def coverage_in(event: Event, statuses: tuple[Status, ...]) -> Coverage:
    """The count in such an event; what is no number in it counts as none."""
    numbers = {name: int(text) for name, text in event.details.items() if text.isdecimal() and text.isascii()}
    groups = {}
    for name, text in event.details.items():
        covered, _, people = text.partition("/")
        if name.startswith(_GROUP) and text.isascii() and covered.isdecimal() and people.isdecimal():
            groups[name.removeprefix(_GROUP)] = GroupCoverage(int(covered), int(people))
    return Coverage(
        at=event.at,
        counts={status: numbers[status] for status in statuses if status in numbers},
        never_seen=numbers.get("never_seen", 0),
        policy_version=numbers.get("policy", 0),
        groups=groups,
    )


def by_day(newest_first: Iterable[Coverage]) -> tuple[Coverage, ...]:
    """The last count of each day, oldest first."""
    days: dict[int, Coverage] = {}
    for each in newest_first:
        days.setdefault(each.day, each)
    return tuple(days[day] for day in sorted(days))
