"""What every store does with the rows of a roster, in sentences of `ports.Roster`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import MfaGateError, StaleState
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import Filter
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Change
from mfa_gate.stores.sealing import Sealer
from tests.stores.contract import ADMIN, NOW, Backend, at_once, event, heard, kinds, person, put, session
from tests.stores.files import sealer
from tests.stores.outbox_contract import BOTH_KEYS


def row(subject: str, **fields: object) -> RosterRow:
    return replace(RosterRow(realm="portal", subject=subject, name=subject.title()), **fields)


def everything(store: Backend, import_id: str) -> dict[str, RosterRow]:
    """All staged rows of an import, by subject."""
    found: dict[str, RosterRow] = {}
    after: str | None = None
    while True:
        after, part = store.roster.staged(import_id, after, 10)
        found |= {each.subject: each for each in part}
        if after is None:
            return found


def put_in_force(store: Backend, import_id: str, rows: int) -> RosterHead:
    head = replace(store.roster.head(), import_id=import_id, rows=rows)
    return store.roster.move(head, (event("roster_imported"),), NOW)


class RosterContract(ABC):
    """Subclass it as `Test…`, with `make` and `reopen`."""

    @abstractmethod
    def make(self, place: Path) -> Backend:
        """A new store that belongs to this folder."""

    @abstractmethod
    def reopen(self, place: Path, keys: Sealer) -> Backend:
        """One more client of it, with these keys."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        made = self.make(tmp_path)
        yield made
        made.close()

    def test_a_new_store_has_no_roster(self, store: Backend) -> None:
        assert store.roster.head() == RosterHead()
        assert store.roster.stagings() == {}
        assert everything(store, "i1") == {}
        store.roster.drop("i1")

    def test_rows_are_kept_as_they_are_and_count_for_nothing(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        wanted = [
            row("alice", active=False),
            row("zoë", email="z@example.com", groups=("staff", "ward, 3"), name="Zoë Ünal"),
            *(row(f"user-{number}") for number in range(50)),
        ]
        store.roster.stage("i1", tuple(wanted[:20]), NOW)
        store.roster.stage("i1", tuple(wanted[20:]), NOW + 9)
        store.roster.stage("other", (row("bob"),), NOW + 1)
        assert everything(store, "i1") == {each.subject: each for each in wanted}
        assert everything(store, "other") == {"bob": row("bob")}
        assert store.roster.stagings() == {"i1": NOW, "other": NOW + 1}
        assert store.facts(alice.id, None, NOW).account == alice
        assert store.facts(person("zoë").id, None, NOW).account is None

    def test_a_row_that_comes_again_takes_the_place_of_the_first(self, store: Backend) -> None:
        store.roster.stage("i1", (row("alice"),), NOW)
        store.roster.stage("i1", (row("alice", name="Alice M."),), NOW)
        assert everything(store, "i1") == {"alice": row("alice", name="Alice M.")}

    def test_it_becomes_true_by_moving_the_pointer_for_every_client_at_once(
        self, store: Backend, tmp_path: Path
    ) -> None:
        alice, bob = put(store, person("alice")), put(store, person("bob"))
        other = self.reopen(tmp_path, sealer())
        assert other.facts(alice.id, None, NOW).account == alice
        feed = other.feed()
        feed.poll(0)
        store.roster.stage("i1", (row("alice", active=False), row("carol", email="c@example.com")), NOW)
        moved = put_in_force(store, "i1", 2)
        assert moved == RosterHead(number=1, import_id="i1", rows=2) == other.roster.head()
        assert "*" in heard(feed, 1)
        found = other.facts(alice.id, None, NOW).account
        assert found is not None
        assert not found.active
        new = other.facts(person("carol").id, None, NOW).account
        assert new is not None
        assert (new.version, new.first_seen_at, new.email, new.subject) == (0, 0, "c@example.com", "carol")
        assert other.facts(bob.id, None, NOW).account == bob
        assert other.account(alice.id) == alice
        # What the roster says is told, and not remembered as what a commit begins with.
        assert other.facts(alice.id, None, NOW, to_change=True).account == found
        assert other.recall(alice.id) in {None, alice}
        assert kinds(store, ORG)[-1] == "roster_imported"
        assert store.broken_chain() is None
        other.close()

    def test_once_everybody_was_told_the_rows_count_for_nothing_again(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        store.roster.stage("i1", (row("alice", active=False),), NOW)
        moved = put_in_force(store, "i1", 1)
        settled = store.roster.move(RosterHead(number=moved.number), (event("roster_settled"),), NOW)
        assert settled == RosterHead(number=2)
        assert store.facts(alice.id, None, NOW).account == alice
        store.roster.drop("i1")
        assert everything(store, "i1") == {}
        assert store.roster.stagings() == {}

    def test_what_is_in_force_is_not_dropped(self, store: Backend) -> None:
        store.roster.stage("i1", (row("alice"),), NOW)
        put_in_force(store, "i1", 1)
        with pytest.raises(StaleState):
            store.roster.drop("i1")
        assert everything(store, "i1") == {"alice": row("alice")}

    def test_of_many_who_move_it_one_does(self, store: Backend) -> None:
        def move(number: int) -> RosterHead:
            return store.roster.move(RosterHead(import_id=f"i{number}"), (event("roster_imported"),), NOW)

        done = [each for each in at_once(6, move) if not isinstance(each, MfaGateError)]
        assert done == [store.roster.head()]
        assert kinds(store, ORG).count("roster_imported") == 1
        with pytest.raises(StaleState):
            store.roster.move(RosterHead(number=9), (), NOW)

    def test_a_policy_that_changes_leaves_the_roster_in_force(self, store: Backend, tmp_path: Path) -> None:
        store.roster.stage("i1", (row("alice", active=False),), NOW)
        put_in_force(store, "i1", 1)
        changed = store.commit_policy(replace(store.policy(), require_two_step=True), (), NOW)
        other = self.reopen(tmp_path, sealer())
        found = other.facts(person("alice").id, None, NOW)
        assert found.policy_version == changed.version
        assert found.account is not None
        assert not found.account.active
        other.close()

    def test_many_accounts_are_read_and_committed_each_by_itself(self, store: Backend) -> None:
        stale = put(store, person("alice"))
        put(store, stale)
        made = [listed(None, row(f"user-{number}"), 1, ADMIN, NOW) for number in range(250)]
        changes = {account.id: Change(account=account, events=events) for account, events in made}
        ids = tuple(changes)
        changes[stale.id] = Change(account=stale)

        def plan(account_id: str, account: Account | None) -> Change | None:
            assert (account is None) == (account_id != stale.id)
            return changes.get(account_id)

        assert store.roster.rewrite_each((*changes, person("nobody").id), plan, NOW) == (stale.id,)
        found = store.roster.accounts((*ids, person("nobody").id))
        assert found == {account.id: replace(account, version=1) for account, _ in made}
        assert store.roster.accounts(()) == {}
        assert store.roster.rewrite_each((), plan, NOW) == ()
        assert (store.counts(Filter(), NOW) or {})["missing"] == 251
        assert store.broken_chain() is None

    def test_whoever_is_rewritten_among_many_loses_and_keeps_what_any_commit_takes_and_leaves(
        self, store: Backend
    ) -> None:
        alice, bob = (put(store, person(each, groups=("staff",))) for each in ("alice", "bob"))
        for each in (alice, bob):
            put(store, store.account(each.id) or each, open_session=session(each, f"k-{each.subject}"))
        found = {each.id: store.account(each.id) or each for each in (alice, bob)}
        changes = {
            alice.id: Change(
                account=replace(found[alice.id], active=False, epoch=2), events=(event("deactivated", alice),)
            ),
            bob.id: Change(account=replace(found[bob.id], groups=("nurses",)), events=()),
        }
        made = (person(f"user-{number}", groups=("nurses",)) for number in range(60))
        changes |= {each.id: Change(account=each, events=(event("account_listed", each),)) for each in made}
        assert store.roster.rewrite_each(tuple(changes), lambda each, _: changes[each], NOW) == ()
        assert store.facts(alice.id, "k-alice", NOW).session is None
        assert store.facts(bob.id, "k-bob", NOW).session is not None
        assert kinds(store, alice.id)[-1] == "deactivated"
        for group, size in (("nurses", 61), ("staff", 0)):
            who = Filter(group=group, statuses=("missing",))
            assert (store.counts(who, NOW) or {})["missing"] == size
            assert len(store.people(who, limit=99, now=NOW).rows) == size
        assert (store.counts(Filter(group="staff"), NOW) or {})["inactive"] == 1
        assert store.broken_chain() is None

    def test_rows_are_sealed_and_sealed_anew(self, store: Backend, tmp_path: Path) -> None:
        newer = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-02"))
        store.roster.stage("i1", tuple(row(f"user-{number}") for number in range(20)), NOW)
        after: str | None = None
        while (step := newer.seals.reseal(after, 10)).next is not None:
            assert step.broken == ()
            after = step.next
        after, needed = None, set[str]()
        while True:
            step = newer.seals.survey(after, 10)
            needed |= set(step.needed)
            after = step.next
            if after is None:
                break
        assert needed == {"2026-02"}
        assert len(everything(newer, "i1")) == 20
        newer.close()
