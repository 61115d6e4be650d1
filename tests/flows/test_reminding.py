"""Reminders at a real mail server: each at most once, whatever breaks, and with an outcome for everybody."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Reminder, Totp, account_id
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.core.policy import DAY
from mfa_gate.core.reminders import GIVEN_UP_SECONDS, ROUND_AFTER_SECONDS, Result
from mfa_gate.flows.delivering import AT_IT_SECONDS
from mfa_gate.flows.reminding import PAUSE_SECONDS
from mfa_gate.mail.nowhere import Nowhere
from mfa_gate.mail.smtp import Patience
from mfa_gate.ports import Change, Store
from tests.mail.office import NOW, REALM, Office, of, office_store, require_two_step, seen, smtp, told
from tests.mail.servers import MailServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = office_store(tmp_path / "gate.db")
    require_two_step(made)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def office(store: Store, server: MailServer) -> Office:
    return Office(store, smtp(server.port))


def results(store: Store, outcome: str, name: str = "r1") -> list[tuple[str, str]]:
    found = store.results(name, outcome, 0, 1000)  # type: ignore[arg-type]
    return [(each.account_id, each.why) for each in found]


def who(*subjects: str) -> list[tuple[str, str]]:
    return [(account_id(REALM, subject), "") for subject in subjects]


class TestOne:
    def test_a_reminder_arrives_and_stands_in_the_trail(
        self, office: Office, server: MailServer, store: Store
    ) -> None:
        seen(store, "alice", name="Alice Moreau")
        office.begin("alice")
        office.turn()
        ((to, message),) = server.letters
        assert to == "alice@example.org"
        assert message["Subject"] == "Set up two-step for Example Files"
        run = office.run()
        assert (run.total, run.counts, run.finished_at) == (1, {"sent": 1}, NOW)
        assert results(store, "sent") == who("alice")
        assert of(store, "alice").reminder == Reminder(run="r1", at=NOW, outcome="sent")
        assert told(store, "alice") == [("reminder_sent", {"run": "r1"})]
        finished = store.events(account_id=ORG, kind="reminders_finished", before=None, limit=5)
        assert [each.event.details for each in finished] == [{"run": "r1", "sent": "1"}]
        assert store.broken_chain() is None

    def test_who_is_not_reminded(self, office: Office, server: MailServer, store: Store) -> None:
        seen(store, "has", totps=(Totp(id="t", name="Phone", secret=b"s", added_at=NOW),))
        seen(store, "gone", active=False)
        seen(store, "silent", email="")
        seen(store, "odd", email="odd@example.org, mallory@example.net")
        office.begin("has", "gone", "silent", "odd", "nobody")
        office.turn()
        assert server.letters == []
        assert office.run().counts == {"skipped": 3, "no_address": 2}
        assert results(store, "no_address") == who("silent", "odd")
        assert [why for _, why in results(store, "skipped")] == ["not_needed", "not_needed", "nobody"]
        assert told(store, "silent") == []

    def test_people_without_an_address_get_one_from_the_settings(
        self, store: Store, server: MailServer
    ) -> None:
        seen(store, "alice", email="")
        office = Office(store, smtp(server.port), domain="files.example.org")
        office.begin("alice")
        office.turn()
        assert [to for to, _ in server.letters] == ["alice@files.example.org"]

    def test_the_help_desk_reminds_nobody_who_administers(self, store: Store, server: MailServer) -> None:
        for subject in ("root", "alice"):
            seen(store, subject)
        office = Office(store, smtp(server.port), administers=lambda account: account.subject == "root")
        office.begin("root", "alice", ordinary_only=True)
        office.turn()
        assert [to for to, _ in server.letters] == ["alice@example.org"]
        assert [why for _, why in results(store, "skipped")] == ["administrator"]

    def test_w20_at_most_one_a_day(self, office: Office, server: MailServer, store: Store) -> None:
        seen(store, "alice")
        for number in range(5):
            office.begin("alice", name=f"r{number}")
        office.turn()
        office.now += DAY - 1
        office.begin("alice", name="early")
        office.turn()
        assert len(server.letters) == 1
        assert results(store, "skipped", "early") == [(account_id(REALM, "alice"), "recent")]
        office.now += 1
        office.begin("alice", name="next")
        office.turn()
        assert len(server.letters) == 2

    def test_a_dry_run_sends_nothing_and_says_whom_it_would_have(self, store: Store) -> None:
        office = Office(store, Nowhere())
        for subject in ("alice", "bob"):
            seen(store, subject)
        seen(store, "silent", email="")
        office.begin("alice", "bob", "silent", dry=True)
        office.turn()
        assert office.run().counts == {"sent": 2, "no_address": 1}
        assert of(store, "alice").reminder is None
        assert told(store, "alice") == []
        assert not store.events(account_id=ORG, kind="reminders_finished", before=None, limit=5)


class TestMany:
    def test_everybody_with_a_status(self, office: Office, server: MailServer, store: Store) -> None:
        people = [f"user-{number:03}" for number in range(57)]
        for subject in people:
            seen(store, subject)
        seen(store, "has", totps=(Totp(id="t", name="Phone", secret=b"s", added_at=NOW),))
        office.begin(statuses=("missing", "grace"))
        office.turn()
        assert sorted(to for to, _ in server.letters) == [f"{each}@example.org" for each in people]
        assert server.greeted == 1
        run = office.run()
        assert (run.total, run.counts) == (57, {"sent": 57})
        assert sorted(results(store, "sent")) == sorted(who(*people))

    def test_everybody_whose_name_begins_so(self, office: Office, server: MailServer, store: Store) -> None:
        for subject in ("anna", "anton", "bert"):
            seen(store, subject)
        office.begin(statuses=("missing", "grace"), prefix="an")
        office.turn()
        assert sorted(to for to, _ in server.letters) == ["anna@example.org", "anton@example.org"]
        assert office.run().total == 2

    def test_two_runs_share_the_line_and_nobody_gets_two(
        self, office: Office, server: MailServer, store: Store
    ) -> None:
        for number in range(45):
            seen(store, f"user-{number:02}")
        office.begin(statuses=("missing",), name="all")
        office.begin("user-44", name="one")
        office.turn()
        assert len(server.letters) == 45
        assert server.greeted == 1
        counts = [office.run("all").counts, office.run("one").counts]
        # The one does not wait for the many.
        assert counts == [{"sent": 44, "skipped": 1}, {"sent": 1}]

    def test_nobody_at_all(self, office: Office, store: Store) -> None:
        office.begin(statuses=())
        office.begin(statuses=("missing",), name="none")
        office.turn()
        assert not office.run().is_open
        assert (office.run("none").total, office.run("none").is_open) == (0, False)


class TestRefused:
    def test_for_good(self, office: Office, server: MailServer, store: Store) -> None:
        for subject in ("alice", "bob"):
            seen(store, subject)
        server.refuses["alice@example.org"] = "550 5.1.1 <script>no such user</script>"
        office.begin("alice", "bob")
        office.turn()
        assert office.run().counts == {"failed": 1, "sent": 1}
        assert results(store, "failed") == [(account_id(REALM, "alice"), "550")]
        assert told(store, "alice") == [("reminder_failed", {"run": "r1", "answer": "550"})]
        # Once the address is mended, somebody may try again at once.
        server.refuses.clear()
        office.begin("alice", name="again")
        office.turn()
        assert [to for to, _ in server.letters] == ["bob@example.org", "alice@example.org"]

    def test_after_the_message_came(self, office: Office, server: MailServer, store: Store) -> None:
        seen(store, "alice")
        server.answers_data = "554 spam"
        office.begin("alice")
        office.turn()
        assert results(store, "failed") == [(account_id(REALM, "alice"), "554")]

    @pytest.mark.parametrize("late", [False, True], ids=["at the door", "after the message"])
    def test_for_now(self, office: Office, server: MailServer, store: Store, late: bool) -> None:
        for subject in ("alice", "bob"):
            seen(store, subject)
        if late:
            server.answers_data = "451 busy"
        else:
            server.refuses["alice@example.org"] = "450 greylisted"
            server.refuses["bob@example.org"] = "450 greylisted"
        office.begin("alice", "bob")
        office.turn()
        run = office.run()
        assert (run.counts, run.round, run.not_before) == ({}, 1, NOW + ROUND_AFTER_SECONDS[0])
        assert of(store, "alice").reminder is None
        office.now += ROUND_AFTER_SECONDS[0] - 1
        office.turn()
        assert server.letters == []
        office.now += 1
        server.refuses.pop("alice@example.org", None)
        server.answers_data = "250 OK"
        office.turn()
        if not late:
            assert office.run().counts == {"sent": 1}
            for pause in ROUND_AFTER_SECONDS[1:]:
                office.now += pause
                office.turn()
            assert results(store, "failed") == [(account_id(REALM, "bob"), "450")]
            assert office.run().counts == {"sent": 1, "failed": 1}
        else:
            assert office.run().counts == {"sent": 2}
        assert len(server.messages_to("alice@example.org")) == 1
        assert not office.run().is_open


class TestBroken:
    def test_a_server_that_is_down_is_tried_again_and_again(self, store: Store, server: MailServer) -> None:
        seen(store, "alice")
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        office = Office(store, smtp(port))
        office.begin("alice")
        office.begin("alice", name="other")
        pauses = []
        for _ in range(8):
            office.turn()
            run = office.run()
            pauses.append(run.not_before - office.now)
            assert "cannot be used: Connection refused" in run.trouble
            assert office.run("other").not_before == run.not_before
            office.now = run.not_before
        assert pauses[:3] == [PAUSE_SECONDS, 2 * PAUSE_SECONDS, 4 * PAUSE_SECONDS]
        assert pauses[-1] == pauses[-2] == 900
        assert of(store, "alice").reminder is None
        up = Office(store, smtp(server.port))
        up.now = office.now
        up.turn()
        assert len(server.letters) == 1
        assert office.run().trouble == ""

    def test_not_for_ever(self, store: Store) -> None:
        seen(store, "alice")
        office = Office(store, Nowhere())
        office.begin("alice")
        office.now += GIVEN_UP_SECONDS + 1
        office.turn()
        run = office.run()
        assert (run.is_open, run.counts, run.done) == (False, {}, 0)
        assert "name no way for mail" in run.trouble

    @pytest.mark.parametrize("how", ["hangs up", "is silent"])
    def test_a_doubt_is_shown_and_nothing_is_sent_again(
        self, store: Store, server: MailServer, how: str
    ) -> None:
        for subject in ("alice", "bob"):
            seen(store, subject)
        office = Office(store, smtp(server.port, Patience(take=0.3)))
        goes_on = threading.Event()

        def trouble(to: str) -> None:
            server.leaves_after_data = how == "hangs up" and to.startswith("alice")
            if how == "is silent" and to.startswith("alice"):
                goes_on.wait(20)

        server.on_data = trouble
        office.begin("alice", "bob")
        office.turn()
        goes_on.set()
        assert office.run().counts == {"unknown": 1, "sent": 1}
        assert results(store, "unknown") == who("alice")
        assert told(store, "alice") == [("reminder_failed", {"run": "r1", "outcome": "unknown"})]
        office.now += DAY - 1
        office.begin("alice", name="again")
        office.turn()
        assert len(server.messages_to("alice@example.org")) == 1

    def test_who_died_between_claim_and_outcome_leaves_a_doubt(
        self, office: Office, server: MailServer, store: Store
    ) -> None:
        alice = seen(store, "alice")
        seen(store, "bob")
        office.begin("alice", "bob")
        store.commit(Change(account=replace(alice, reminder=Reminder(run="r1", at=NOW))), NOW)
        office.turn()  # it may still be at it
        assert office.run().counts == {}
        office.now += AT_IT_SECONDS
        office.turn()
        assert [to for to, _ in server.letters] == ["bob@example.org"]
        assert office.run().counts == {"unknown": 1, "sent": 1}

    def test_who_died_before_saving_has_nothing_counted_twice(
        self, office: Office, server: MailServer, store: Store
    ) -> None:
        alice, bob = seen(store, "alice"), seen(store, "bob")
        office.begin("alice", "bob")
        for account, outcome, why in ((alice, "sent", ""), (bob, "failed", "550")):
            mark = Reminder(run="r1", at=NOW, outcome=outcome, why=why)  # type: ignore[arg-type]
            store.commit(Change(account=replace(account, reminder=mark)), NOW)
        office.turn()
        assert server.letters == []
        assert office.run().counts == {"sent": 1, "failed": 1}
        assert store.results("r1", "failed", 0, 9) == (
            Result(account_id=bob.id, outcome="failed", why="550"),
        )

    def test_a_store_that_goes_away_before_the_claim_lets_nothing_leave(
        self, store: Store, server: MailServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen(store, "alice")
        office = Office(store, smtp(server.port))
        office.begin("alice")

        def away(*_: object) -> None:
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(store, "commit", away)
            with pytest.raises(StoreUnavailable):
                office.turn()
        assert server.letters == []
        office.turn()
        assert len(server.letters) == 1

    def test_two_processes_at_once_send_each_letter_once(self, store: Store, server: MailServer) -> None:
        people = [f"user-{number:02}" for number in range(60)]
        for subject in people:
            seen(store, subject)
        offices = [Office(store, smtp(server.port)) for _ in range(3)]
        offices[0].begin(statuses=("missing",))
        deadline = time.monotonic() + 60
        while offices[0].run().is_open:
            assert time.monotonic() < deadline
            threads = [threading.Thread(target=office.turn) for office in offices]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(to for to, _ in server.letters) == [f"{each}@example.org" for each in people]


def test_who_sets_up_two_step_meanwhile_is_left_alone(
    office: Office, server: MailServer, store: Store
) -> None:
    alice, bob = seen(store, "alice"), seen(store, "bob")
    app = Totp(id="t", name="Phone", secret=b"s", added_at=NOW)

    def enrolls(_: str) -> None:
        store.commit(Change(account=replace(bob, totps=(app,))), NOW)

    server.on_data = enrolls
    office.begin("alice", "bob")
    office.turn()
    assert [to for to, _ in server.letters] == [alice.email]
    assert office.run().counts == {"sent": 1, "skipped": 1}


def test_the_policy_turned_off_meanwhile_ends_it(office: Office, server: MailServer, store: Store) -> None:
    for subject in ("alice", "bob"):
        seen(store, subject)

    def turns_off(_: str) -> None:
        store.commit_policy(replace(store.policy(), require_two_step=False), (), NOW)

    server.on_data = turns_off
    office.begin("alice", "bob")
    office.turn()
    assert len(server.letters) == 1
    assert results(store, "skipped") == [(account_id(REALM, "bob"), "not_needed")]
