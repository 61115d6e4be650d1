"""Finds events of the trail by person, kind and time, newest first; it does not ask who looks.

Every function may raise `StoreUnavailable`.
"""

from collections.abc import Iterator
from typing import get_args

import msgspec

from mfa_gate.core.events import ORG, EventKind
from mfa_gate.flows.acting import is_account_id
from mfa_gate.ports import Recorded, Trail

LONGEST_PAGE = 500
CLOCKS_DIFFER_SECONDS = 300
"""Two hosts whose clocks differ write at one position what they take for different times."""

_KINDS: frozenset[str | None] = frozenset({None, *get_args(EventKind)})
_LAST_POSITION = 2**63 - 1


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: of one account (`core.events.ORG`: what was done to the organization), of one kind, from `since`
    until just before `until`; None: all. What can fit nothing finds nothing.
    """

    account_id: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def fits_nothing(self) -> bool:
        """True if there can be no such event."""
        account = self.account_id
        return (
            (account is not None and account != ORG and not is_account_id(account))
            or self.kind not in _KINDS
            or (self.since is not None and self.until is not None and self.since >= self.until)
        )

    def covers(self, at: int) -> bool:
        """True for a time in the range."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


class Trailing(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, newest first, and the `before` of the next page (None at the end).

    `archived_before`, at the end: there may be more that fit, of before this time, which have left for the archive.
    """

    events: tuple[Recorded, ...]
    before: int | None
    archived_before: int | None = None


def find(trail: Trail, sought: Sought, *, before: int | None, limit: int) -> Trailing:
    """A page of at most `limit` (at most 500) events below position `before`."""
    if not (before is None or 0 < before <= _LAST_POSITION):
        return Trailing(events=(), before=None)
    wanted = max(1, min(limit, LONGEST_PAGE))
    found: list[Recorded] = []
    for recorded in _from(trail, sought, before, wanted + 1):
        found.append(recorded)
        if len(found) > wanted:
            return Trailing(events=tuple(found[:wanted]), before=found[wanted - 1].position)
    return Trailing(events=tuple(found), before=None, archived_before=_archived(trail, sought))


def find_all(trail: Trail, sought: Sought) -> Iterator[Recorded]:
    """Every one, read piece by piece."""
    return _from(trail, sought, None, LONGEST_PAGE)


def _archived(trail: Trail, sought: Sought) -> int | None:
    before = None if sought.fits_nothing else trail.archived_before()
    may_be_before = before is not None and (sought.since is None or sought.since < before)
    return before if may_be_before else None


def _from(trail: Trail, sought: Sought, before: int | None, at_once: int) -> Iterator[Recorded]:
    if sought.fits_nothing:
        return
    after, before = _between(trail, sought, before)
    if after is None:
        return
    while True:
        part = trail.events(
            account_id=sought.account_id, kind=sought.kind, before=before, after=after, limit=at_once
        )
        yield from (recorded for recorded in part if sought.covers(recorded.event.at))
        if len(part) < at_once:
            return
        before = part[-1].position
        at_once = LONGEST_PAGE


def _between(trail: Trail, sought: Sought, before: int | None) -> tuple[int | None, int | None]:
    """Above and below which positions the range of times lies, and a little around it; (None, None): nowhere."""
    after: int | None = 0
    if sought.since is not None:
        first = trail.position_at(sought.since - CLOCKS_DIFFER_SECONDS)
        after = None if first is None else first - 1
    if sought.until is not None:
        end = trail.position_at(sought.until + CLOCKS_DIFFER_SECONDS)
        before = end if before is None or (end is not None and end < before) else before
    return after, before
