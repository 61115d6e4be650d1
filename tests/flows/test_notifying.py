"""Notices at a real mail server: nothing that was committed goes untold, and nobody is flooded."""

import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import account_id
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Audience, Event
from mfa_gate.core.notices import LETTERS, MOST_WAITING, NEWS_SECONDS, RETRY_SECONDS, TOLD_AT_MOST
from mfa_gate.core.policy import HOUR
from mfa_gate.core.roster import RosterRow, listed
from mfa_gate.flows.notifying import BATCH
from mfa_gate.flows.reminding import LONGEST_PAUSE_SECONDS, PAUSE_SECONDS
from mfa_gate.mail.smtp import Patience
from mfa_gate.ports import Change, Store
from tests.mail.office import NOW, REALM, ROOT, Teller, happened, of, office_store, seen, smtp
from tests.mail.servers import MailServer

BOTH: tuple[Audience, ...] = ("owner", "admins")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = office_store(tmp_path / "gate.db")
    for subject in ("alice", "bob", "root"):
        seen(made, subject)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def teller(store: Store, server: MailServer) -> Teller:
    return Teller(store, smtp(server.port), admins=("root",))


def to(server: MailServer) -> Counter[str]:
    return Counter(recipient for recipient, _ in server.letters)


def failures(store: Store) -> list[dict[str, str]]:
    found = store.events(account_id=ORG, kind="notice_failed", before=None, limit=100)
    return [each.event.details for each in reversed(found)]


class TestWho:
    def test_the_owner_is_told_once(self, teller: Teller, server: MailServer, store: Store) -> None:
        happened(store, "alice", "recovery_code_used", left="6")
        teller.turn()
        teller.turn()
        ((recipient, message),) = server.letters
        assert recipient == "alice@example.org"
        assert message["Subject"] == "A recovery code was used for your account at Example Files"
        assert teller.queue.waiting == ()

    def test_whoever_had_the_address_is_told_that_the_roster_names_another(
        self, teller: Teller, server: MailServer, store: Store
    ) -> None:
        account = of(store, "alice")
        row = RosterRow(realm=REALM, subject="alice", email="mallory@example.net")
        after, events = listed(account, row, 1, SYSTEM, NOW)
        store.commit(Change(account=after, events=events), NOW)
        teller.turn()
        ((recipient, message),) = server.letters
        assert recipient == "alice@example.org"
        assert message["Subject"] == "Mail about your account at Example Files goes to another address"

    def test_owner_and_administrators(self, teller: Teller, server: MailServer, store: Store) -> None:
        happened(store, "alice", "reset", notify=BOTH, actor=ROOT, reason="lost phone")
        teller.turn()
        assert to(server) == {"alice@example.org": 1, "root@example.org": 1}
        assert {str(message["Subject"]) for _, message in server.letters} == {
            "Two-step was reset for your account at Example Files",
            "Example Files: Reset",
        }
        assert all(b"lost phone" not in raw for raw in server.raw)

    def test_who_is_both_gets_one(self, teller: Teller, server: MailServer, store: Store) -> None:
        happened(store, "root", "turned_off", notify=BOTH)
        teller.turn()
        assert to(server) == {"root@example.org": 1}

    def test_one_mailbox_for_all_administrators(self, store: Store, server: MailServer) -> None:
        teller = Teller(store, smtp(server.port), admins=("root", "bob"), mailbox="it@example.org")
        happened(store, "root", "turned_off", notify=BOTH)
        teller.turn()
        assert to(server) == {"root@example.org": 1, "it@example.org": 1}

    def test_who_administers_by_a_group_is_told_as_the_portal_last_named_them(
        self, store: Store, server: MailServer
    ) -> None:
        teller = Teller(store, smtp(server.port), admins=("root",), groups=("it", "security"))
        for subject, groups in (("anna", ("it",)), ("bert", ("it", "security")), ("carl", ("sales",))):
            seen(store, subject, groups=groups)
        seen(store, "dora", groups=("it",), active=False)
        listed_only, events = listed(
            seen(store, "erik"), RosterRow(realm=REALM, subject="erik", groups=("it",)), 1, SYSTEM, NOW
        )
        store.commit(Change(account=listed_only, events=events), NOW)
        happened(store, "alice", "reset", notify=BOTH, actor=ROOT)
        teller.turn()
        assert to(server) == {f"{subject}@example.org": 1 for subject in ("alice", "root", "anna", "bert")}

    def test_who_has_no_address_or_no_record_is_not_told(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        seen(store, "silent", email="")
        happened(store, "silent", "reset", notify=BOTH)
        stranger = Event(
            kind="break_glass_used",
            account_id=ORG,
            subject="nobody",
            at=NOW,
            actor=SYSTEM,
            details={"account": account_id(REALM, "nobody")},
            notify=BOTH,
        )
        store.record((stranger,), NOW)
        teller.turn()
        assert to(server) == {"root@example.org": 2}
        assert teller.queue.waiting == ()
        assert failures(store) == []

    def test_whose_account_a_grant_of_break_glass_is_for(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        for subject in ("alice", "bob"):
            details = {"account": account_id(REALM, subject), "until": str(NOW + 60)}
            for _ in range(LETTERS):
                used = Event(
                    kind="break_glass_granted",
                    account_id=ORG,
                    subject=subject,
                    at=NOW,
                    actor=SYSTEM,
                    details=details,
                    notify=("owner",),
                )
                store.record((used,), NOW)
        teller.turn()
        assert to(server) == {"alice@example.org": LETTERS, "bob@example.org": LETTERS}


class TestWhatIsNew:
    def test_it_begins_with_what_is_still_news(self, store: Store, server: MailServer) -> None:
        happened(store, "alice", "reset", at=NOW + 10)
        happened(store, "bob", "reset", at=NOW + NEWS_SECONDS)
        teller = Teller(store, smtp(server.port))
        teller.now = NOW + NEWS_SECONDS + 20
        teller.turn()
        assert to(server) == {"bob@example.org": 1}
        assert failures(store) == [{"answer": "late", "number": "1"}]

    def test_a_long_trail_that_is_no_news_is_not_read_through(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        teller.now = NOW + 2 * NEWS_SECONDS
        teller.turn()
        assert teller.queue.marks == store.stream.reached().positions
        assert server.letters == []

    def test_more_than_a_queue_holds_waits_in_the_trail(self, store: Store, server: MailServer) -> None:
        account = of(store, "alice")
        flood = tuple(
            Event(
                kind="reset",
                account_id=account.id,
                subject="alice",
                at=NOW + number * HOUR,
                actor=ROOT,
                notify=BOTH,
            )
            for number in range(3)
        )
        many = tuple(f"admin-{number}" for number in range(MOST_WAITING // 2))
        store.commit(Change(account=account, events=flood), NOW)
        teller = Teller(store, smtp(server.port), admins=many)
        teller.now = NOW + 3 * HOUR
        server.refuses["alice@example.org"] = "450 later"
        teller.turn()
        assert len(teller.queue.waiting) == 2  # nobody knows those administrators
        assert teller.queue.marks != store.stream.reached().positions
        teller.turn()
        assert teller.queue.marks == store.stream.reached().positions
        assert len(teller.queue.waiting) == 3

    def test_an_event_that_cannot_be_read_keeps_nobody_from_hearing(
        self, store: Store, server: MailServer, teller: Teller, tmp_path: Path
    ) -> None:
        for subject in ("alice", "bob"):
            happened(store, subject, "reset")
        with sqlite3.connect(tmp_path / "gate.db") as db:
            for what in ('{"kind":"of_tomorrow"}', "\udcff"):
                db.execute(
                    "UPDATE audit SET record = ? WHERE position = (SELECT MIN(position) FROM audit "
                    "WHERE kind = 'reset')",
                    (what.encode(errors="surrogateescape"),),
                )
        db.close()
        teller.turn()
        assert to(server) == {"bob@example.org": 1}


class TestFloods:
    def test_w20_guesses_fill_no_mailbox(self, store: Store, server: MailServer, teller: Teller) -> None:
        for number in range(60):
            happened(store, "alice", "account_paused", at=NOW + number)
            if number % 7 == 0:
                happened(store, "alice", "verified", at=NOW + number, notify=())
        happened(store, "alice", "turned_off", at=NOW + 60)
        teller.now = NOW + 61
        teller.turn()
        assert to(server) == {"alice@example.org": LETTERS + 1}
        (gathered,) = teller.queue.waiting
        assert len(gathered.events) + gathered.more == 60 - LETTERS
        assert len(gathered.events) == TOLD_AT_MOST
        teller.now = NOW + LETTERS + HOUR - 1
        teller.turn()
        assert to(server) == {"alice@example.org": LETTERS + 1}
        teller.now += 1
        teller.turn()
        assert to(server) == {"alice@example.org": LETTERS + 2}
        text = server.letters[-1][1].get_body(("plain",))
        assert text is not None
        assert "That happened 57 times" in text.get_content()

    def test_administrators_are_not_flooded_by_many_people(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        for number in range(20):
            seen(store, f"user-{number}")
            happened(store, f"user-{number}", "factor_added", notify=BOTH, at=NOW + number)
        happened(store, "alice", "account_locked", notify=BOTH, at=NOW + 30)
        teller.now = NOW + 31
        teller.turn()
        assert to(server)["root@example.org"] == LETTERS + 1
        assert sum(to(server).values()) == 21 + LETTERS + 1
        teller.now = NOW + HOUR + LETTERS
        teller.turn()
        assert to(server)["root@example.org"] == LETTERS + 2
        assert server.letters[-1][1]["Subject"] == "Example Files: Two-step set up (17)"

    def test_an_hour_later_it_begins_anew(self, store: Store, server: MailServer, teller: Teller) -> None:
        for hour in range(3):
            for number in range(LETTERS):
                happened(store, "alice", "turned_off", at=NOW + hour * HOUR + number)
        teller.now = NOW + 3 * HOUR
        teller.turn()
        assert to(server) == {"alice@example.org": 3 * LETTERS}


class TestTrouble:
    def test_later_means_later(self, store: Store, server: MailServer, teller: Teller) -> None:
        server.refuses["alice@example.org"] = "450 greylisted"
        happened(store, "alice", "reset")
        happened(store, "bob", "reset")
        teller.turn()
        assert to(server) == {"bob@example.org": 1}
        for pause in RETRY_SECONDS:
            teller.now += pause - 1
            teller.turn()
            teller.now += 1
            teller.turn()
        (notice,) = teller.queue.waiting
        assert notice.tries == len(RETRY_SECONDS) + 1
        server.refuses.clear()
        teller.now += RETRY_SECONDS[-1]
        teller.turn()
        assert to(server) == {"bob@example.org": 1, "alice@example.org": 1}
        assert teller.queue.waiting == ()

    def test_never_is_written_down(self, store: Store, server: MailServer, teller: Teller) -> None:
        server.refuses["alice@example.org"] = "550 no such user"
        happened(store, "alice", "reset")
        teller.turn()
        teller.turn()
        who = account_id(REALM, "alice")
        assert failures(store) == [{"answer": "550", "number": "1", "of": "reset", "account": who}]
        assert teller.queue.waiting == ()

    def test_later_for_three_days_is_never(self, store: Store, server: MailServer, teller: Teller) -> None:
        server.refuses["it@example.org"] = "450 full"
        teller = Teller(store, smtp(server.port), mailbox="it@example.org")
        happened(store, "alice", "keys_rotated", notify=("admins",))
        teller.turn()
        teller.now += NEWS_SECONDS + 1
        teller.turn()
        assert failures(store) == [{"answer": "450", "number": "1", "of": "keys_rotated"}]
        assert teller.queue.waiting == ()

    def test_a_server_that_is_down_is_asked_less_and_less(self, store: Store, server: MailServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        down = Teller(store, smtp(port))
        happened(store, "alice", "reset")
        happened(store, "bob", "reset")
        pauses = []
        for _ in range(8):
            down.turn()
            pauses.append(down.queue.not_before - down.now)
            assert f"127.0.0.1:{port} cannot be used" in down.queue.trouble
            down.now = down.queue.not_before
        assert pauses[:3] == [PAUSE_SECONDS, 2 * PAUSE_SECONDS, 4 * PAUSE_SECONDS]
        assert pauses[-1] == LONGEST_PAUSE_SECONDS
        up = Teller(store, smtp(server.port))
        up.now = down.now
        up.turn()
        assert to(server) == {"alice@example.org": 1, "bob@example.org": 1}
        assert (up.queue.trouble, up.queue.tries, up.queue.waiting) == ("", 0, ())

    def test_what_is_no_news_any_more_is_given_up_and_said(self, store: Store) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            down = Teller(store, smtp(closed.getsockname()[1]))
        happened(store, "alice", "reset")
        happened(store, "bob", "reset", at=NOW + HOUR)
        down.turn()
        down.now += NEWS_SECONDS + 1
        down.turn()
        who = account_id(REALM, "alice")
        assert failures(store) == [{"answer": "late", "number": "1", "of": "reset", "account": who}]
        assert [notice.to for notice in down.queue.waiting] == [account_id(REALM, "bob")]

    def test_a_server_that_says_nothing_after_a_letter_gets_it_once_more_with_the_same_name(
        self, store: Store, server: MailServer
    ) -> None:
        teller = Teller(store, smtp(server.port, Patience(take=2.0)))
        server.leaves_after_data = True
        happened(store, "alice", "reset")
        happened(store, "bob", "reset")
        teller.turn()
        assert to(server) == {"alice@example.org": 1}
        server.leaves_after_data = False
        teller.now += PAUSE_SECONDS
        teller.turn()
        assert to(server) == {"alice@example.org": 1, "bob@example.org": 1}
        teller.now += RETRY_SECONDS[0]
        teller.turn()
        first, again = server.messages_to("alice@example.org")
        assert first["Message-ID"] == again["Message-ID"]
        assert first.as_bytes() == again.as_bytes()

    def test_one_turn_takes_no_longer_than_it_may(self, store: Store, server: MailServer) -> None:
        slow = iter(range(0, 100, 11))
        teller = Teller(store, smtp(server.port), monotonic=lambda: next(slow))
        for subject in ("alice", "bob"):
            happened(store, subject, "reset")
        teller.turn()
        assert to(server) == {"alice@example.org": 1}
        teller.turn()
        assert to(server) == {"alice@example.org": 1, "bob@example.org": 1}

    def test_who_lost_the_lease_sends_nothing_more(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        for number in range(BATCH + 5):
            seen(store, f"user-{number}")
            happened(store, f"user-{number}", "reset")

        def overtaken(_: str) -> None:
            if len(server.letters) == 3:
                queue = store.notices.queue()
                store.notices.save(replace(queue, waiting=queue.waiting[3:]))

        server.on_data = overtaken
        teller.turn()
        assert len(server.letters) == BATCH
        teller.turn()
        assert len(server.letters) == BATCH + BATCH + 5 - 3
        assert len({message["Message-ID"] for _, message in server.letters}) == BATCH + 5

    def test_a_store_that_goes_away_loses_nothing(
        self, store: Store, server: MailServer, teller: Teller
    ) -> None:
        happened(store, "alice", "reset")
        happened(store, "bob", "reset")
        queue, gone = store.notices, [True]

        class Leaving:
            def queue(self) -> object:
                return queue.queue()

            def save(self, changed: object) -> object:
                if server.letters and gone:
                    gone.clear()
                    raise StoreUnavailable("gone")
                return queue.save(changed)  # type: ignore[arg-type]

        teller.notifying._notices = Leaving()  # type: ignore[assignment]  # noqa: SLF001
        with pytest.raises(StoreUnavailable):
            teller.turn()
        teller.turn()
        assert to(server) == {"alice@example.org": 2, "bob@example.org": 2}
        assert len({message["Message-ID"] for _, message in server.letters}) == 2
        assert store.broken_chain() is None
