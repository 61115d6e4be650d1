"""Goes on with the runs of reminders in the background: whom next, how far each has come, and when to try again.

A run is saved every few people with what came of them. Whoever was dealt with since then is recognized by what stands
on their account, so that a run which breaks off is gone on with, and nobody gets a letter twice.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import MailUnavailable, StaleState
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.listing import Place
from mfa_gate.core.messages import printable
from mfa_gate.core.reminders import GIVEN_UP_SECONDS, ROUND_AFTER_SECONDS, ReminderRun, Result
from mfa_gate.flows.courier import Courier
from mfa_gate.flows.delivering import Delivering
from mfa_gate.flows.posting import Post
from mfa_gate.ports import Accounts, Directory, Outbox, Policies

BATCH: Final = 20
"""People between two saves."""
PAGE: Final = 500
SLICE_SECONDS: Final = 10.0
"""How long a turn works at most, but for the letter that is on its way; the lease is longer."""
PAUSE_SECONDS: Final = 30
"""After the mail server took nothing; twice as long each time …"""
LONGEST_PAUSE_SECONDS: Final = 900
"""… but no longer."""


class Reminding:
    """One per process; of all processes on a store one calls `turn`, every few seconds."""

    def __init__(
        self,
        outbox: Outbox,
        accounts: Accounts,
        directory: Directory,
        policies: Policies,
        *,
        delivering: Delivering,
        post: Post,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._directory = directory
        self._policies = policies
        self._delivering = delivering
        self._post = post
        self._clock = clock
        self._monotonic = monotonic

    def turn(self, now: int) -> None:
        """Go on with every run that is due, for a few seconds. Raises `StoreUnavailable`."""
        due = [run for run in self._outbox.runs(open_only=True) if run.not_before <= now]
        until = self._monotonic() + SLICE_SECONDS
        with Courier(self._post) as courier:
            while due and self._monotonic() < until:
                run = due.pop(0)
                try:
                    run = self._counted(run)
                    run = self._go_on(run, courier)
                except MailUnavailable as error:
                    # Whoever else waits need not find that out anew, one time-out after the other.
                    for each in (run, *due):
                        self._put_off(each, error)
                    return
                except StaleState:
                    continue  # somebody else goes on with it: the lease was lost
                if run.is_open and run.not_before <= self._now:
                    due.append(run)

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _go_on(self, run: ReminderRun, courier: Courier) -> ReminderRun:
        """A few people of a run. Whatever it raises, the run stands where it stood."""
        people, after = self._next(run)
        policy, results, deferred = self._policies.policy(), list[Result](), 0
        for account_id, account in people:
            if account is None:
                nobody = Result(account_id=account_id, outcome="skipped", why="nobody")
                results += [nobody] if run.round == 0 else []
                continue
            result = self._delivering.deliver(run, account, policy, courier)
            if isinstance(result, Result):
                results.append(result)
            deferred += result == "later"
        counts = dict(run.counts)
        for result in results:
            counts[result.outcome] = counts.get(result.outcome, 0) + 1
        after = replace(after, counts=counts, deferred=run.deferred + deferred, tries=0, trouble="")
        if run.template == "deadline":
            # Who has been told already, or has no deadline near, is in nobody's list of what went wrong.
            results = [each for each in results if each.outcome != "skipped"]
        return self._saved(after, tuple(results))

    def _saved(self, run: ReminderRun, results: tuple[Result, ...]) -> ReminderRun:
        """Keep what came of a batch; at the end of a round, begin another or end the run."""
        if not run.is_through:
            return self._outbox.save_run(run, results)
        if run.deferred and not run.is_last_round:
            begin = self._now + ROUND_AFTER_SECONDS[run.round]
            again = replace(run, stage=0, after=None, round=run.round + 1, deferred=0, not_before=begin)
            return self._outbox.save_run(again, results)
        return self._finished(run, results)

    def _finished(self, run: ReminderRun, results: tuple[Result, ...] = ()) -> ReminderRun:
        done = self._outbox.save_run(replace(run, finished_at=self._now), results)
        if not done.dry:
            counts: dict[str, str] = {outcome: str(count) for outcome, count in done.counts.items()}
            told = Event(
                kind="reminders_finished",
                account_id=ORG,
                subject="",
                at=self._now,
                actor=SYSTEM,
                details={"run": done.id, **counts},
            )
            self._policies.record((told,), self._now)
        return done

    def _put_off(self, run: ReminderRun, error: MailUnavailable) -> None:
        """Try again later, at longer and longer intervals; in the end, no more."""
        now = self._now
        run = replace(run, tries=run.tries + 1, trouble=printable(str(error), 300))
        pause = min(PAUSE_SECONDS << min(run.tries - 1, 10), LONGEST_PAUSE_SECONDS)
        try:
            if now - run.made_at > GIVEN_UP_SECONDS:
                self._finished(run)
            else:
                self._outbox.save_run(replace(run, not_before=now + pause))
        except StaleState:
            return  # somebody else goes on with it

    def _next(self, run: ReminderRun) -> tuple[list[tuple[str, Account | None]], ReminderRun]:
        """Some people of a run, and the run as it stands after them."""
        if run.users:
            at = int(run.after or 0)
            ids = run.users[at : at + BATCH]
            through = at + BATCH >= len(run.users)
            after = replace(run, after=str(at + BATCH), stage=1 if through else 0)
            return [(each, self._accounts.account(each)) for each in ids], after
        if run.is_through:
            return [], run
        # A place that cannot be read is the beginning: whoever was dealt with is recognized.
        place = None if run.after is None else Place.of(run.after, "name")
        page = self._directory.people(run.who(run.stage), after=place, limit=BATCH, now=self._now)
        stage = run.stage if page.next is not None else run.stage + 1
        return [(row.account.id, row.account) for row in page.rows], replace(
            run, after=None if page.next is None else page.next.cursor, stage=stage
        )

    def _counted(self, run: ReminderRun) -> ReminderRun:
        """A run of which it is known how many people it is about."""
        if run.total is not None:
            return run
        return self._outbox.save_run(replace(run, total=self._count(run)))

    def _count(self, run: ReminderRun) -> int:
        if run.users:
            return len(run.users)
        counts = self._directory.counts(run.who(0), self._now) if run.statuses else {}
        if counts is not None:
            return sum(counts[status] for status in run.statuses)
        return sum(self._found(run, stage) for stage in range(len(run.statuses)))

    def _found(self, run: ReminderRun, stage: int) -> int:
        count, after = 0, None
        while True:
            page = self._directory.people(run.who(stage), after=after, limit=PAGE, now=self._now)
            count, after = count + len(page.rows), page.next
            if after is None:
                return count
