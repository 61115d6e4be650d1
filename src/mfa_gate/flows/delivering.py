"""Brings one reminder to one person: at most once, and with an outcome that is written down.

The person is claimed after the mail server has said that it would take the letter, and before it is sent: until then
everything can be tried again, and from then on nothing is. It knows neither SMTP nor what the letter says.
"""

from collections.abc import Callable
from typing import Final, Literal

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Reminder
from mfa_gate.core.errors import MailUnavailable, OutcomeUnknown, StaleState
from mfa_gate.core.mailboxes import mailbox_of
from mfa_gate.core.policy import Policy, standing
from mfa_gate.core.reminders import (
    ReminderRun,
    Result,
    claimed,
    concluded,
    why_skipped,
)
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.courier import Courier
from mfa_gate.flows.posting import Letter, Refused, Writer
from mfa_gate.ports import Accounts, Change, Policies

Later = Literal["later"]
"""The mail server wants to be asked again, some other time."""
AT_IT_SECONDS: Final = 60
"""For so long whoever has claimed somebody may still be sending."""
Known = Literal["sent", "failed", "unknown"]


class Delivering:
    """One per process. `domain` gives an address to who has none; `administers` reads the settings."""

    def __init__(
        self,
        accounts: Accounts,
        policies: Policies,
        *,
        writer: Writer,
        domain: str,
        administers: Callable[[Account], bool],
        clock: Callable[[], float],
    ) -> None:
        self._committer = Committer(accounts, lambda _: None)
        self._policies = policies
        self._writer = writer
        self._domain = domain
        self._administers = administers
        self._clock = clock

    def deliver(
        self, run: ReminderRun, account: Account, policy: Policy, courier: Courier
    ) -> Result | Later | None:
        """What came of one person; None if that has been counted before.

        Raises `MailUnavailable`, `StoreUnavailable` or, where somebody else goes on with this run, `StaleState`: then
        nothing is known, and the same question may be put again.
        """
        last = account.reminder
        if last is not None and last.run == run.id:
            return self._dealt_with(run, account, last)
        verdict = self._verdict(run, account, policy)
        if isinstance(verdict, Result):
            return verdict if run.round == 0 else None
        if run.dry:
            return Result(account_id=account.id, outcome="sent")
        now = self._now
        letter = self._writer.reminder(account, verdict, standing(account, policy, now), run.id, now)
        refused = courier.offer(letter)
        if refused is None:
            return self._claim_and_send(run, account, letter, courier)
        if not refused.for_good and not run.is_last_round:
            return "later"
        return self._refused_at_the_door(run, account, refused)

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _dealt_with(self, run: ReminderRun, account: Account, last: Reminder) -> Result | None:
        """Somebody on whom this run has left its mark: in an earlier round, or since it was saved."""
        if last.round != run.round:
            return None
        if last.outcome == "claimed":
            if abs(self._now - last.at) < AT_IT_SECONDS:
                raise StaleState("Somebody else may be sending this letter just now.")
            # Whoever claimed it is gone. The mail may have left: it is not sent again.
            return self._conclude(run, account.id, "unknown", "")
        return Result(account_id=account.id, outcome=last.outcome, why=last.why)

    def _verdict(self, run: ReminderRun, account: Account, policy: Policy) -> Result | str:
        """The address to write to, or why not."""
        now = self._now
        why = why_skipped(account, standing(account, policy, now), run, now)
        if why is None and run.ordinary_only and self._administers(account):
            why = "administrator"
        if why is not None:
            return Result(account_id=account.id, outcome="skipped", why=why)
        address = mailbox_of(account, self._domain)
        return address or Result(account_id=account.id, outcome="no_address")

    def _claim_and_send(
        self, run: ReminderRun, account: Account, letter: Letter, courier: Courier
    ) -> Result | Later | None:
        try:
            refusal = self._claim(run, account.id, letter)
        except StaleState:
            courier.withdraw()
            raise
        if refusal is not None:
            courier.withdraw()
            return refusal if run.round == 0 else None
        try:
            refused = courier.send()
        except OutcomeUnknown:
            return self._conclude(run, account.id, "unknown", "")
        except MailUnavailable:
            self._release(run, account)
            raise
        if refused is None:
            return self._conclude(run, account.id, "sent", "")
        if not refused.for_good and not run.is_last_round:
            self._release(run, account)
            return "later"
        return self._conclude(run, account.id, "failed", refused.code)

    def _claim(self, run: ReminderRun, account_id: str, letter: Letter) -> Result | Later | None:
        """Claim somebody, if what was true when the letter was written still is; None: it is done.

        # Security: judged anew on the record that is committed, so that of two runs only one sends (W20).
        """
        policy = self._policies.policy()

        def plan(found: Account | None) -> tuple[Change | None, Result | Later | None]:
            if found is None:
                return None, Result(account_id=account_id, outcome="skipped", why="nobody")
            if found.reminder is not None and found.reminder.run == run.id:
                raise StaleState("Somebody else has dealt with this person meanwhile.")
            verdict = self._verdict(run, found, policy)
            if isinstance(verdict, Result):
                return None, verdict
            if verdict != letter.to:
                return None, "later"
            return Change(account=claimed(found, run, self._now)), None

        return self._committer.run(account_id, plan, self._now)

    def _conclude(self, run: ReminderRun, account_id: str, outcome: Known, why: str) -> Result:
        """Write down what came of a claim."""

        def plan(found: Account | None) -> tuple[Change | None, None]:
            if found is None or found.reminder is None or found.reminder.run != run.id:
                return None, None
            after, events = concluded(found, run, outcome, why, self._now)
            return Change(account=after, events=events), None

        self._committer.run(account_id, plan, self._now)
        return Result(account_id=account_id, outcome=outcome, why=why)

    def _refused_at_the_door(self, run: ReminderRun, account: Account, refused: Refused) -> Result:
        """Write down that a mail server takes nothing for somebody, of whom nothing was claimed."""

        def plan(found: Account | None) -> tuple[Change | None, None]:
            if found is None or isinstance(self._verdict(run, found, self._policies.policy()), Result):
                return None, None
            after, events = concluded(found, run, "failed", refused.code, self._now)
            return Change(account=after, events=events), None

        self._committer.run(account.id, plan, self._now)
        return Result(account_id=account.id, outcome="failed", why=refused.code)

    def _release(self, run: ReminderRun, before: Account) -> None:
        """Take a claim back: the server has said that it did not take the letter."""

        def plan(found: Account | None) -> tuple[Change | None, None]:
            if found is None or found.reminder is None or found.reminder.run != run.id:
                return None, None
            return Change(account=replace(found, reminder=before.reminder)), None

        self._committer.run(before.id, plan, self._now)
