"""Who may ask for reminders, what they ask for, and what has come of it; it sends nothing.

Every request that is refused for who asks is recorded. Every method may raise `StoreUnavailable`.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.policy import DAY, Status
from mfa_gate.core.reminders import REMINDED, Outcome, ReminderRun, Result
from mfa_gate.flows.acting import shell
from mfa_gate.flows.authority import Authority
from mfa_gate.flows.results import Busy, NeedsVerification, NotAllowed, NotFound
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Accounts, Outbox, Policies

MOST_USERS: Final = 500
MOST_OPEN: Final = 20
"""Runs that may be under way at once; more only wait for each other."""
KEPT: Final = 100
KEPT_SECONDS: Final = 30 * DAY
PAGE: Final = 500
_RUN_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to remind: `users` by account id, else everybody of `status` who fits the rest as in a `Filter`.

    Of them only those of whom two-step is required and who have not set it up. `dry`: only say who that is.
    """

    users: tuple[str, ...] = ()
    status: Status | None = None
    prefix: str = ""
    group: str | None = None
    never_seen: bool = False
    dry: bool = False


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """One person whom a run has dealt with; `account` is None if there is no record of them."""

    result: Result
    account: Account | None


class Reminders:
    """One per process. `leaves`: the settings name a way for mail."""

    def __init__(
        self,
        outbox: Outbox,
        accounts: Accounts,
        policies: Policies,
        authority: Authority,
        *,
        random: Callable[[int], bytes],
        leaves: bool,
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._policies = policies
        self._authority = authority
        self._random = random
        self.leaves = leaves

    def begin(
        self, visitor: Visitor, wanted: Wanted, now: int
    ) -> ReminderRun | NotAllowed | NeedsVerification | Busy:
        """Begin a run, for administrators and the help desk; the latter reminds nobody who administers.

        `NotAllowed("no_mail")`: the settings name no way. `Busy`: too many are under way.
        """
        me = self._authority.enters(visitor, "remind", "", now)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        return self._begin(me.actor, wanted, now, ordinary_only=self._authority.role(me) != "admin")

    def begin_from_shell(self, os_user: str, wanted: Wanted, now: int) -> ReminderRun | NotAllowed | Busy:
        """The same by somebody on the server's own shell."""
        return self._begin(shell(os_user), wanted, now, ordinary_only=False)

    def run(self, run_id: str) -> ReminderRun | NotFound:
        """How far a run has come; the id comes from an address, and may be anything."""
        found = self._outbox.run(run_id) if _RUN_ID.fullmatch(run_id) else None
        return found or NotFound()

    def recent(self) -> tuple[ReminderRun, ...]:
        """All runs that are kept, newest first."""
        return self._outbox.runs(open_only=False)[::-1]

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Reached, ...]:
        """What came of people, in the order in which it did, but for the first `after`; at most 500."""
        found = self._outbox.results(run_id, outcome, max(0, after), max(1, min(limit, PAGE)))
        return tuple(Reached(result=each, account=self._accounts.account(each.account_id)) for each in found)

    def _begin(
        self, actor: Actor, wanted: Wanted, now: int, *, ordinary_only: bool
    ) -> ReminderRun | NotAllowed | Busy:
        if not self.leaves and not wanted.dry:
            return NotAllowed(reason="no_mail")
        if len(self._outbox.runs(open_only=True)) >= MOST_OPEN:
            return Busy()
        self._tidy_up(now)
        statuses = tuple(status for status in REMINDED if wanted.status in (None, status))
        run = ReminderRun(
            id=self._random(8).hex(),
            made_at=now,
            by=actor,
            ordinary_only=ordinary_only,
            dry=wanted.dry,
            users=tuple(dict.fromkeys(wanted.users))[:MOST_USERS],
            statuses=() if wanted.users else statuses,
            prefix="" if wanted.users else wanted.prefix,
            group=None if wanted.users else wanted.group,
            never_seen=not wanted.users and wanted.never_seen,
        )
        if not run.dry:
            # First the trail: no audit, no act.
            self._policies.record((_begun(run, wanted),), now)
        return self._outbox.save_run(run)

    def _tidy_up(self, now: int) -> None:
        finished = [run for run in self.recent() if not run.is_open]
        for number, run in enumerate(finished):
            if number >= KEPT or now - run.finished_at > KEPT_SECONDS:
                self._outbox.drop_run(run.id)


def _begun(run: ReminderRun, wanted: Wanted) -> Event:
    asked = (
        {"number": str(len(run.users))}
        if run.users
        else {
            "status": wanted.status or "",
            "q": run.prefix,
            "group": run.group or "",
            "never_seen": "1" if run.never_seen else "",
        }
    )
    return Event(
        kind="reminders_begun",
        account_id=ORG,
        subject="",
        at=run.made_at,
        actor=run.by,
        details={"run": run.id, **{name: value for name, value in asked.items() if value}},
    )
