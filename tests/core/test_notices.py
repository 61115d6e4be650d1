"""Who is told of an event, when many become one letter, and what of an event a letter may hold."""

from mfa_gate.core.events import ORG, Actor, Audience, Event
from mfa_gate.core.notices import (
    LETTERS,
    MAILBOX,
    MOST_WAITING,
    NEWS_SECONDS,
    RETRY_SECONDS,
    TOLD_AT_MOST,
    Notice,
    NoticeQueue,
    deferred,
    is_news,
    notices_of,
    queued,
    removed,
    told_admins,
)
from mfa_gate.core.policy import HOUR

NOW = 1_800_000_000
ROOT = Actor(subject="root", realm="portal", surface="web")


def event(at: int = NOW, *, notify: tuple[Audience, ...] = ("owner", "admins"), **fields: object) -> Event:
    given = {"kind": "reset", "account_id": "a" * 32, "subject": "alice", "actor": ROOT} | fields
    return Event(at=at, notify=notify, **given)  # type: ignore[arg-type]


def notice(at: int = NOW, name: str = "e1", to: str = "a" * 32) -> Notice:
    (made,) = notices_of(event(at, notify=("owner",), account_id=to), name, ())
    return made


def test_who_is_told() -> None:
    def told(happened: Event, *admins: str) -> list[tuple[str, str]]:
        return [(each.audience, each.to) for each in notices_of(happened, "e1", admins)]

    owner = ("owner", "a" * 32)
    assert told(event(), "b" * 32, "c" * 32) == [owner, ("admins", "b" * 32), ("admins", "c" * 32)]
    assert told(event(), MAILBOX) == [owner, ("admins", MAILBOX)]
    assert told(event(), "a" * 32, "b" * 32, "b" * 32) == [owner, ("admins", "b" * 32)]
    assert told(event(notify=("admins",)), "a" * 32) == [("admins", "a" * 32)]
    assert told(event(notify=()), "b" * 32) == []
    grant = event(account_id=ORG, details={"account": "d" * 32})
    assert told(grant, "b" * 32) == [("owner", "d" * 32), ("admins", "b" * 32)]
    assert told(event(account_id=ORG)) == []


def test_nothing_that_somebody_typed_is_kept() -> None:
    details = {"reason": "call me at evil.example", "name": "evil.example", "left": "3", "path": "/evil"}
    (made,) = notices_of(event(details=details, notify=("owner",)), "e1", ())
    assert made.events[0].details == {"left": "3"}


def test_a_crowd_becomes_one_letter_an_hour_after_it_began() -> None:
    queue = queued(NoticeQueue(), notice(), crowded=False)
    for number in range(TOLD_AT_MOST + 3):
        queue = queued(queue, notice(NOW + number, f"e{number}"), crowded=True)
    queue = queued(queue, notice(name="other", to="b" * 32), crowded=True)
    single, gathered, other = queue.waiting
    assert (single.not_before, single.gathering) == (0, False)
    assert (gathered.id, gathered.not_before, gathered.gathering) == ("e0", NOW + HOUR, True)
    assert [each.at for each in gathered.events] == [NOW + number for number in range(TOLD_AT_MOST)]
    assert gathered.more == 3
    assert other.to == "b" * 32


def test_a_letter_that_was_tried_gathers_no_more() -> None:
    queue = queued(NoticeQueue(), notice(), crowded=True)
    queue = deferred(queue, queue.waiting[0], NOW)
    queue = queued(queue, notice(name="e2"), crowded=True)
    assert [(each.id, each.gathering) for each in queue.waiting] == [("e1", False), ("e2", True)]


def test_of_each_kind_the_administrators_get_so_many_an_hour() -> None:
    queue, crowded = NoticeQueue(), []
    for at in (*range(NOW, NOW + LETTERS + 1), NOW + HOUR):
        queue, full = told_admins(queue, "reset", at)
        crowded.append(full)
    assert crowded == [False] * LETTERS + [True, False]
    assert told_admins(queue, "turned_off", NOW)[1] is False


def test_tried_again_later_and_later() -> None:
    first, second = notice(), notice(name="e2")
    queue, pauses = NoticeQueue(waiting=(first, second)), []
    for _ in range(len(RETRY_SECONDS) + 2):
        queue = deferred(queue, queue.waiting[0], NOW)
        pauses.append(queue.waiting[0].not_before - NOW)
    assert pauses == [*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]]
    assert queue.waiting[1] is second
    assert removed(queue, second).waiting == queue.waiting[:1]


def test_when_it_is_full_and_what_is_news() -> None:
    assert NoticeQueue(waiting=(notice(),) * MOST_WAITING).is_full
    assert not NoticeQueue(waiting=(notice(),) * (MOST_WAITING - 1)).is_full
    assert is_news(NOW, NOW + NEWS_SECONDS)
    assert not is_news(NOW, NOW + NEWS_SECONDS + 1)
