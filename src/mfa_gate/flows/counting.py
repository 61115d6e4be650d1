"""Counts once a day how many people have which status, so that the course of coverage can be shown; a job."""

from mfa_gate.core.coverage import COUNTED, Coverage, counted
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import EVERYBODY
from mfa_gate.core.policy import DAY
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
        counts = self._directory.counts(EVERYBODY, now) or {}
        event = counted(Coverage(at=now, counts=counts), self._policies.policy().version)
        self._policies.record((event,), now)
        return True
