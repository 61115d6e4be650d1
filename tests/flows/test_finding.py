"""Events found by person, kind and time, on a trail whose clocks do not quite agree."""

import random

import pytest
from msgspec.structs import replace

from mfa_gate.core.events import EventKind
from mfa_gate.flows.finding import CLOCKS_DIFFER_SECONDS, Sought, find, find_all
from mfa_gate.ports import Recorded
from tests.flows.house import NOW, House
from tests.stores.contract import event, person

MINUTES = 60 * 5


@pytest.fixture
def trail(house: House) -> tuple[Recorded, ...]:
    """Hours in which something happened every minute, written by two hosts; newest first."""
    alice, bob = (house.visitor(subject).account.id for subject in ("alice", "bob"))
    names = {alice: "alice", bob: "bob"}
    chance = random.Random(7)
    for minute in range(MINUTES):
        account = (alice, bob)[minute % 2]
        at = NOW + 60 * minute + chance.randrange(CLOCKS_DIFFER_SECONDS)
        kind: EventKind = "verified" if minute % 3 else "code_rejected"
        house.store.record((replace(event(kind, person(names[account])), at=at),), at)
    return house.store.events(account_id=None, kind=None, before=None, limit=10_000)


def test_a_range_of_times_holds_exactly_its_events(house: House, trail: tuple[Recorded, ...]) -> None:
    alice = person("alice").id
    chance = random.Random(8)
    for _ in range(60):
        since, until = sorted(chance.randrange(NOW - 3600, NOW + 60 * MINUTES + 3600) for _ in range(2))
        sought = Sought(
            account_id=chance.choice((None, alice)),
            kind=chance.choice((None, "verified")),
            since=chance.choice((None, since)),
            until=chance.choice((None, until)),
        )
        wanted = tuple(
            recorded
            for recorded in trail
            if sought.covers(recorded.event.at)
            and sought.account_id in {None, recorded.event.account_id}
            and sought.kind in {None, recorded.event.kind}
        )
        assert tuple(find_all(house.store, sought)) == wanted


def test_a_range_is_paged_without_a_gap(house: House, trail: tuple[Recorded, ...]) -> None:
    sought = Sought(since=NOW + 3600, until=NOW + 4 * 3600)
    found: list[Recorded] = []
    before = None
    while True:
        page = find(house.store, sought, before=before, limit=7)
        assert len(page.events) <= 7
        found += page.events
        before = page.before
        if before is None:
            break
    assert tuple(found) == tuple(each for each in trail if sought.covers(each.event.at))


def test_the_last_full_page_has_no_next(house: House, trail: tuple[Recorded, ...]) -> None:
    page = find(
        house.store, Sought(since=trail[4].event.at, until=trail[4].event.at + 1), before=None, limit=1
    )
    assert (page.events, page.before) == ((trail[4],), None)


@pytest.mark.parametrize(
    "sought",
    [
        Sought(account_id="junk"),
        Sought(kind="junk"),
        Sought(since=NOW, until=NOW),
        Sought(since=NOW + 60, until=NOW),
        Sought(since=2**40),
        Sought(until=0),
    ],
)
def test_what_fits_nothing_finds_nothing(house: House, sought: Sought) -> None:
    house.visitor("alice")
    assert tuple(find_all(house.store, sought)) == ()
    assert find(house.store, sought, before=None, limit=5).events == ()
