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
_COVERED: Final[tuple[Status, ...]] = ("enrolled", "paused")


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many people had which status at a moment; the inactive are nobody of whom coverage speaks."""

    at: int
    counts: dict[Status, int]

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


def counted(coverage: Coverage, policy_version: int) -> Event:
    """The event of a count."""
    details: dict[str, str] = {status: str(count) for status, count in coverage.counts.items()}
    return Event(
        kind=COUNTED,
        account_id=ORG,
        subject="",
        at=coverage.at,
        actor=SYSTEM,
        details=details | {"policy": str(policy_version)},
    )


def coverage_in(event: Event, statuses: tuple[Status, ...]) -> Coverage:
    """The count in such an event; what is no number in it counts as none."""
    counts = {
        status: int(text)
        for status in statuses
        if (text := event.details.get(status, "")).isdecimal() and text.isascii()
    }
    return Coverage(at=event.at, counts=counts)


def by_day(newest_first: Iterable[Coverage]) -> tuple[Coverage, ...]:
    """The last count of each day, oldest first."""
    days: dict[int, Coverage] = {}
    for each in newest_first:
        days.setdefault(each.day, each)
    return tuple(days[day] for day in sorted(days))
