"""A roster is compared, put in force by one move, and reaches every account: all of it or nothing, whoever dies."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.roster import RosterHead
from mfa_gate.flows.importing import GOOD_SECONDS, SHOWN, StillSettling, TooLate
from mfa_gate.flows.settling import AT_ONCE, FEWEST, KEPT_SECONDS, Settling
from mfa_gate.ports import Change, Plan
from tests.flows.house import NOW, House
from tests.flows.importer import Written, compared, importing_of, row, settle

TOP = Path(__file__).parents[2]
ADMIN = Actor(subject="root", surface="shell")


def put_in_force(house: House, *rows: object, now: int = NOW) -> RosterHead:
    preview = compared(house.store, *rows, now=now)  # type: ignore[arg-type]
    head = importing_of(house.store).confirm(preview, ADMIN, "because", now, digest="ab12")
    assert isinstance(head, RosterHead)
    return head


def facts(house: House, subject: str) -> Account | None:
    return house.store.facts(row(subject).account_id, None, NOW).account


def stored(house: House, subject: str) -> Account | None:
    return house.store.account(row(subject).account_id)


def test_what_a_first_roster_would_do(house: House) -> None:
    house.visitor("alice")
    house.visitor("bob")
    preview = compared(house.store, row("alice"), row("bob", active=False), row("zoe"), now=NOW)
    assert preview.counts == {"added": 2, "changed": 0, "deactivated": 1, "unchanged": 0}
    assert {kind: [each.subject for each in rows] for kind, rows in preview.shown.items()} == {
        "added": ["alice", "zoe"],
        "changed": [],
        "deactivated": ["bob"],
    }
    assert (preview.people, preview.listed, preview.rows, preview.wants_confirmation) == (3, 0, 3, True)
    assert facts(house, "zoe") is None


def test_what_the_next_one_would_do(house: House) -> None:
    crowd = [row(f"user-{number}") for number in range(60)]
    put_in_force(house, *crowd, replace(row("else"), realm="other"))
    settle(house.store, NOW)
    changed = [*crowd[:57], replace(crowd[57], email="new@example.com"), row("zoe")]
    preview = compared(house.store, *changed, now=NOW)
    assert preview.counts == {"added": 1, "changed": 1, "deactivated": 2, "unchanged": 57}
    assert {each.subject for each in preview.shown["deactivated"]} == {"user-58", "user-59"}
    assert preview.listed == 61
    assert not preview.wants_confirmation
    assert compared(house.store, *crowd[:50], now=NOW).wants_confirmation
    assert len(compared(house.store, *crowd[:30], now=NOW).shown["deactivated"]) == SHOWN


def test_whoever_administers_is_named(house: House) -> None:
    crowd = [row(f"user-{number}") for number in range(60)]
    put_in_force(house, *crowd, row("root"))
    settle(house.store, NOW)
    preview = compared(house.store, *crowd, now=NOW)
    assert preview.administrators == ("root",)
    assert preview.wants_confirmation


def test_it_is_true_at_once_and_reaches_the_accounts_after(house: House) -> None:
    house.visitor("alice")
    head = put_in_force(house, row("alice", active=False), row("zoe", email="z@example.com"))
    assert (head.number, head.rows) == (1, 2)
    alice, zoe = facts(house, "alice"), facts(house, "zoe")
    assert alice is not None
    assert not alice.active
    assert zoe is not None
    assert (zoe.version, zoe.email) == (0, "z@example.com")
    assert stored(house, "zoe") is None
    settle(house.store, NOW + 1)
    assert house.store.roster.head() == RosterHead(number=2)
    for subject in ("alice", "zoe"):
        account = stored(house, subject)
        assert account is not None
        assert account == facts(house, subject)
        assert account.listing is not None
        assert account.active == (subject == "zoe")
    imported, settled = (
        each.event for each in reversed(house.store.events(account_id=ORG, kind=None, before=None, limit=2))
    )
    assert (imported.kind, imported.actor) == ("roster_imported", ADMIN)
    assert imported.details["sha256"] == "ab12"
    assert (settled.kind, settled.details) == ("roster_settled", {"roster": "1"})
    assert house.store.broken_chain() is None


def test_whoever_comes_in_between_is_somebody_of_the_roster_too(house: House) -> None:
    put_in_force(house, row("zoe", email="z@example.com"))
    house.visitor("zoe")
    settle(house.store, NOW)
    zoe = stored(house, "zoe")
    assert zoe is not None
    assert (zoe.first_seen_at, zoe.email, zoe.name) == (NOW, "z@example.com", "Zoe")


def test_the_next_import_waits_until_every_account_was_told(house: House) -> None:
    put_in_force(house, row("zoe"))
    answer = importing_of(house.store).compare(Written(row("bob")), NOW, keep=True, progress=lambda _: None)
    assert answer == StillSettling()
    settle(house.store, NOW)
    assert compared(house.store, row("bob"), now=NOW).counts["added"] == 1


def test_of_two_previews_one_counts(house: House) -> None:
    first, second = (compared(house.store, row(each), now=NOW) for each in ("alice", "bob"))
    importing = importing_of(house.store)
    assert isinstance(importing.confirm(first, ADMIN, "", NOW), RosterHead)
    assert importing.confirm(second, ADMIN, "", NOW) == TooLate()
    importing.forget(second)
    assert facts(house, "bob") is None


def test_a_preview_that_is_too_old_counts_for_nothing(house: House) -> None:
    importing = importing_of(house.store)
    preview = compared(house.store, row("alice"), now=NOW)
    for late in (NOW + GOOD_SECONDS + 1, NOW - 1):
        assert importing.confirm(preview, ADMIN, "", late) == TooLate()
    assert house.store.roster.head() == RosterHead()
    assert isinstance(importing.confirm(preview, ADMIN, "", NOW + GOOD_SECONDS), RosterHead)


def test_one_that_changes_nothing_is_noted_and_needs_no_telling(house: House) -> None:
    put_in_force(house, row("alice"))
    settle(house.store, NOW)
    assert put_in_force(house, row("alice")) == RosterHead(number=3)
    assert compared(house.store, row("alice"), now=NOW, keep=False).counts["unchanged"] == 1


def test_rows_of_imports_that_are_over_are_forgotten_later(house: House) -> None:
    compared(house.store, row("never-confirmed"), now=NOW)
    put_in_force(house, row("alice"))
    settle(house.store, NOW)
    settle(house.store, NOW + KEPT_SECONDS)
    assert len(house.store.roster.stagings()) == 2
    settle(house.store, NOW + KEPT_SECONDS + 1)
    assert house.store.roster.stagings() == {}


def test_a_turn_ends_in_time_and_the_next_goes_on(house: House) -> None:
    crowd = [row(f"user-{number}") for number in range(2 * AT_ONCE + 1)]
    put_in_force(house, *crowd)
    ticking = iter(range(0, 10_000, 30))
    settling = Settling(house.store.roster, monotonic=lambda: float(next(ticking)))
    assert not settling.turn(NOW)
    assert settling.told == AT_ONCE
    assert not settling.turn(NOW)
    assert settling.told == AT_ONCE + FEWEST, "a store that is busy for long is asked for less"
    while not settling.turn(NOW):
        pass
    assert settling.told == len(crowd)
    assert house.store.roster.head().import_id == ""


def test_rows_that_somebody_took_out_are_missed(house: House) -> None:
    head = put_in_force(house, row("alice"))
    house.store.roster.move(replace(head, rows=3), (), NOW)
    settle(house.store, NOW)
    (told,) = house.store.events(account_id=ORG, kind="roster_settled", before=None, limit=9)
    assert told.event.details["missing"] == "2"


class Racing:
    """A roster whose accounts somebody else changes first, so many times."""

    def __init__(self, house: House, times: int) -> None:
        self._house = house
        self._left = times

    def __getattr__(self, name: str) -> object:
        return getattr(self._house.store.roster, name)

    def rewrite_each(self, account_ids: tuple[str, ...], plan: Plan, now: int) -> tuple[str, ...]:
        found = self._house.store.roster.accounts(account_ids)
        if self._left and account_ids:
            self._left -= 1
            account = self._house.account("alice")
            self._house.store.commit(Change(account=account), now)
        return self._house.store.roster.rewrite_each(
            account_ids, lambda account_id, _: plan(account_id, found.get(account_id)), now
        )


def test_whoever_changes_an_account_meanwhile_is_waited_for(house: House) -> None:
    house.visitor("alice")
    put_in_force(house, row("alice", active=False))
    told: list[str] = []
    racing = Settling(Racing(house, 3), monotonic=lambda: 0.0, changed=told.append)  # type: ignore[arg-type]
    assert racing.turn(NOW)
    assert not house.account("alice").active
    assert set(told) == {row("alice").account_id}


def test_but_not_for_ever(house: House) -> None:
    house.visitor("alice")
    put_in_force(house, row("alice", active=False))
    racing = Settling(Racing(house, 5), monotonic=lambda: 0.0)  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        racing.turn(NOW)
    assert racing.turn(NOW), "and the next turn goes through the same ones again"
    assert not house.account("alice").active
    (told,) = house.store.events(account_id=ORG, kind="roster_settled", before=None, limit=9)
    assert told.event.details == {"roster": "1"}


class Overtaken:
    """A roster that somebody else has settled by the time this one would say so."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __getattr__(self, name: str) -> object:
        return getattr(self._house.store.roster, name)

    def move(self, head: RosterHead, events: tuple[Event, ...], now: int) -> RosterHead:
        settle(self._house.store, now)
        return self._house.store.roster.move(head, events, now)


def test_of_two_who_finish_one_says_so(house: House) -> None:
    put_in_force(house, row("alice"))
    assert Settling(Overtaken(house), monotonic=lambda: 0.0).turn(NOW)  # type: ignore[arg-type]
    found = house.store.events(account_id=ORG, kind="roster_settled", before=None, limit=9)
    assert len(found) == 1


def test_w19_killed_in_the_middle_of_an_import_it_is_in_force_for_everybody_or_for_nobody(
    house: House, tmp_path: Path
) -> None:
    house.visitor("alice")
    house.store.close()
    said = subprocess.run(
        [sys.executable, "-m", "tests.flows.importer", str(tmp_path), str(NOW)],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = [json.loads(line) for line in said.splitlines()]
    nothing = {"in_force": False, "at_once": [True, None, None], "settled": [[True, False], None, None]}
    everything = {
        "in_force": True,
        "at_once": [False, True, True],
        "settled": [[False, True], [True, True], [True, True]],
    }
    assert [each.pop("broken") for each in found] == [None] * len(found)
    moved_at = found.index(everything)
    assert found == [nothing] * moved_at + [everything] * (len(found) - moved_at)
    assert min(moved_at, len(found) - moved_at) > 5, "killed at many places before and after"
