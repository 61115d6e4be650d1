"""Tells people what happened to their account, and administrators what they should know, in the background.

Read out of the trail: whatever was committed is told at least once, also after a crash, and no request waits for it.
A letter that leaves twice has the same Message-ID. It knows neither SMTP nor what a letter says.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.checkpoints import Entry
from mfa_gate.core.errors import MailUnavailable, OutcomeUnknown, StaleState
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.listing import ACTIVE, Filter
from mfa_gate.core.mailboxes import former_email, mailbox_of
from mfa_gate.core.messages import printable
from mfa_gate.core.notices import (
    LETTERS,
    MAILBOX,
    NEWS_SECONDS,
    Notice,
    NoticeQueue,
    deferred,
    is_news,
    notices_of,
    owner_of,
    queued,
    removed,
    told_admins,
)
from mfa_gate.core.policy import HOUR
from mfa_gate.flows.courier import Courier
from mfa_gate.flows.posting import Letter, NoticeWriter, Post, Refused
from mfa_gate.flows.reminding import LONGEST_PAUSE_SECONDS, PAUSE_SECONDS
from mfa_gate.ports import Directory, Store

SLICE_SECONDS: Final = 10.0
"""How long a turn sends at most, but for the letter that is on its way."""
AT_ONCE: Final = 500
READ_AT_MOST: Final = 5_000
"""Events of a shard that are read in one turn; a trail that nobody has read for long takes several."""
MEMBERS_TOLD: Final = 100
"""Of a group that administers; beyond that a mailbox is the better way."""
BATCH: Final = 10
"""Letters between two saves: after a crash at most so many leave once more."""
log = logging.getLogger("mfa_gate")
_READ = msgspec.json.Decoder(Event)


class Recipients(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the settings name. `admins` are account ids; `mailbox` stands in their place where there is one.

    Members of the `groups` are told, too, if they were in one when the portal last named them: `is_admin` says so.
    """

    admins: tuple[str, ...] = ()
    mailbox: str = ""
    domain: str = ""
    """Gives an address to who has none."""
    groups: tuple[str, ...] = ()
    is_admin: Callable[[Account], bool] = lambda _: False

    def told(self, directory: Directory, now: int) -> tuple[str, ...]:
        """To whom the administrators' notices go."""
        if self.mailbox:
            return (MAILBOX,)
        found = dict.fromkeys(self.admins)
        for group in self.groups:
            page = directory.people(Filter(statuses=ACTIVE, group=group), limit=MEMBERS_TOLD, now=now)
            if page.next is not None:
                log.warning(
                    "notices: the group %s has more than %s members; not all are told", group, MEMBERS_TOLD
                )
            found |= dict.fromkeys(row.account.id for row in page.rows if self.is_admin(row.account))
        return tuple(found)


class Notifying:
    """One per process; of all processes on a store one calls `turn`, every few seconds."""

    def __init__(
        self,
        store: Store,
        *,
        writer: NoticeWriter,
        recipients: Recipients,
        post: Post,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._notices = store.notices
        self._stream = store.stream
        self._writer = writer
        self._recipients = recipients
        self._post = post
        self._clock = clock
        self._monotonic = monotonic

    def turn(self, now: int) -> None:
        """Read on, then send what is due, for a few seconds. Raises `StoreUnavailable`."""
        with suppress(StaleState):  # somebody else goes on with it: the lease was lost
            queue = self._read_on(self._notices.queue(), now)
            if queue.not_before <= now:
                self._send(queue, now)

    def _read_on(self, queue: NoticeQueue, now: int) -> NoticeQueue:
        """The queue with what was committed since; it is kept before anything leaves."""
        before, reached, late = queue, self._stream.reached().positions, 0
        if not queue.version:
            queue = replace(queue, marks=self._begin(reached, now))
        for shard, position in reached.items():
            budget = READ_AT_MOST
            while queue.marks.get(shard, 0) < position and budget > 0 and not queue.is_full:
                entries = self._stream.entries(shard, queue.marks.get(shard), AT_ONCE)
                for entry in entries:
                    event = _event(entry)
                    if event is not None and is_news(event.at, now):
                        queue = self._queued(queue, event, entry.link.hex()[:32], entry.position)
                    elif event is not None:
                        late += 1
                    queue = replace(queue, marks={**queue.marks, shard: entry.position})
                    if queue.is_full:
                        break
                budget -= len(entries)
                if not entries:
                    break
        if late:
            self._record("late", now, number=late)
        return queue if queue == before else self._notices.save(queue)

    def _begin(self, reached: dict[str, int], now: int) -> dict[str, int]:
        """Where to begin in a trail that nobody has read: with what is still news."""
        first = self._store.position_at(now - NEWS_SECONDS)
        return reached if first is None else dict.fromkeys(reached, max(0, first - 2 * len(reached)))

    def _queued(self, queue: NoticeQueue, event: Event, event_id: str, position: int) -> NoticeQueue:
        admins_crowded = False
        if "admins" in event.notify:
            queue, admins_crowded = told_admins(queue, event.kind, event.at)
        admins = self._recipients.told(self._store, int(self._clock())) if "admins" in event.notify else ()
        for notice in notices_of(event, event_id, admins):
            crowded = (
                admins_crowded
                if notice.audience == "admins"
                else self._is_crowded(event, notice.to, position)
            )
            queue = queued(queue, notice, crowded=crowded)
        return queue

    def _is_crowded(self, event: Event, owner: str, position: int) -> bool:
        """Whether this person was told so much of the same within an hour that more of it becomes one letter."""
        chain = ORG if event.account_id == ORG else owner
        since = self._store.position_at(event.at - HOUR) or position
        found = self._store.events(
            account_id=chain, kind=event.kind, before=position, after=max(0, since - 1), limit=4 * LETTERS
        )
        lately = [
            each.event
            for each in found
            if "owner" in each.event.notify
            and owner_of(each.event) == owner
            and abs(event.at - each.event.at) < HOUR
        ]
        return len(lately) >= LETTERS

    def _send(self, queue: NoticeQueue, now: int) -> None:
        due = [notice for notice in queue.waiting if notice.not_before <= now]
        until, kept = self._monotonic() + SLICE_SECONDS, queue
        with Courier(self._post) as courier:
            for number, notice in enumerate(due, 1):
                try:
                    queue = self._delivered(queue, notice, courier)
                except OutcomeUnknown as error:
                    queue = self._put_off(deferred(queue, notice, self._now), str(error))
                    break
                except MailUnavailable as error:
                    # Whoever else waits need not find that out anew, one time-out after the other.
                    queue = self._put_off(queue, str(error))
                    break
                queue = replace(queue, tries=0, not_before=0, trouble="")
                if self._monotonic() > until:
                    break
                if number % BATCH == 0:
                    queue = kept = self._notices.save(queue)
        if queue != kept:
            self._notices.save(queue)

    def _delivered(self, queue: NoticeQueue, notice: Notice, courier: Courier) -> NoticeQueue:
        """The queue after one notice was tried. Raises `MailUnavailable` or `OutcomeUnknown`."""
        letter = self._letter(notice)
        if letter is None:
            return removed(queue, notice)
        refused = courier.offer(letter) or courier.send()
        if refused is None:
            return removed(queue, notice)
        now = self._now
        if not refused.for_good and is_news(notice.events[0].at, now):
            return deferred(queue, notice, now)
        self._record_failure(notice, refused, now)
        return removed(queue, notice)

    def _letter(self, notice: Notice) -> Letter | None:
        """The letter, unless there is nowhere to send it."""
        if notice.to == MAILBOX:
            return self._writer.notice(notice, None, self._recipients.mailbox)
        account = self._store.account(notice.to)
        if account is not None and notice.kind == "address_changed":
            # Security: whoever had the address until now is told; the new one may be an attacker's.
            account = replace(account, email=former_email(account))
        address = None if account is None else mailbox_of(account, self._recipients.domain)
        return None if address is None else self._writer.notice(notice, account, address)

    def _put_off(self, queue: NoticeQueue, why: str) -> NoticeQueue:
        """Try again later, at longer and longer intervals; what is no news any more is given up."""
        now = self._now
        for notice in queue.waiting:
            if not is_news(notice.events[0].at, now):
                self._record_failure(notice, None, now)
                queue = removed(queue, notice)
        pause = min(PAUSE_SECONDS << min(queue.tries, 10), LONGEST_PAUSE_SECONDS)
        return replace(queue, tries=queue.tries + 1, not_before=now + pause, trouble=printable(why, 300))

    def _record_failure(self, notice: Notice, refused: Refused | None, now: int) -> None:
        account = "" if notice.to == MAILBOX else notice.to
        answer = "late" if refused is None else refused.code
        self._record(answer, now, number=len(notice.events) + notice.more, of=notice.kind, account=account)

    def _record(self, answer: str, now: int, *, number: int, of: str = "", account: str = "") -> None:
        details = {"answer": answer, "number": str(number), "of": of, "account": account}
        failed = Event(
            kind="notice_failed",
            account_id=ORG,
            subject="",
            at=now,
            actor=SYSTEM,
            details={name: value for name, value in details.items() if value},
        )
        self._store.record((failed,), now)

    @property
    def _now(self) -> int:
        return int(self._clock())


def _event(entry: Entry) -> Event | None:
    """What somebody is told of.

    # Security: an event that cannot be read, by a newer version's hand or a thief's, must not keep the others from
    being told. That it was tampered with is found by whoever signs the trail.
    """
    try:
        event = _READ.decode(entry.record)
    except (msgspec.MsgspecError, ValueError):
        log.warning(
            "notices: the event at position %s cannot be read, and nobody is told of it", entry.position
        )
        return None
    return event if event.notify else None
