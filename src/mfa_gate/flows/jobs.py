"""Background work: which job is due, and that of all processes one does it, under a fenced lease in the store.

It knows no job. A job that fails is told and tried again soon; it never keeps the others from theirs.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import msgspec

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.ports import Leases

LEASE_SECONDS = 30
"""So long a lease is held; who has it renews it while the job runs, so that a process that dies is followed soon."""
NOTED_SECONDS = 20
"""How far what is noted of the last run may lag: a job of every few seconds need not be noted each time."""

log = logging.getLogger("mfa_gate")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How often a job is to be done."""

    name: str
    every_seconds: int
    first_after: int = 0
    """Seconds from the first turn of a process to its own first try."""

    @property
    def overdue_seconds(self) -> int:
        """If nobody has done it for so long, who should have done it does not."""
        return self.every_seconds + max(2 * LEASE_SECONDS, self.every_seconds // 4)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do every so often. `run(now)` must bear being done twice: a lease may be lost meanwhile."""

    timing: Timing
    run: Callable[[int], object]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """When some process last did a job well; None: never, as far as anybody has noted."""

    name: str
    last_run_at: int | None
    late: bool


def standing(timings: Sequence[Timing], last_runs: Mapping[str, int], now: int) -> tuple[Standing, ...]:
    """How it stands with each job. One that was never done is not late: no gate may have run yet."""
    return tuple(
        Standing(
            name=timing.name,
            last_run_at=last,
            late=last is not None and now - last > timing.overdue_seconds,
        )
        for timing in timings
        for last in (last_runs.get(timing.name),)
    )


class Jobs:
    """The jobs of one process; `holder` is its name among the others. One thread calls `turn`, every second or so."""

    def __init__(
        self, leases: Leases, jobs: Sequence[Job], holder: str, *, lease_seconds: int = LEASE_SECONDS
    ) -> None:
        self._leases = leases
        self._jobs = tuple(jobs)
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._due: dict[str, int] = {}
        self._failing: set[str] = set()
        self._tokens: dict[str, int] = {}
        """Of leases under which this process has done the job last."""
        self._denied_since: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    def turn(self, now: int) -> tuple[str, ...]:
        """Do what is due and nobody else does; the names of the jobs that were done."""
        return tuple(
            job.timing.name for job in self._jobs if self._is_due(job.timing, now) and self._do(job, now)
        )

    def let_go(self, now: int) -> None:
        """Give back what this process has taken, so that the next one need not wait for the leases to end."""
        for name in self._tokens:
            self._leases.lease(name, self._holder, 0, now)
        self._tokens.clear()

    def _is_due(self, timing: Timing, now: int) -> bool:
        due = self._due.setdefault(timing.name, now + timing.first_after)
        # A clock set back makes a job due at once, rather than not for as long as it was turned.
        return not due - max(timing.every_seconds, timing.first_after) <= now < due

    def _do(self, job: Job, now: int) -> bool:
        timing = job.timing
        name = timing.name
        # Unless it is done now, it is soon tried again, however seldom it is due.
        self._due[name] = now + min(timing.every_seconds, self._lease_seconds)
        try:
            if not self._is_ours(timing, now):
                return False
            with self._kept(name, now):
                job.run(now)
            self._note(name, now)
        except StoreUnavailable as error:
            if name not in self._failing:
                log.warning("job %s waits: %s", name, printable(str(error), 1_000))
            self._failing.add(name)
            return False
        except Exception:
            log.exception("job %s failed", name)
            return False
        self._failing.discard(name)
        self._due[name] = now + timing.every_seconds
        return True

    def _is_ours(self, timing: Timing, now: int) -> bool:
        """Whether this process is to do the job now, by the lease and by when it was last done."""
        name = timing.name
        lease = self._leases.lease(name, self._holder, self._lease_seconds, now)
        if lease is None:
            self._tokens.pop(name, None)
            since = self._denied_since.setdefault(name, now)
            if 0 <= now - since <= timing.overdue_seconds:
                return False
            return self._is_forsaken(timing, now)
        self._denied_since.pop(name, None)
        before, self._tokens[name] = self._tokens.get(name), lease.token
        last = None if before == lease.token else self._leases.last_runs().get(name)
        if last is None:
            return True
        # A lease too early is early enough: so who follows another with a quick job need not wait.
        due = min(last, now) + timing.every_seconds
        if now + self._lease_seconds >= due:
            return True
        self._due[name] = due
        return False

    def _is_forsaken(self, timing: Timing, now: int) -> bool:
        """Whether somebody holds the lease and does nothing.

        # Security: a lease is not sealed. Whoever can write the store could hold it for ever, and so keep everybody
        # from comparing records with the trail. When a job was last done is sealed, so that nobody can claim it.
        """
        last = self._leases.last_runs().get(timing.name)
        if last is not None and 0 <= now - last <= timing.overdue_seconds:
            self._denied_since[timing.name] = now
            return False
        log.warning("job %s: its lease is held, and nobody does it; it is done without.", timing.name)
        return True

    def _note(self, name: str, now: int) -> None:
        if not 0 <= now - self._noted.get(name, now - NOTED_SECONDS) < NOTED_SECONDS:
            self._leases.note_run(name, now)
            self._noted[name] = now

    @contextmanager
    def _kept(self, name: str, now: int) -> Iterator[None]:
        """While it lasts the lease is renewed, however long that is."""
        over = threading.Event()
        pause = self._lease_seconds / 3

        def keep() -> None:
            at = float(now)
            while not over.wait(pause):
                at += pause
                with suppress(StoreUnavailable):
                    if self._leases.lease(name, self._holder, self._lease_seconds, int(at)) is None:
                        return

        keeper = threading.Thread(target=keep, name="mfa-gate-lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
