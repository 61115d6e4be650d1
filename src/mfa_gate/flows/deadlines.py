"""Looks, a few times a day and a few pages at a time, for people whose time without two-step ends soon.

Whoever has time to set up two-step gets a reminder, in a run like those that administrators ask for; of the end of an
exemption the person and the administrators are told by an event. It sends nothing, and follows the policy of now.
"""

from collections.abc import Callable, Iterator
from typing import Final

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.listing import Filter
from mfa_gate.core.mailboxes import mailbox_of
from mfa_gate.core.policy import DAY, HOUR, Policy, Status, standing
from mfa_gate.core.reminders import BEFORE_DEADLINE_SECONDS, ReminderRun, ends_soon, is_due, told_of_end
from mfa_gate.flows.committing import Committer
from mfa_gate.ports import Change, Store

EVERY_SECONDS: Final = 6 * HOUR
PAGE: Final = 200
PAGES: Final = 5
"""In one turn; who waits for an answer has the processor in between."""
NAMED: Final = 500
"""So many are named in a run; where there are more, it is for everybody who has time."""


class Deadlines:
    """One per process; of all processes on a store one calls `turn`, every few seconds.

    `domain` gives an address to who has none. A process that dies in the middle is followed by one that begins anew.
    """

    def __init__(
        self, store: Store, *, domain: str, random: Callable[[int], bytes], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._committer = Committer(store, lambda _: None)
        self._domain = domain
        self._random = random
        self._clock = clock
        self._looked_at: int | None = None
        self._look: Iterator[None] | None = None

    def turn(self, now: int) -> None:
        """Look through some more people, or begin to, where it is time. Raises `StoreUnavailable`."""
        if self._look is None:
            if self._looked_at is not None and 0 <= now - self._looked_at < EVERY_SECONDS:
                return
            self._look, self._looked_at = self._everybody(), now
        try:
            done = next(self._look, True)
        except BaseException:
            self._look = self._looked_at = None
            raise
        if done:
            self._look = None

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _everybody(self) -> Iterator[None]:
        """Looks through all who may have a deadline; stops after some pages each time."""
        policy, due = self._store.policy(), list[str]()
        if not policy.require_two_step:
            return
        who, after, pages = Filter(statuses=_with_deadline(policy, self._now)), None, 0
        while True:
            page = self._store.people(who, after=after, limit=PAGE, now=self._now)
            for row in page.rows:
                stands = standing(row.account, policy, self._now)
                if ends_soon(row.account, stands, self._now):
                    self._tell(row.account.id, policy)
                elif is_due(row.account, stands, self._now) and self._is_reachable(row.account):
                    due.append(row.account.id)
            after, pages = page.next, pages + 1
            if after is None:
                break
            if pages % PAGES == 0:
                yield
        if due:
            self._begin(due)

    def _is_reachable(self, account: Account) -> bool:
        """Whether mail may go to them now: at most once a day, also where it failed."""
        last = account.reminder
        lately = last is not None and abs(self._now - last.at) < DAY
        return not lately and mailbox_of(account, self._domain) is not None

    def _tell(self, account_id: str, policy: Policy) -> None:
        def plan(found: Account | None) -> tuple[Change | None, None]:
            now = self._now
            if found is None or not ends_soon(found, standing(found, policy, now), now):
                return None, None
            after, events = told_of_end(found, now)
            return Change(account=after, events=events), None

        self._committer.run(account_id, plan, self._now)

    def _begin(self, due: list[str]) -> None:
        """Begin a run, unless one like it is under way still: the mail server may be down."""
        if any(run.template == "deadline" for run in self._store.runs(open_only=True)):
            return
        named = tuple(due) if len(due) <= NAMED else ()
        run = ReminderRun(
            id=self._random(8).hex(),
            made_at=self._now,
            by=SYSTEM,
            template="deadline",
            users=named,
            statuses=() if named else ("grace",),
        )
        begun = Event(
            kind="reminders_begun",
            account_id=ORG,
            subject="",
            at=run.made_at,
            actor=SYSTEM,
            details={"run": run.id, "number": str(len(due))},
        )
        # First the trail: no audit, no act.
        self._store.record((begun,), run.made_at)
        self._store.save_run(run)


def _with_deadline(policy: Policy, now: int) -> tuple[Status, ...]:
    """Among whom to look. Where all have the same deadline, only the exempt while that is far."""
    deadline = policy.first_required_at + policy.grace_seconds
    is_near = deadline - max(BEFORE_DEADLINE_SECONDS) <= now < deadline
    return ("grace", "exempt") if is_near or policy.grace_from != "policy" else ("exempt",)
