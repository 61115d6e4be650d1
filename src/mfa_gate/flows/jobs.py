"""Background work: which job is due, and that of all processes one does it, under a fenced lease in the store.

It knows no job. A job that fails is told and tried again when it is due; it never keeps the others from theirs.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.ports import Leases

LEASE_SECONDS = 30
"""At least so long a lease is held: a process that dies is followed by another after that."""

log = logging.getLogger("mfa_gate")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do every so many seconds. `run(now)` must bear being done twice: a lease may be lost meanwhile."""

    name: str
    every_seconds: int
    first_after: int = 0
    """Seconds from the first turn of a process to its own first try."""
    longest_seconds: int = 0
    """How long a run may take, if that is longer than a lease usually is."""
    run: Callable[[int], object]

    @property
    def lease_seconds(self) -> int:
        """Longer than until the next turn, so that who has the job keeps it."""
        return max(LEASE_SECONDS, 2 * self.every_seconds, self.longest_seconds)


class Jobs:
    """The jobs of one process; `holder` is its name among the others. One thread calls `turn`, every second or so."""

    def __init__(self, leases: Leases, jobs: Sequence[Job], holder: str) -> None:
        self._leases = leases
        self._jobs = tuple(jobs)
        self._holder = holder
        self._due: dict[str, int] = {}
        self._failing: set[str] = set()
        self._taken: set[str] = set()

    def turn(self, now: int) -> tuple[str, ...]:
        """Do what is due and nobody else does; the names of the jobs that were done."""
        done = []
        for job in self._jobs:
            due = self._due.setdefault(job.name, now + job.first_after)
            # A clock set back makes a job due at once, rather than not for as long as it was turned.
            if due - max(job.every_seconds, job.first_after) <= now < due:
                continue
            self._due[job.name] = now + job.every_seconds
            if self._do(job, now):
                done.append(job.name)
        return tuple(done)

    def let_go(self, now: int) -> None:
        """Give back what this process has taken, so that the next one need not wait for the leases to end."""
        for job in self._jobs:
            if job.name in self._taken:
                self._leases.lease(job.name, self._holder, 0, now)
        self._taken.clear()

    def _do(self, job: Job, now: int) -> bool:
        try:
            if self._leases.lease(job.name, self._holder, job.lease_seconds, now) is None:
                self._taken.discard(job.name)
                return False
            self._taken.add(job.name)
            job.run(now)
        except StoreUnavailable as error:
            if job.name not in self._failing:
                log.warning("job %s waits: %s", job.name, printable(str(error), 1_000))
            self._failing.add(job.name)
            return False
        except Exception:
            log.exception("job %s failed", job.name)
            return False
        self._failing.discard(job.name)
        return True
