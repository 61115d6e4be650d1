"""What every store does, in sentences of `ports`; a backend subclasses `StoreContract` and says how it is made."""

import multiprocessing
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal, Protocol, TypeVar, get_args

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, RecoveryCodes, SetupCode, Totp, account_id
from mfa_gate.core.errors import MfaGateError, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG, Actor, Event, EventKind
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.core.policy import Policy, Status, standing
from mfa_gate.core.sessions import CAP, Challenge, Session
from mfa_gate.core.throttle import Strikes
from mfa_gate.ports import Change, Feed, Lease, Store

NOW = 1_800_000_000
ADMIN = Actor(subject="root", realm="portal", surface="api", address="192.0.2.1")
T = TypeVar("T")


class Backend(Store, Protocol):
    """A store with what the background jobs need."""

    def expire(self, now: int) -> int: ...


def person(subject: str, **fields: object) -> Account:
    account = Account(id=account_id("portal", subject), realm="portal", subject=subject, first_seen_at=NOW)
    return msgspec.structs.replace(account, **fields)


def totp(**strikes: object) -> Totp:
    return Totp(id="t1", name="Phone", secret=b"s" * 20, added_at=NOW, strikes=replace(Strikes(), **strikes))


def event(kind: EventKind, account: Account | None = None, **details: str) -> Event:
    owner, subject = (account.id, account.subject) if account else (ORG, "")
    return Event(kind=kind, account_id=owner, subject=subject, at=NOW, actor=ADMIN, details=details)


def session(account: Account, key: str, **fields: object) -> Session:
    return replace(
        Session(
            key=key,
            account_id=account.id,
            epoch=account.epoch,
            source="header",
            sign_in="s-1",
            factor="totp",
            amr=("pwd", "otp", "mfa"),
            acr="2",
            verified_at=NOW,
            created_at=NOW,
            expires_at=NOW + 3600,
            touched_at=NOW,
            user_agent="Firefox",
            address="192.0.2.7",
        ),
        **fields,
    )


def challenge(account: Account, name: str, **fields: object) -> Challenge:
    return replace(
        Challenge(
            id=name,
            account_id=account.id,
            epoch=account.epoch,
            holder="browser-1",
            secret=b"c" * 20,
            created_at=NOW,
            expires_at=NOW + 600,
        ),
        **fields,
    )


def put(store: Store, account: Account, **change: object) -> Account:
    """Commit one account with an event, so that it has a chain."""
    events = (event("account_seen" if not account.version else "verified", account),)
    return store.commit(replace(Change(account=account, events=events), **change), NOW)


def kinds(store: Store, account: str | None = None) -> list[str]:
    """The kinds of all events of a chain, oldest first."""
    found = store.events(account_id=account, kind=None, before=None, limit=10_000)
    return [recorded.event.kind for recorded in reversed(found)]


def heard(feed: Feed, number: int) -> set[str]:
    """What the feed names until it has named so many; a change is told within a moment, not at once."""
    names: set[str] = set()
    for _ in range(20):
        names |= set(feed.poll(0.25) or ())
        if len(names) >= number:
            break
    return names


def at_once(number: int, act: Callable[[int], T]) -> list[T | MfaGateError]:
    """`act(0) … act(number - 1)` in as many threads, started together; what each returned or raised."""
    start = threading.Barrier(number)

    def run(index: int) -> T | MfaGateError:
        start.wait()
        try:
            return act(index)
        except MfaGateError as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


class StoreContract(ABC):
    """Subclass it as `Test…`, with `make` and `reopen`; both must be callable in a fresh process, too."""

    @abstractmethod
    def make(self, place: Path) -> Backend:
        """A new store that belongs to this folder."""

    @abstractmethod
    def reopen(self, place: Path) -> Backend:
        """One more client of the store that `make` has made there."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        made = self.make(tmp_path)
        yield made
        made.close()

    # Facts

    def test_nobody_is_nobody(self, store: Backend) -> None:
        facts = store.facts(account_id("portal", "nobody"), "key", NOW)
        assert (facts.account, facts.session) == (None, None)
        assert facts.policy_version == store.policy().version
        assert store.account(account_id("portal", "nobody")) is None
        assert store.sessions(account_id("portal", "nobody"), NOW) == ()

    def test_an_account_comes_back_as_it_was_written(self, store: Backend, tmp_path: Path) -> None:
        written = store.commit(
            Change(
                account=person(
                    "Ålice ✓",
                    name="Alice",
                    email="alice@example.org",
                    groups=("nurses", "ward 3"),
                    totps=(totp(recent=((NOW - 3, "s-1"), (NOW - 1, "s-1")), shares=(("s-1", 2),)),),
                    recovery=RecoveryCodes(made_at=NOW, hashes=(b"\0\xff", b"2"), total=10),
                    setup_code=SetupCode(code_hash=b"h", expires_at=NOW + 9),
                    epoch=7,
                    two_step_since=NOW,
                )
            ),
            NOW,
        )
        assert written.version == 1
        assert store.account(written.id) == written
        other = self.reopen(tmp_path)
        assert other.facts(written.id, None, NOW).account == written
        other.close()

    def test_facts_bring_account_session_and_policy_version_together(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        facts = store.facts(alice.id, "k1", NOW + 1)
        assert facts.account == alice
        assert facts.session == session(alice, "k1")
        assert store.facts(alice.id, None, NOW).session is None
        assert store.facts(alice.id, "k2", NOW).session is None

    def test_an_expired_session_is_none_at_its_very_second(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1", expires_at=NOW + 10))
        assert store.facts(alice.id, "k1", NOW + 9).session
        assert store.facts(alice.id, "k1", NOW + 10).session is None
        assert store.sessions(alice.id, NOW + 10) == ()

    def test_a_session_is_found_for_its_own_account_only(self, store: Backend) -> None:
        put(store, person("alice"), open_session=session(person("alice"), "k1"))
        bob = put(store, person("bob"))
        assert store.facts(bob.id, "k1", NOW).session is None

    # Commits

    def test_each_commit_raises_the_version_by_one(self, store: Backend) -> None:
        first = put(store, person("alice"))
        second = put(store, replace(first, name="Alice"))
        assert (first.version, second.version) == (1, 2)
        assert store.account(first.id) == second

    @pytest.mark.parametrize("version", [0, 1, 3, 99])
    def test_a_commit_on_another_version_changes_nothing(self, store: Backend, version: int) -> None:
        second = put(store, put(store, person("alice"), open_session=session(person("alice"), "k1")))
        before = kinds(store)
        with pytest.raises(StaleState):
            put(
                store,
                replace(second, version=version, name="Mallory"),
                open_session=session(second, "k2"),
                end_sessions="all",
                open_challenge=challenge(second, "c1"),
            )
        assert store.account(second.id) == second
        assert [each.key for each in store.sessions(second.id, NOW)] == ["k1"]
        assert store.challenge("c1", second.id, NOW) is None
        assert kinds(store) == before

    def test_a_version_of_an_account_that_was_never_stored_is_stale(self, store: Backend) -> None:
        with pytest.raises(StaleState):
            put(store, person("alice", version=1))
        assert store.account(person("alice").id) is None

    def test_events_join_the_chain_in_order(self, store: Backend) -> None:
        alice = person("alice")
        events = (
            event("account_seen", alice),
            event("factor_added", alice, name="Phone"),
            event("verified", alice),
        )
        store.commit(Change(account=alice, events=events), NOW)
        found = store.events(account_id=alice.id, kind=None, before=None, limit=10)
        assert [recorded.event for recorded in reversed(found)] == list(events)
        assert store.broken_chain() is None

    def test_a_commit_without_events_writes_the_document(self, store: Backend) -> None:
        alice = store.commit(Change(account=person("alice")), NOW)
        assert store.account(alice.id) == alice
        assert store.broken_chain() is None

    @pytest.mark.parametrize("what", ["event", "session", "challenge"])
    def test_what_belongs_to_another_account_is_refused(self, store: Backend, what: str) -> None:
        alice, bob = put(store, person("alice")), person("bob")
        wrong: dict[str, Change] = {
            "event": Change(account=alice, events=(event("verified", alice), event("verified", bob))),
            "session": Change(account=alice, open_session=session(bob, "k1")),
            "challenge": Change(account=alice, open_challenge=challenge(bob, "c1")),
        }
        before = kinds(store)
        with pytest.raises(ValueError, match=bob.id):
            store.commit(wrong[what], NOW)
        assert store.account(alice.id) == alice
        assert kinds(store) == before

    def test_a_value_that_could_not_be_read_again_is_not_written(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        with pytest.raises(msgspec.ValidationError):
            put(store, replace(alice, reset_at="soon"))
        assert store.account(alice.id) == alice
        assert kinds(store, alice.id) == ["account_seen"]

    # Sessions

    def test_sessions_are_listed_newest_first(self, store: Backend) -> None:
        alice = person("alice")
        for key in ("k1", "k2", "k3"):
            alice = put(store, alice, open_session=session(alice, key))
        assert [each.key for each in store.sessions(alice.id, NOW)] == ["k3", "k2", "k1"]

    def test_the_oldest_sessions_give_way_at_the_cap(self, store: Backend) -> None:
        alice = person("alice")
        for number in range(CAP + 2):
            alice = put(store, alice, open_session=session(alice, f"k{number}"))
        keys = [each.key for each in store.sessions(alice.id, NOW)]
        assert keys == [f"k{number}" for number in range(CAP + 1, 1, -1)]

    def test_a_clock_set_back_does_not_make_the_newest_session_the_oldest(self, store: Backend) -> None:
        alice = person("alice")
        for number in range(CAP):
            alice = put(store, alice, open_session=session(alice, f"k{number}"))
        alice = put(store, alice, open_session=session(alice, "late", created_at=NOW - 7200))
        assert store.facts(alice.id, "late", NOW).session
        assert store.facts(alice.id, "k0", NOW).session is None

    @pytest.mark.parametrize(
        ("end", "left"), [((), ["k2", "k1"]), (("k1", "unknown"), ["k2"]), (("k1", "k2"), []), ("all", [])]
    )
    def test_a_commit_ends_the_sessions_that_it_names(
        self, store: Backend, end: tuple[str, ...] | Literal["all"], left: list[str]
    ) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        alice = put(store, alice, open_session=session(alice, "k2"))
        bob = put(store, person("bob"), open_session=session(person("bob"), "k1"))
        put(store, alice, end_sessions=end)
        assert [each.key for each in store.sessions(alice.id, NOW)] == left
        assert [each.key for each in store.sessions(bob.id, NOW)] == ["k1"]

    def test_all_are_ended_before_one_is_opened(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        put(store, alice, end_sessions="all", open_session=session(alice, "k2"))
        assert [each.key for each in store.sessions(alice.id, NOW)] == ["k2"]

    def test_a_new_epoch_takes_older_sessions_and_challenges_away(self, store: Backend) -> None:
        alice = put(
            store,
            person("alice"),
            open_session=session(person("alice"), "k1"),
            open_challenge=challenge(person("alice"), "c1"),
        )
        alice = replace(alice, epoch=2)
        alice = put(store, alice, open_session=session(alice, "k2"))
        assert [each.key for each in store.sessions(alice.id, NOW)] == ["k2"]
        assert store.challenge("c1", alice.id, NOW) is None

    def test_ending_a_session_records_why_and_leaves_the_document(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        store.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW)
        assert store.facts(alice.id, "k1", NOW).session is None
        assert store.account(alice.id) == alice
        assert kinds(store, alice.id) == ["account_seen", "signed_out"]
        assert put(store, alice).version == 2
        assert store.broken_chain() is None

    def test_ending_a_dead_session_records_nothing(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        store.end_session(session(alice, "other"), (event("signed_out", alice),), NOW)
        store.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW + 3600)
        store.end_session(session(person("never"), "k1"), (event("signed_out", person("never")),), NOW)
        assert kinds(store, alice.id) == ["account_seen"]

    def test_a_touch_moves_the_idle_clock_forward_and_never_back(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        bob = put(store, person("bob"), open_session=session(person("bob"), "k1"))
        store.touch(((alice.id, "k1"), (bob.id, "k1"), (alice.id, "gone")), NOW + 60)
        store.touch(((alice.id, "k1"),), NOW + 30)
        for account in (alice, bob):
            assert store.sessions(account.id, NOW) == (session(account, "k1", touched_at=NOW + 60),)

    def test_a_touch_wakes_no_expired_session(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        store.touch(((alice.id, "k1"),), NOW + 3600)
        assert store.sessions(alice.id, NOW) == (session(alice, "k1"),)

    # Challenges

    def test_a_challenge_is_seen_by_its_account_while_it_lives(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_challenge=challenge(person("alice"), "c1"))
        bob = put(store, person("bob"))
        assert store.challenge("c1", alice.id, NOW + 599) == challenge(alice, "c1")
        assert store.challenge("c1", alice.id, NOW + 600) is None
        assert store.challenge("c1", bob.id, NOW) is None
        assert store.challenge("c2", alice.id, NOW) is None

    def test_a_challenge_is_spent_once(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_challenge=challenge(person("alice"), "c1"))
        alice = put(store, alice, spend="c1")
        assert store.challenge("c1", alice.id, NOW) is None
        with pytest.raises(StaleState):
            put(store, alice, spend="c1")
        assert store.account(alice.id) == alice

    def test_a_challenge_may_be_put_back_by_the_commit_that_spends_it(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_challenge=challenge(person("alice"), "c1"))
        put(store, alice, spend="c1", open_challenge=challenge(alice, "c1", failures=1))
        assert store.challenge("c1", alice.id, NOW) == challenge(alice, "c1", failures=1)

    def test_a_challenge_is_spent_even_if_the_commit_raises_the_epoch(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_challenge=challenge(person("alice"), "c1"))
        assert put(store, replace(alice, epoch=2), spend="c1").epoch == 2

    @pytest.mark.parametrize("case", ["expired", "of another", "unknown"])
    def test_a_challenge_that_is_not_alive_refuses_the_commit(self, store: Backend, case: str) -> None:
        alice = put(store, person("alice"), open_challenge=challenge(person("alice"), "c1"))
        bob = put(store, person("bob"))
        account, name, now = {
            "expired": (alice, "c1", NOW + 600),
            "of another": (bob, "c1", NOW),
            "unknown": (alice, "c2", NOW),
        }[case]
        before = kinds(store)
        with pytest.raises(StaleState):
            store.commit(Change(account=account, events=(event("verified", account),), spend=name), now)
        assert store.account(account.id) == account
        assert store.challenge("c1", alice.id, NOW)
        assert kinds(store) == before

    def test_the_oldest_challenges_give_way(self, store: Backend) -> None:
        alice = person("alice")
        for number in range(7):
            alice = put(store, alice, open_challenge=challenge(alice, f"c{number}"))
        alive = [number for number in range(7) if store.challenge(f"c{number}", alice.id, NOW)]
        assert alive == [2, 3, 4, 5, 6]

    def test_what_has_expired_is_cleared_away(self, store: Backend) -> None:
        alice = put(
            store,
            person("alice"),
            open_session=session(person("alice"), "k1", expires_at=NOW + 10),
            open_challenge=challenge(person("alice"), "c1", expires_at=NOW + 10),
        )
        put(store, alice, open_session=session(alice, "k2"))
        assert store.expire(NOW + 9) == 0
        assert store.expire(NOW + 10) == 2
        assert [each.key for each in store.sessions(alice.id, NOW)] == ["k2"]

    # Policy

    def test_a_new_store_has_a_policy_that_is_off_and_says_when_it_was_made(self, store: Backend) -> None:
        assert not store.policy().require_two_step
        assert kinds(store) == ["store_created"]

    def test_a_policy_is_written_as_the_next_version(self, store: Backend) -> None:
        before = store.policy()
        after = store.commit_policy(
            replace(before, require_two_step=True, changed_by="root"),
            (event("policy_changed", on="yes"),),
            NOW,
        )
        assert after.version == before.version + 1
        assert store.policy() == after
        assert store.facts("0" * 32, None, NOW).policy_version == after.version
        assert kinds(store, ORG) == ["store_created", "policy_changed"]

    def test_every_policy_is_kept(self, store: Backend) -> None:
        versions = [store.policy()]
        for grace_seconds in (60, 120, 180):
            wanted = replace(versions[-1], grace_seconds=grace_seconds, changed_why=f"{grace_seconds}")
            versions.append(store.commit_policy(wanted, (event("policy_changed"),), NOW))
        newest_first = tuple(reversed(versions))
        assert store.policy_versions(None, 10) == newest_first
        assert store.policy_versions(None, 2) == newest_first[:2]
        assert store.policy_versions(newest_first[1].version, 10) == newest_first[2:]
        assert store.policy_versions(versions[0].version, 10) == ()
        assert store.policy_versions(None, 0) == ()

    def test_a_policy_that_was_not_written_is_not_kept(self, store: Backend) -> None:
        first = store.policy()
        second = store.commit_policy(replace(first, grace_seconds=60), (event("policy_changed"),), NOW)
        with pytest.raises(StaleState):
            store.commit_policy(replace(first, grace_seconds=90), (event("policy_changed"),), NOW)
        assert store.policy_versions(None, 10) == (second, first)

    @pytest.mark.parametrize("behind", [-1, 1])
    def test_a_policy_of_another_version_is_stale(self, store: Backend, behind: int) -> None:
        before = store.policy()
        stale = replace(before, version=before.version + behind, require_two_step=True)
        with pytest.raises(StaleState):
            store.commit_policy(stale, (event("policy_changed"),), NOW)
        assert store.policy() == before
        assert kinds(store) == ["store_created"]

    def test_events_without_a_document_are_recorded(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        store.record((event("act_refused"), event("spelling_refused", alice), event("act_refused")), NOW)
        assert kinds(store, ORG) == ["store_created", "act_refused", "act_refused"]
        assert kinds(store, alice.id) == ["account_seen", "spelling_refused"]
        assert store.account(alice.id) == alice
        assert store.broken_chain() is None

    def test_events_of_somebody_unknown_are_refused(self, store: Backend) -> None:
        with pytest.raises(StoreUnavailable):
            store.record((event("act_refused"), event("spelling_refused", person("nobody"))), NOW)
        assert kinds(store) == ["store_created"]

    # Directory

    def test_people_come_in_the_order_of_their_folded_names_page_by_page(self, store: Backend) -> None:
        names = ["émile", "Zoë", "alice", "Bob", "ALICE", "", "carol", "Åsa"]
        for number, name in enumerate(names):
            put(store, person(f"u{number}", name=name))
        seen: list[str] = []
        after = None
        for _ in range(20):
            page = store.people(EVERYBODY, after=after, limit=3, now=NOW)
            seen += [row.account.name for row in page.rows]
            after = page.next
            if after is None:
                break
            assert len(page.rows) == 3
        assert len(seen) == len(names)
        assert [name.casefold() for name in seen] == [
            "alice",
            "alice",
            "bob",
            "carol",
            "",
            "zoë",
            "åsa",
            "émile",
        ]

    def test_the_last_page_has_no_next(self, store: Backend) -> None:
        for number in range(4):
            put(store, person(f"u{number}"))
        assert store.people(EVERYBODY, limit=4, now=NOW).next is None
        first = store.people(EVERYBODY, limit=2, now=NOW)
        assert store.people(EVERYBODY, after=first.next, limit=2, now=NOW).next is None

    def test_somebody_who_comes_in_between_shifts_no_page(self, store: Backend) -> None:
        for name in ("b", "d", "f"):
            put(store, person(name))
        first = store.people(EVERYBODY, limit=2, now=NOW)
        put(store, person("a"))
        put(store, person("e"))
        rest = store.people(EVERYBODY, after=first.next, limit=9, now=NOW)
        assert [row.account.subject for row in rest.rows] == ["e", "f"]

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [
            ("al", ["alice"]),
            ("AL", ["alice"]),
            ("ALICE@", ["alice"]),
            ("u-7", ["bob"]),
            ("\uff22\uff4f\uff42", ["bob"]),
            ("a", ["alice", "bob"]),
            ("%", []),
            ("' OR 1=1 --", []),
            ("", ["alice", "bob", "carol"]),
        ],
    )
    def test_a_prefix_fits_name_email_or_subject(self, store: Backend, prefix: str, found: list[str]) -> None:
        put(store, person("x-1", name="Alice", email="alice@example.org"))
        put(store, person("u-7", name="Bob", email="aaron@example.org"))
        put(store, person("y-2", name="Carol", email="carol@example.org"))
        page = store.people(Filter(prefix=prefix), limit=9, now=NOW)
        assert [row.account.name.lower() for row in page.rows] == found

    def test_a_search_is_paged_without_repetition(self, store: Backend) -> None:
        for number in range(5):
            put(store, person(f"a{number}", name=f"A{number}", email=f"a{number}@example.org"))
        put(store, person("z", name="Z"))
        seen = []
        after = None
        for _ in range(3):
            page = store.people(Filter(prefix="a"), after=after, limit=2, now=NOW)
            seen += [row.account.subject for row in page.rows]
            after = page.next
        assert seen == ["a0", "a1", "a2", "a3", "a4"]
        assert after is None

    def test_statuses_in_list_and_counters_are_those_of_the_one_predicate(self, store: Backend) -> None:
        paused, locked = {"paused_until": NOW + 100}, {"shares": (("s", 50),)}
        people = [
            person("plain"),
            person("enrolled", totps=(totp(),)),
            person("waits", totps=(totp(**paused),)),
            person("locked", totps=(totp(**locked),)),
            person("disabled", totps=(totp(disabled=True),)),
            person("one-open", totps=(totp(**paused), totp())),
            person(
                "codes-open",
                totps=(totp(**paused),),
                recovery=RecoveryCodes(made_at=1, hashes=(b"h",), total=1),
            ),
            person("gone", active=False),
            person("gone-enrolled", active=False, totps=(totp(**paused),)),
        ]
        accounts = [put(store, each) for each in people]
        for now in (NOW, NOW + 99, NOW + 100, NOW - 5000):  # a pause ends without a write
            wanted: dict[str, set[str]] = {status: set() for status in get_args(Status)}
            for account in accounts:
                wanted[standing(account, store.policy(), now).status].add(account.subject)
            assert store.counts(EVERYBODY, now) == {
                status: len(subjects) for status, subjects in wanted.items()
            }
            for status, subjects in wanted.items():
                page = store.people(Filter(statuses=(status,)), limit=99, now=now)  # type: ignore[arg-type]
                assert {row.account.subject for row in page.rows} == subjects
                assert {row.status for row in page.rows} <= {status}
            everybody = store.people(EVERYBODY, limit=99, now=now)
            assert {row.account.subject: row.status for row in everybody.rows} == {
                subject: status for status, subjects in wanted.items() for subject in subjects
            }

    def test_a_filtered_list_is_paged(self, store: Backend) -> None:
        for number in range(9):
            put(store, person(f"u{number}", totps=(totp(),) if number % 2 else ()))
        first = store.people(Filter(statuses=("enrolled",), prefix="u"), limit=3, now=NOW)
        rest = store.people(Filter(statuses=("enrolled",), prefix="u"), after=first.next, limit=3, now=NOW)
        assert [row.account.subject for row in first.rows + rest.rows] == ["u1", "u3", "u5", "u7"]
        assert rest.next is None

    # Traffic

    def test_traffic_adds_up(self, store: Backend) -> None:
        store.count_traffic({("/api", "basic"): 2, ("/", "none"): 1}, NOW)
        store.count_traffic({("/api", "basic"): 3}, NOW)
        assert store.traffic() == {("/api", "basic"): 5, ("/", "none"): 1}

    def test_traffic_is_bounded(self, store: Backend) -> None:
        store.count_traffic({("/known", "basic"): 1}, NOW)
        store.count_traffic({(f"/{number}", "basic"): 1 for number in range(600)}, NOW)
        store.count_traffic({("/known", "basic"): 1}, NOW)
        assert len(store.traffic()) == 500
        assert store.traffic()["/known", "basic"] == 2

    # Trail

    def test_the_trail_is_read_newest_first_and_filtered(self, store: Backend) -> None:
        alice, bob = put(store, person("alice")), put(store, person("bob"))
        put(store, alice)
        put(store, bob)
        everything = store.events(account_id=None, kind=None, before=None, limit=99)
        positions = [recorded.position for recorded in everything]
        assert positions == sorted(positions, reverse=True)
        assert len(set(positions)) == 5
        assert store.events(account_id=None, kind=None, before=positions[1], limit=2) == everything[2:4]
        verified = store.events(account_id=None, kind="verified", before=None, limit=99)
        assert [recorded.event.subject for recorded in verified] == ["bob", "alice"]
        only = store.events(account_id=alice.id, kind="verified", before=None, limit=99)
        assert [recorded.event.subject for recorded in only] == ["alice"]
        assert store.events(account_id="nobody", kind=None, before=None, limit=9) == ()

    def test_the_latest_of_some_kinds_are_found_below_any_number_of_others(self, store: Backend) -> None:
        alice, bob = put(store, person("alice")), put(store, person("bob"))
        for written in (event("reset", alice), event("turned_off", bob), event("reset", bob)):
            store.record((written,), NOW)
        store.record(tuple(event("verified", alice) for _ in range(40)), NOW)
        latest = store.latest(("reset", "turned_off", "exemption_given"), 9)
        assert [(found.event.kind, found.event.subject) for found in latest] == [
            ("reset", "bob"),
            ("turned_off", "bob"),
            ("reset", "alice"),
        ]
        assert store.latest(("turned_off", "reset"), 2) == latest[:2]
        assert store.latest(("exemption_given",), 2) == ()
        assert store.latest(("verified", "reset"), 3) == store.events(
            account_id=None, kind=None, before=None, limit=3
        )

    def test_the_trail_is_read_from_a_position_on(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        for subject in ("bob", "carol", "dave"):
            alice = put(store, alice)
            put(store, person(subject))
        for account, kind in ((None, None), (None, "verified"), (alice.id, None), (alice.id, "verified")):
            whole = store.events(account_id=account, kind=kind, before=None, limit=99)
            for place, recorded in enumerate(whole):
                after = recorded.position
                found = store.events(account_id=account, kind=kind, before=None, after=after, limit=99)
                assert found == whole[:place]
                found = store.events(account_id=account, kind=kind, before=None, after=after - 1, limit=2)
                assert found == whole[: place + 1][:2]
        whole = store.events(account_id=None, kind=None, before=None, limit=99)
        between = store.events(
            account_id=None, kind=None, before=whole[0].position, after=whole[-1].position, limit=99
        )
        assert whole[0].position > between[0].position > between[-1].position > whole[-1].position

    def test_a_time_is_found_in_the_trail(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        for minute in range(1, 20):
            store.record((replace(event("verified", alice), at=NOW + 60 * minute),), NOW)
        written = {
            recorded.event.at: recorded.position
            for recorded in store.events(account_id=alice.id, kind="verified", before=None, limit=99)
        }
        for minute in range(1, 20):
            for early in (0, 1, 59):
                assert store.position_at(NOW + 60 * minute - early) == written[NOW + 60 * minute]
        first = store.events(account_id=None, kind=None, before=None, limit=99)[-1].position
        assert store.position_at(0) == store.position_at(NOW) == first
        assert store.position_at(NOW + 60 * 19 + 1) is None

    def test_a_long_trail_of_many_accounts_is_whole(self, store: Backend) -> None:
        for subject in ("alice", "bob", "carol"):
            account = person(subject)
            for _ in range(5):
                account = put(store, account)
        store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
        assert store.broken_chain() is None

    # Feed

    def test_the_feed_names_what_changed(self, store: Backend) -> None:
        feed = store.feed()
        assert feed.poll(0) == ()
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        bob = put(store, person("bob"))
        put(store, alice)
        assert heard(feed, 2) == {alice.id, bob.id}
        assert feed.poll(0) == ()
        store.commit_policy(store.policy(), (), NOW)
        store.end_session(session(alice, "k1"), (), NOW)
        assert heard(feed, 2) == {alice.id, "policy"}

    def test_the_feed_names_nothing_that_did_not_happen(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        feed = store.feed()
        with pytest.raises(StaleState):
            put(store, person("alice"))
        store.end_session(session(alice, "gone"), (), NOW)
        store.touch(((alice.id, "k1"),), NOW + 1)
        store.record((event("act_refused"),), NOW)
        assert feed.poll(0.1) == ()

    def test_the_feed_tells_one_process_what_another_does(self, store: Backend, tmp_path: Path) -> None:
        other = self.reopen(tmp_path)
        feeds = [store.feed(), other.feed(), other.feed()]
        alice = put(store, person("alice"))
        assert [heard(feed, 1) for feed in feeds] == [{alice.id}] * 3
        other.commit_policy(store.policy(), (), NOW)
        assert [heard(feed, 1) for feed in feeds] == [{"policy"}] * 3
        other.close()

    def test_the_feed_wakes_up_for_a_change(self, store: Backend) -> None:
        feed = store.feed()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(feed.poll, 30)
            alice = put(store, person("alice"))
            assert waiting.result(timeout=10) == (alice.id,)

    def test_the_feed_wakes_up_when_it_is_told_to(self, store: Backend) -> None:
        feed = store.feed()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(feed.poll, 30)
            while not wait((waiting,), timeout=0.05).done:
                feed.wake()
            assert waiting.exception() is None

    # Leases

    def test_a_lease_is_held_by_one_until_its_end(self, store: Backend, tmp_path: Path) -> None:
        mine = store.lease("mail", "me", 30, NOW)
        assert mine == Lease(name="mail", holder="me", token=1, until=NOW + 30)
        other = self.reopen(tmp_path)
        assert other.lease("mail", "you", 30, NOW + 29) is None
        assert other.lease("archive", "you", 30, NOW)
        assert store.still_holds(mine, NOW + 29)
        yours = other.lease("mail", "you", 30, NOW + 30)
        assert yours == Lease(name="mail", holder="you", token=2, until=NOW + 60)
        assert not store.still_holds(mine, NOW + 31)
        assert store.still_holds(yours, NOW + 31)
        assert store.lease("mail", "me", 30, NOW + 31) is None
        other.close()

    def test_a_lease_is_renewed_by_its_holder(self, store: Backend) -> None:
        first = store.lease("mail", "me", 30, NOW)
        again = store.lease("mail", "me", 30, NOW + 20)
        assert again == Lease(name="mail", holder="me", token=1, until=NOW + 50)
        assert first
        assert store.still_holds(first, NOW + 40)
        assert store.lease("mail", "you", 30, NOW + 49) is None

    def test_nobody_holds_a_lease_that_was_never_taken(self, store: Backend) -> None:
        assert not store.still_holds(Lease(name="mail", holder="me", token=0, until=NOW), NOW)

    def test_of_many_who_want_a_lease_one_gets_it(self, store: Backend) -> None:
        taken = at_once(20, lambda number: store.lease("mail", f"worker {number}", 30, NOW))
        assert len([lease for lease in taken if lease]) == 1

    # Jobs

    def test_when_jobs_were_last_done_is_kept(self, store: Backend, tmp_path: Path) -> None:
        assert store.last_runs() == {}
        store.note_run("mail", NOW)
        store.note_run("sign", NOW)
        store.note_run("mail", NOW + 60)
        other = self.reopen(tmp_path)
        assert other.last_runs() == {"mail": NOW + 60, "sign": NOW}
        other.close()

    def test_nothing_lags_behind_a_policy_that_was_committed(self, store: Backend) -> None:
        store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
        assert store.repair() == 0

    # Being closed

    def test_what_was_written_is_there_after_closing(self, store: Backend, tmp_path: Path) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        store.close()
        again = self.reopen(tmp_path)
        assert again.store_id == store.store_id
        assert again.account(alice.id) == alice
        assert again.sessions(alice.id, NOW) == (session(alice, "k1"),)
        again.close()
        assert put(store, alice).version == 2
        assert store.broken_chain() is None

    # Races

    def test_d02_of_a_hundred_commits_on_one_version_one_succeeds(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        results = at_once(100, lambda number: put(store, replace(alice, name=str(number))))
        won = [each for each in results if isinstance(each, Account)]
        assert [type(each) for each in results if not isinstance(each, Account)] == [StaleState] * 99
        assert store.account(alice.id) == won[0]
        assert kinds(store, alice.id) == ["account_seen", "verified"]

    def test_of_many_first_commits_one_succeeds(self, store: Backend) -> None:
        results = at_once(20, lambda number: put(store, person("alice", name=str(number))))
        assert sum(isinstance(each, Account) for each in results) == 1
        assert kinds(store, person("alice").id) == ["account_seen"]

    def test_commits_on_different_accounts_do_not_hinder_each_other(self, store: Backend) -> None:
        results = at_once(40, lambda number: put(store, person(f"u{number}")))
        assert all(isinstance(each, Account) for each in results)
        assert (store.counts(EVERYBODY, NOW) or {})["missing"] == 40
        assert store.broken_chain() is None

    def test_a_session_is_ended_once(self, store: Backend) -> None:
        alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
        at_once(10, lambda _: store.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW))
        assert kinds(store, alice.id) == ["account_seen", "signed_out"]

    def test_of_many_policies_one_is_written(self, store: Backend) -> None:
        policy = store.policy()
        results = at_once(10, lambda _: store.commit_policy(policy, (event("policy_changed"),), NOW))
        assert sum(isinstance(each, Policy) for each in results) == 1
        assert kinds(store, ORG) == ["store_created", "policy_changed"]

    def test_d01_four_processes_spend_one_challenge_once(
        self, store: Backend, tmp_path: Path, scale: str
    ) -> None:
        rounds = 25 if scale == "small" else 500
        for number in range(rounds):
            owner = person(f"u{number}")
            put(store, owner, open_challenge=challenge(owner, "c1"))
        spawn = multiprocessing.get_context("spawn")
        start, answers = spawn.Barrier(4), spawn.SimpleQueue()
        racers = [
            spawn.Process(target=_race, args=(self, tmp_path, rounds, start, answers)) for _ in range(4)
        ]
        for racer in racers:
            racer.start()
        won = [answers.get() for _ in racers]
        for racer in racers:
            racer.join()
        assert [sum(each) for each in zip(*won, strict=True)] == [1] * rounds
        assert (
            store.events(account_id=None, kind="factor_added", before=None, limit=9999)[rounds - 1 :][1:]
            == ()
        )
        assert store.broken_chain() is None


def _race(
    contract: StoreContract, place: Path, rounds: int, start: Barrier, answers: "SimpleQueue[list[bool]]"
) -> None:
    """Try to spend the challenge of each account, at the same moment as three others, until it is gone."""
    store = contract.reopen(place)
    won = []
    for number in range(rounds):
        start.wait()
        won.append(_spent(store, person(f"u{number}").id))
    answers.put(won)
    store.close()


def _spent(store: Backend, owner: str) -> bool:
    while store.challenge("c1", owner, NOW):
        account = store.account(owner)
        assert account
        try:
            store.commit(Change(account=account, events=(event("factor_added", account),), spend="c1"), NOW)
        except StaleState:
            continue
        return True
    return False
