"""Whose time ends soon is told: by the policy of now, twice at most, and without anybody asking for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption, account_id
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM
from mfa_gate.core.policy import DAY, HOUR
from mfa_gate.core.reminders import ReminderRun
from mfa_gate.flows import deadlines
from mfa_gate.flows.deadlines import Deadlines
from mfa_gate.ports import Change, Store
from tests.mail.office import NOW, REALM, Office, Teller, of, office_store, seen, smtp
from tests.mail.servers import MailServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = office_store(tmp_path / "gate.db")
    yield made
    made.close()


class Watcher:
    """One process that looks for deadlines."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.deadlines = Deadlines(store, domain="", random=os.urandom, clock=lambda: self.now)

    def turn(self, **later: int) -> None:
        self.now += later.get("days", 0) * DAY + later.get("hours", 0) * HOUR
        self.deadlines.turn(self.now)

    @property
    def runs(self) -> list[ReminderRun]:
        return [run for run in self.store.runs(open_only=False) if run.template == "deadline"]


@pytest.fixture
def watcher(store: Store) -> Watcher:
    return Watcher(store)


def grace(store: Store, days: int, **more: object) -> None:
    policy = replace(
        store.policy(), require_two_step=True, grace_seconds=days * DAY, first_required_at=NOW, **more
    )
    store.commit_policy(policy, (), NOW)


def exempt(store: Store, subject: str, days: int) -> None:
    account = of(store, subject)
    given = Exemption(reason="r", approved_by="root", given_at=NOW, until=NOW + days * DAY)
    store.commit(Change(account=replace(account, exemption=given)), NOW)


def endings(store: Store, subject: str) -> int:
    found = store.events(
        account_id=account_id(REALM, subject), kind="exemption_ending", before=None, limit=10
    )
    return len(found)


class TestGrace:
    def test_a_week_and_a_day_before(self, store: Store, watcher: Watcher) -> None:
        seen(store, "alice")
        seen(store, "silent", email="")
        grace(store, 14)
        watcher.turn()
        watcher.turn(days=6, hours=23)
        assert watcher.runs == []
        with MailServer() as server:
            office = Office(store, smtp(server.port))
            for days, hours in ((0, 6), (3, 0), (2, 20), (0, 6), (0, 6), (0, 6)):
                watcher.turn(days=days, hours=hours)
                office.now = watcher.now
                office.turn()
            assert [str(message["Subject"]) for _, message in server.letters] == [
                f"Set up two-step for Example Files by in {seconds} s"
                for seconds in (7 * DAY - 5 * HOUR, DAY - HOUR)
            ]
        assert [run.counts for run in watcher.runs] == [{"sent": 1}, {"sent": 1}]
        begun = store.events(account_id=ORG, kind="reminders_begun", before=None, limit=10)
        assert {(each.event.actor, each.event.details["number"]) for each in begun} == {(SYSTEM, "1")}

    def test_each_their_own_deadline(self, store: Store, watcher: Watcher) -> None:
        grace(store, 10, grace_from="first_seen")
        seen(store, "alice")
        seen(store, "bob", first_seen_at=NOW + 5 * DAY)
        watcher.turn(days=4)
        watcher.turn(days=5)
        assert [run.users for run in watcher.runs] == [(account_id(REALM, "alice"),)]

    def test_one_run_at_a_time_and_one_mail_a_day(self, store: Store, watcher: Watcher) -> None:
        seen(store, "alice")
        grace(store, 5)
        with MailServer() as server:
            watcher.turn()
            watcher.turn(hours=6)
            assert len(watcher.runs) == 1
            server.refuses["alice@example.org"] = "550 no"
            office = Office(store, smtp(server.port))
            office.now = watcher.now
            office.turn()
            assert watcher.runs[0].counts == {"failed": 1}
        watcher.turn(hours=12)
        assert len(watcher.runs) == 1
        watcher.turn(hours=12)
        assert len(watcher.runs) == 2

    def test_very_many_are_one_run(
        self, store: Store, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in (("PAGE", 2), ("PAGES", 2), ("NAMED", 4)):
            monkeypatch.setattr(deadlines, name, value)
        for number in range(9):
            seen(store, f"user-{number}")
        grace(store, 5)
        watcher.turn()
        watcher.turn()
        assert watcher.runs == []
        watcher.turn()
        (run,) = watcher.runs
        assert (run.users, run.statuses) == ((), ("grace",))
        with MailServer() as server:
            office = Office(store, smtp(server.port))
            while any(each.is_open for each in watcher.runs):
                office.turn()
            assert len(server.letters) == 9
            office.begin(statuses=("grace",), name="again", template="deadline")
            while office.run("again").is_open:
                office.turn()
            assert len(server.letters) == 9
        assert office.run("again").counts == {"skipped": 9}
        assert store.results("again", "skipped", 0, 10) == ()

    def test_a_store_that_goes_away_is_looked_through_anew(
        self, store: Store, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen(store, "alice")
        grace(store, 5)
        with monkeypatch.context() as patch:

            def gone(*_: object, **__: object) -> None:
                raise StoreUnavailable("gone")

            patch.setattr(store, "people", gone)
            with pytest.raises(StoreUnavailable):
                watcher.turn()
        watcher.turn()
        assert len(watcher.runs) == 1


class TestExemptions:
    def test_the_person_and_the_administrators_are_told_twice(self, store: Store, watcher: Watcher) -> None:
        for subject in ("alice", "root"):
            seen(store, subject)
        grace(store, 0)
        exempt(store, "alice", 10)
        watcher.turn()
        assert endings(store, "alice") == 0
        for _ in range(45):
            watcher.turn(hours=6)
        assert endings(store, "alice") == 2
        assert watcher.runs == []
        with MailServer() as server:
            teller = Teller(store, smtp(server.port), admins=("root",))
            teller.now = watcher.now
            teller.turn()
            subjects = {(to, str(message["Subject"])) for to, message in server.letters}
        assert subjects == {
            ("alice@example.org", "Set up two-step for Example Files: your exemption ends soon"),
            ("root@example.org", "Example Files: Exemption ends soon"),
        }

    def test_without_the_policy_nothing_ends(self, store: Store, watcher: Watcher) -> None:
        seen(store, "alice")
        exempt(store, "alice", 3)
        for _ in range(10):
            watcher.turn(hours=6)
        assert endings(store, "alice") == 0

    def test_two_who_look_at_once_tell_once(self, store: Store) -> None:
        seen(store, "alice")
        grace(store, 0)
        exempt(store, "alice", 10)
        watchers = [Watcher(store), Watcher(store)]
        read = store.people

        def between(*args: object, **more: object) -> object:
            page = read(*args, **more)  # type: ignore[arg-type]
            store.people = read  # type: ignore[method-assign]
            watchers[1].turn(days=4)
            return page

        store.people = between  # type: ignore[method-assign,assignment]
        watchers[0].turn(days=4)
        assert endings(store, "alice") == 1

    def test_who_set_it_up_meanwhile_is_not_told(self, store: Store, watcher: Watcher) -> None:
        seen(store, "alice")
        grace(store, 0)
        exempt(store, "alice", 10)
        read = store.people

        def between(*args: object, **more: object) -> object:
            page = read(*args, **more)  # type: ignore[arg-type]
            store.commit(Change(account=replace(of(store, "alice"), exemption=None)), NOW)
            return page

        store.people = between  # type: ignore[method-assign,assignment]
        watcher.turn(days=4)
        assert endings(store, "alice") == 0
