"""Keeps once a day how the organization stands, signed, for the reports of later; a job.

A snapshot is kept beside the trail, so that a report needs no trail that may long be archived. That it was taken, and
its hash, stand in the trail: whoever exports that can prove when a snapshot was made.
"""

from datetime import date
from typing import Literal

from mfa_gate.core.events import ORG, SYSTEM, Event, EventKind
from mfa_gate.core.snapshots import SignedSnapshot, Snapshot, body_of, to_sign
from mfa_gate.flows.export_lines import Sign
from mfa_gate.flows.surveying import Signs, Surveying, said_by
from mfa_gate.ports import Policies, Snapshots, Trail

COUNTED: EventKind = "coverage_counted"
Mails = Literal["", "weekly", "monthly"]
"""How often administrators are told; empty: never."""


def begins(mails: Mails, earlier: tuple[int, ...], today: int) -> bool:
    """Whether a week or a month begins with `today`, since the day that was counted before it: once in each."""
    if not mails or not earlier:
        return False
    then, now = (date.fromordinal(day) for day in (earlier[-1], today))
    if mails == "monthly":
        return (then.year, then.month) != (now.year, now.month)
    return then.isocalendar()[:2] != now.isocalendar()[:2]


class Counting:
    """One per thread that does the job. `sign` and `is_ours`: with the keys that sign checkpoints."""

    def __init__(
        self,
        survey: Surveying,
        snapshots: Snapshots,
        policies: Policies,
        trail: Trail,
        *,
        sign: Sign,
        is_ours: Signs,
        mails: Mails = "",
    ) -> None:
        self._survey = survey
        self._snapshots = snapshots
        self._policies = policies
        self._trail = trail
        self._sign = sign
        self._is_ours = is_ours
        self._mails = mails

    def turn(self, now: int) -> bool:
        """Take the snapshot of today, unless there is one; True if it was taken."""
        today = self._survey.place.day(now).toordinal()
        days = self._snapshots.days()
        if today in days:
            self._mend(today)
            return False
        earlier = tuple(day for day in days if day < today)[-1:]
        before = self._snapshots.of(earlier)
        taken = self._taken(today, before[0] if before else None, now)
        # Of two who take it at once, one keeps it: its hash must not stand in the trail beside that of another.
        if not self._snapshots.add(taken):
            return False
        self._record(taken, mailed=begins(self._mails, earlier, today))
        return True

    def _taken(self, today: int, before: SignedSnapshot | None, now: int) -> SignedSnapshot:
        known = None if before is None else self._said(before)
        body = body_of(self._survey.take(now, known, b"" if before is None else before.hash))
        key, signature = self._sign(to_sign(body))
        return SignedSnapshot(day=today, body=body, key=key, signature=signature)

    def _mend(self, today: int) -> None:
        """Say in the trail what somebody has kept who died before saying so."""
        newest = self._trail.events(account_id=ORG, kind=COUNTED, before=None, limit=1)
        (kept,) = self._snapshots.of((today,))
        is_told = newest and newest[0].event.details.get("day") == kept.shown
        if not is_told and self._said(kept) is not None:
            # No mail: of two who mend it, each would send one.
            self._record(kept, mailed=False)

    def _said(self, signed: SignedSnapshot) -> Snapshot | None:
        return said_by(signed, self._is_ours, self._survey.place.store)

    def _record(self, taken: SignedSnapshot, *, mailed: bool) -> None:
        said = taken.read()
        coverage = said.coverage
        details = {
            "day": said.day,
            "covered": str(coverage.covered),
            "people": str(coverage.people),
            "policy": str(said.policy.version),
            "sha256": taken.hash.hex(),
        }
        event = Event(
            kind=COUNTED,
            account_id=ORG,
            subject="",
            at=said.at,
            actor=SYSTEM,
            details=details,
            notify=("admins",) if mailed else (),
        )
        self._policies.record((event,), said.at)
