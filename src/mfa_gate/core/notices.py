"""Which notices are on their way to whom, and when many become one letter; it knows neither words nor mail.

They are read out of the trail, to which the change that they tell of was committed, so that no change is without its
notice. The queue and how far the trail was read are one record: what is queued was read, and what was read is queued.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.events import ORG, Actor, Audience, Event, EventKind
from mfa_gate.core.policy import DAY, HOUR

LETTERS: Final = 3
"""Of one kind to one person within an hour; the others of that hour become one more letter …"""
TOLD_AT_MOST: Final = 10
"""… which tells so many of them one by one."""
NEWS_SECONDS: Final = 3 * DAY
"""What could not be told by then is no news any more."""
RETRY_SECONDS: Final = (600, HOUR, 4 * HOUR, 12 * HOUR)
"""How long after a mail server refused a letter for the time being it is tried again, the last again and again."""
MOST_WAITING: Final = 500
"""With so many on their way nothing more is read: the trail keeps the rest."""
MAILBOX: Final = "mailbox"
"""Stands for the administrators' mailbox of the settings where an account's id stands for a person."""
# Security: a reason, or the name of an app, is what somebody typed; neither is kept for a letter.
_DETAILS: Final = ("left", "until", "browser", "require_two_step", "account", "day", "covered", "people")


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a letter needs of one event."""

    kind: EventKind
    account_id: str
    subject: str
    at: int
    actor: Actor
    details: dict[str, str] = {}


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One letter to one person (`to`: their account's id, or `MAILBOX`) about events of one kind.

    `id` follows from the first event, so that a letter which leaves twice after a crash is the same letter.
    """

    id: str
    to: str
    audience: Audience
    kind: EventKind
    events: tuple[Told, ...]
    more: int = 0
    """How many happened beside those."""
    gathering: bool = False
    not_before: int = 0
    tries: int = 0


class NoticeQueue(msgspec.Struct, frozen=True, kw_only=True, tag="notices", omit_defaults=True):
    """All notices that have not left yet. `marks`: by shard, the position up to which the trail was read."""

    version: int = 0
    marks: dict[str, int] = {}
    waiting: tuple[Notice, ...] = ()
    admins_told: dict[EventKind, tuple[int, ...]] = {}
    """When letters of a kind went to the administrators within the last hour."""
    not_before: int = 0
    tries: int = 0
    """How often in a row the mail server took nothing."""
    trouble: str = ""
    """Why."""

    @property
    def is_full(self) -> bool:
        """True while nothing more is to be read."""
        return len(self.waiting) >= MOST_WAITING


def owner_of(event: Event) -> str:
    """The account whose owner is told; events of break-glass stand in the organization's chain and name theirs."""
    return event.details.get("account", "") if event.account_id == ORG else event.account_id


def notices_of(event: Event, event_id: str, admins: tuple[str, ...]) -> tuple[Notice, ...]:
    """A letter for each who is told. `admins` are account ids or `MAILBOX`; who owns the account gets one only."""
    owner = owner_of(event) if "owner" in event.notify else ""
    told: list[tuple[Audience, str]] = [("owner", owner)] if owner else []
    if "admins" in event.notify:
        told += [("admins", admin) for admin in dict.fromkeys(admins) if admin != owner]
    facts = Told(
        kind=event.kind,
        account_id=event.account_id,
        subject=event.subject,
        at=event.at,
        actor=event.actor,
        details={name: event.details[name] for name in _DETAILS if name in event.details},
    )
    return tuple(
        Notice(id=event_id, to=to, audience=audience, kind=event.kind, events=(facts,))
        for audience, to in told
    )


def queued(queue: NoticeQueue, notice: Notice, *, crowded: bool) -> NoticeQueue:
    """The queue with one notice more. `crowded`: so many of its kind went to this person lately that it joins others.

    # Security: who guesses, or turns two-step on and off, fills no mailbox, and of what they did nothing goes untold.
    """
    if not crowded:
        return replace(queue, waiting=(*queue.waiting, notice))
    for at, other in enumerate(queue.waiting):
        if other.gathering and (other.to, other.audience, other.kind) == (
            notice.to,
            notice.audience,
            notice.kind,
        ):
            joined = _joined(other, notice)
            return replace(queue, waiting=(*queue.waiting[:at], joined, *queue.waiting[at + 1 :]))
    first = replace(notice, gathering=True, not_before=notice.events[0].at + HOUR)
    return replace(queue, waiting=(*queue.waiting, first))


def told_admins(queue: NoticeQueue, kind: EventKind, at: int) -> tuple[NoticeQueue, bool]:
    """The queue after one event of which the administrators hear, and whether they had enough of its kind lately."""
    lately = tuple(then for then in queue.admins_told.get(kind, ()) if abs(at - then) < HOUR)
    if len(lately) >= LETTERS:
        return queue, True
    return replace(queue, admins_told={**queue.admins_told, kind: (*lately, at)}), False


def removed(queue: NoticeQueue, notice: Notice) -> NoticeQueue:
    """The queue without a notice that has left, or never will."""
    return replace(queue, waiting=tuple(each for each in queue.waiting if each is not notice))


def deferred(queue: NoticeQueue, notice: Notice, now: int) -> NoticeQueue:
    """The queue with a notice that is tried again later."""
    pause = RETRY_SECONDS[min(notice.tries, len(RETRY_SECONDS) - 1)]
    later = replace(notice, tries=notice.tries + 1, not_before=now + pause, gathering=False)
    return replace(queue, waiting=tuple(later if each is notice else each for each in queue.waiting))


def is_news(at: int, now: int) -> bool:
    """True while somebody should still hear of what happened then."""
    return now - at <= NEWS_SECONDS


def _joined(gathered: Notice, notice: Notice) -> Notice:
    if len(gathered.events) < TOLD_AT_MOST:
        return replace(gathered, events=(*gathered.events, *notice.events))
    return replace(gathered, more=gathered.more + 1)
