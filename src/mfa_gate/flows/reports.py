"""Reports how the organization stood at a date, from the snapshots that were taken then, and never from the trail.

So a report costs the same in every year, also once the trail of then is archived. It changes nothing, and it does not
ask who looks. Every method may raise `StoreUnavailable`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from mfa_gate.core.coverage import Coverage
from mfa_gate.core.policy import Policy
from mfa_gate.core.reports import Day, Report
from mfa_gate.core.snapshots import ACTS, Openings, SignedSnapshot, Snapshot
from mfa_gate.flows.surveying import Signs, Surveying, said_by
from mfa_gate.ports import Groups, Policies, Snapshots

DAYS: Final = 90
"""How far back the course goes, and what was done is counted."""
_PAGE: Final = 100


@dataclass(frozen=True, kw_only=True)
class NotYet:
    """Nobody knows how it will stand on a day that is to come."""

    today: date


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The snapshots of some days in a row, as far as they are ours."""

    read: tuple[tuple[SignedSnapshot, Snapshot], ...]
    unfit: tuple[str, ...]
    torn: tuple[str, ...]


class Reports:
    """One per process. `is_ours`: by the keys that sign checkpoints."""

    def __init__(
        self,
        survey: Surveying,
        snapshots: Snapshots,
        policies: Policies,
        is_ours: Signs,
        *,
        portal: str,
        public_url: str,
    ) -> None:
        self._survey = survey
        self._snapshots = snapshots
        self._policies = policies
        self._is_ours = is_ours
        self._known: dict[int, Day] = {}
        self._portal = portal
        self._public_url = public_url

    def at(self, day: date | None, now: int) -> Report | NotYet:
        """How it stood when `day` ended; None, or today: how it stands now."""
        place = self._survey.place
        today = place.day(now)
        if day is not None and day > today:
            return NotYet(today=today)
        if day is None or day == today:
            return self._now(now)
        following = datetime.combine(day + timedelta(days=1), datetime.min.time(), place.zone)
        return self._then(day, int(following.timestamp()) - 1, now)

    def groups(self, policy: Policy, now: int, limit: int) -> Groups:
        """Coverage now in each group that the policy names, and in so many of the largest."""
        return self._survey.groups(policy, now, limit)

    def openings(self, policy: Policy, coverage: Coverage, now: int) -> Openings:
        """Every way past the second step that there is now."""
        return self._survey.openings(policy, coverage, now)

    def course(self, now: int) -> tuple[Day, ...]:
        """Coverage on each day of which there is a snapshot of ours, oldest first.

        What was read once is remembered: a snapshot stays as it is, and every signature takes its time.
        """
        last = self._survey.place.day(now).toordinal()
        days = tuple(day for day in self._snapshots.days() if last - DAYS < day <= last)
        known = self._known
        fresh = self._snapshots.of(tuple(day for day in days if day not in known))
        read = {signed.day: said for signed in fresh if (said := self._said(signed)) is not None}
        known = {day: known[day] for day in days if day in known}
        known |= {day: _day(said) for day, said in read.items()}
        self._known = known
        return tuple(known[day] for day in days if day in known)

    def _now(self, now: int) -> Report:
        place = self._survey.place
        days = self._snapshots.days()
        window = self._window(place.day(now), days)
        newest = window.read[-1][1] if window.read else None
        snapshot = self._survey.take(now, newest)
        return self._made(
            now, window, days, day=None, at=now, snapshot=snapshot, snapshot_sha256="", policy=snapshot.policy
        )

    def _then(self, day: date, at: int, now: int) -> Report:
        days = self._snapshots.days()
        window = self._window(day, days)
        kept, snapshot = window.read[-1] if window.read else (None, None)
        return self._made(
            now,
            window,
            days,
            day=day.isoformat(),
            at=at,
            snapshot=snapshot,
            snapshot_sha256=kept.hash.hex() if kept else "",
            policy=self._policy_at(at) or (snapshot.policy if snapshot else None),
        )

    def _made(
        self,
        now: int,
        window: _Window,
        days: tuple[int, ...],
        *,
        day: str | None,
        at: int,
        snapshot: Snapshot | None,
        snapshot_sha256: str,
        policy: Policy | None,
    ) -> Report:
        place = self._survey.place
        counted = [each for _, each in window.read]
        if snapshot is not None and snapshot not in counted:
            counted.append(snapshot)
        return Report(
            portal=self._portal,
            public_url=self._public_url,
            store=place.store,
            time_zone=place.zone_name,
            made_at=now,
            day=day,
            at=at,
            snapshot=snapshot,
            snapshot_sha256=snapshot_sha256,
            first_day=date.fromordinal(days[0]).isoformat() if days else "",
            policy=policy,
            acts={kind: sum(each.acts.get(kind, 0) for each in counted) for kind in ACTS},
            acts_since=counted[0].acts_since if counted else 0,
            acts_until=counted[-1].acts_until if counted else 0,
            course=_course(window),
            unfit=window.unfit,
            torn=window.torn,
            whole_at=self._survey.whole_at(),
            tampered_at=self._survey.tampered_at() or self._known_to_be_tampered(days),
        )

    def _known_to_be_tampered(self, days: tuple[int, ...]) -> int | None:
        """When tampering was noticed, though no event tells of it any more."""
        newest = [self._said(signed) for signed in self._snapshots.of(days[-1:])]
        return newest[0].tampered_at if newest and newest[0] is not None else None

    def _window(self, until: date, days: tuple[int, ...]) -> _Window:
        """The snapshots of the 90 days up to `until`, or else the last one before."""
        last = until.toordinal()
        by_then = tuple(day for day in days if day <= last)
        wanted = tuple(day for day in by_then if day > last - DAYS) or by_then[-1:]
        found = self._snapshots.of(wanted)
        read, unfit = [], []
        for signed in found:
            said = self._said(signed)
            if said is None:
                unfit.append(signed.shown)
            else:
                read.append((signed, said))
        # What the first of them names is not looked at.
        hashes = {signed.hash for signed in found}
        torn = [said.day for signed, said in read if signed is not found[0] and said.previous not in hashes]
        return _Window(read=tuple(read), unfit=tuple(unfit), torn=tuple(torn))

    def _said(self, signed: SignedSnapshot) -> Snapshot | None:
        return said_by(signed, self._is_ours, self._survey.place.store)

    def _policy_at(self, at: int) -> Policy | None:
        before: int | None = None
        while found := self._policies.policy_versions(before, _PAGE):
            for policy in found:
                if policy.changed_at <= at:
                    return policy
            before = found[-1].version
        return None


def _course(window: _Window) -> tuple[Day, ...]:
    return tuple(_day(said) for _, said in window.read)


def _day(said: Snapshot) -> Day:
    return Day(day=said.day, at=said.at, covered=said.coverage.covered, people=said.coverage.people)
