"""Who is reminded to set up two-step, when, and what is written down about it; it must not know how mail travels.

A reminder is claimed on the account before it leaves and concluded afterwards. A claim that nobody concluded is one
whose mail may have left: it is shown as unknown, and never sent again.
"""

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Reminder
from mfa_gate.core.events import SYSTEM, Actor, Event, EventKind
from mfa_gate.core.listing import Filter
from mfa_gate.core.policy import DAY, Standing, Status
from mfa_gate.core.transitions import BOTH, event

Outcome = Literal["sent", "failed", "unknown", "no_address", "skipped"]
Template = Literal["asked", "deadline"]
"""Whether an administrator asked for it, or a deadline comes near."""
Skipped = Literal["recent", "not_needed", "administrator", "nobody"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("sent", "failed", "unknown", "no_address", "skipped")
REMINDED: Final[tuple[Status, ...]] = ("missing", "grace")
ROUNDS: Final = 4
"""How often somebody is tried whose mail server says "later" (greylisting, a full mailbox)."""
ROUND_AFTER_SECONDS: Final = (600, 3600, 4 * 3600)
"""How long after a round the next one begins."""
GIVEN_UP_SECONDS: Final = DAY
"""A run that is not through by then is ended: what it says may no longer be true."""
BEFORE_DEADLINE_SECONDS: Final = (7 * DAY, DAY)


class ReminderRun(msgspec.Struct, frozen=True, kw_only=True, tag="reminders", omit_defaults=True):
    """Reminders to some people, and how far they have come. Holds ids only: neither address, link nor text.

    For `users` where they are named, else for everybody with one of `statuses` who fits `prefix`, `group` and
    `never_seen` as in a `Filter`. `dry`: nothing leaves, and whoever would get mail counts as sent.
    """

    id: str
    version: int = 0
    made_at: int
    by: Actor
    template: Template = "asked"
    ordinary_only: bool = False
    """Asked for by the help desk, which acts on nobody who administers."""
    dry: bool = False
    users: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    prefix: str = ""
    group: str | None = None
    never_seen: bool = False
    total: int | None = None
    """How many there were when it began; None: not counted yet."""
    stage: int = 0
    after: str | None = None
    round: int = 0
    deferred: int = 0
    """To be tried again in the next round."""
    counts: dict[Outcome, int] = {}
    not_before: int = 0
    tries: int = 0
    """How often in a row the mail server took nothing."""
    trouble: str = ""
    """What the mail server's answer was then."""
    finished_at: int = 0

    @property
    def is_open(self) -> bool:
        """True while there is something to do."""
        return not self.finished_at

    @property
    def is_through(self) -> bool:
        """True once a round has come to its end."""
        return self.stage >= (1 if self.users else len(self.statuses))

    def who(self, stage: int) -> Filter:
        """Whom a stage is about, where nobody is named."""
        return Filter(
            statuses=(self.statuses[stage],),
            prefix=self.prefix,
            group=self.group,
            never_seen=self.never_seen,
        )

    @property
    def is_last_round(self) -> bool:
        """True if nobody is tried again after this round."""
        return self.round + 1 >= ROUNDS

    @property
    def done(self) -> int:
        """How many people have been dealt with."""
        return sum(self.counts.values())


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one person; `why` is a word of ours (`Skipped`) or the number that a mail server answered."""

    account_id: str
    outcome: Outcome
    why: str = ""


def why_skipped(account: Account, standing: Standing, run: ReminderRun, now: int) -> Skipped | None:
    """Why somebody is not reminded now; None if they are (W20: at most one a day)."""
    wanted = is_due(account, standing, now) if run.template == "deadline" else standing.reminded
    if not wanted:
        return "not_needed"
    last = account.reminder
    if last is None or last.outcome == "failed" or last.run == run.id:
        return None
    return "recent" if abs(now - last.at) < DAY else None


def is_due(account: Account, standing: Standing, now: int) -> bool:
    """True if the end of somebody's time to set up two-step has come near since they were last reminded."""
    if standing.status != "grace" or standing.deadline is None:
        return False
    last = account.reminder
    reminded_at = 0 if last is None or last.outcome == "failed" else last.at
    return _came_near(standing.deadline, reminded_at, now)


def ends_soon(account: Account, standing: Standing, now: int) -> bool:
    """True if the end of somebody's exemption has come near since they and the administrators were last told of it.

    Not where the policy is off, or leaves them time beyond it: then nothing ends for them.
    """
    exemption = account.exemption
    if exemption is None or standing.status != "exempt" or standing.deadline != exemption.until:
        return False
    # Of an exemption for three days nobody has to hear a week before its end.
    return _came_near(exemption.until, max(exemption.given_at, exemption.told_at), now)


def told_of_end(account: Account, now: int) -> tuple[Account, tuple[Event, ...]]:
    """The end of an exemption is near: told to whom it is for and to the administrators, and never twice."""
    exemption = account.exemption
    if exemption is None:
        return account, ()
    after = replace(account, exemption=replace(exemption, told_at=now))
    return after, (event(after, "exemption_ending", SYSTEM, now, BOTH, until=exemption.until),)


def _came_near(deadline: int, since: int, now: int) -> bool:
    return any(since < deadline - before <= now < deadline for before in BEFORE_DEADLINE_SECONDS)


def claimed(account: Account, run: ReminderRun, now: int) -> Account:
    """The account with a claim: from here on this reminder leaves once at most."""
    return replace(account, reminder=Reminder(run=run.id, at=now, round=run.round))


def concluded(
    account: Account,
    run: ReminderRun,
    outcome: Literal["sent", "failed", "unknown"],
    why: str,
    now: int,
) -> tuple[Account, tuple[Event, ...]]:
    """What came of a reminder, and its event."""
    last = account.reminder
    at = last.at if last is not None and last.run == run.id else now
    after = replace(account, reminder=Reminder(run=run.id, at=at, round=run.round, outcome=outcome, why=why))
    details = {"run": run.id, "answer": why, "outcome": outcome if outcome == "unknown" else ""}
    said = {name: value for name, value in details.items() if value}
    kind: EventKind = "reminder_sent" if outcome == "sent" else "reminder_failed"
    return after, (event(account, kind, run.by, now, (), **said),)
