"""Coverage is counted once a day, whoever does it, and its course can be read out of the trail."""

from mfa_gate.core.coverage import COUNTED
from mfa_gate.core.events import ORG
from mfa_gate.core.policy import DAY
from mfa_gate.flows.counting import Counting
from tests.flows.house import NOW, House


def counting(house: House) -> Counting:
    return Counting(house.store, house.store, house.store)


def test_once_a_day(house: House) -> None:
    house.visitor("bob")
    job = counting(house)
    midnight = NOW - NOW % DAY
    assert job.turn(midnight)
    assert not job.turn(midnight + DAY - 1)
    assert not counting(house).turn(midnight + 5)
    house.enroll("alice", now=midnight + DAY)
    assert job.turn(midnight + DAY)
    assert house.store.broken_chain() is None
    found = house.reporting.course(90)
    assert [(each.at, each.covered, each.people) for each in found] == [
        (midnight, 0, 1),
        (midnight + DAY, 1, 2),
    ]
    assert house.reporting.course(1) == found[1:]
    events = house.store.events(account_id=ORG, kind=COUNTED, before=None, limit=9)
    assert [each.event.details["policy"] for each in events] == ["1", "1"]


def test_a_clock_set_back_counts_anew(house: House) -> None:
    job = counting(house)
    assert job.turn(NOW)
    assert job.turn(NOW - DAY)
    assert len(house.reporting.course(90)) == 2
