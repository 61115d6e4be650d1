"""Background work: who may do which, what waits to be sent, and what others have changed."""

from typing import Protocol

import msgspec

from mfa_gate.core.notices import NoticeQueue
from mfa_gate.core.reminders import Outcome, ReminderRun, Result


class Traffic(Protocol):
    """Used to count requests that nobody can be named for while the policy is off."""

    def count_traffic(self, counts: dict[tuple[str, str], int], now: int) -> None:
        """Add to the counters of (route prefix, kind of credential); at most 500 pairs are ever kept."""

    def traffic(self) -> dict[tuple[str, str], int]:
        """The counters."""


class Feed(Protocol):
    """Used by one thread of a process, so that its caches forget what others have changed."""

    def poll(self, timeout_seconds: float) -> tuple[str, ...] | None:
        """Names of accounts (`policy`, `*` for everything) that changed since the last call.

        Waits at most so long. `()` is a sign of life without news, None no sign of life. Raises `StoreUnavailable` if
        the connection was lost; what changed until the next answer is then unknown.
        """

    def wake(self) -> None:
        """Let a call that waits in another thread return soon, as nobody needs the feed any longer."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to run one job until `until`. `token` rises with every new holder, and fences the late ones out."""

    name: str
    holder: str
    token: int
    until: int


class Leases(Protocol):
    """Used by background jobs, of which one process at a time runs each."""

    def lease(self, name: str, holder: str, seconds: int, now: int) -> Lease | None:
        """Take or renew a lease; None while somebody else holds it."""

    def still_holds(self, lease: Lease, now: int) -> bool:
        """True while nobody else has taken the lease."""

    def note_run(self, name: str, at: int) -> None:
        """Keep that a job was done well at `at`."""

    def last_runs(self) -> dict[str, int]:
        """When each job was last done well; sealed, so that nobody without a key can claim that one was."""


class Mending(Protocol):
    """Used by a background job."""

    def repair(self) -> int:
        """Tell the policy's version to every part of the store that has not heard of it; how many had not."""


class Outbox(Protocol):
    """Used by reminders: which mail is to be sent, and what came of it. It holds ids and words of ours only."""

    def runs(self, *, open_only: bool) -> tuple[ReminderRun, ...]:
        """Those that still have something to do, or all that are kept; oldest first."""

    def run(self, run_id: str) -> ReminderRun | None:
        """The run of this id."""

    def save_run(self, run: ReminderRun, results: tuple[Result, ...] = ()) -> ReminderRun:
        """Write a run (its `version` is the one that was read, 0: a new one) as version + 1, and add results.

        Everything or nothing. Raises `StaleState`.
        """

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Result, ...]:
        """The results of one outcome in the order in which they were added, but for the first `after`."""

    def drop_run(self, run_id: str) -> None:
        """Forget a run and its results; one that is not there is no error."""


class Notices(Protocol):
    """Used by the job that tells people what happened: which notices have not left, and how far it has read."""

    def queue(self) -> NoticeQueue:
        """The queue; one of version 0 if there never was any."""

    def save(self, queue: NoticeQueue) -> NoticeQueue:
        """Write the queue (its `version` is the one that was read) as version + 1. Raises `StaleState`."""
