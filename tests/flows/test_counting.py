"""Coverage is counted once a day, whoever does it, and its course can be read out of the trail."""

from msgspec.structs import replace

from mfa_gate.core.coverage import COUNTED, GroupCoverage
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.policy import DAY
from mfa_gate.flows.counting import Counting
from mfa_gate.flows.statement import ACTS, BEFORE_SECONDS, state
from tests.flows.house import NOW, House
from tests.flows.importer import compared, importing_of, row, settle


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


def test_groups_that_the_policy_names_and_who_was_never_seen(house: House) -> None:
    preview = compared(house.store, row("zoe", groups=("staff",)), row("bob"), now=NOW)
    importing_of(house.store).confirm(preview, SYSTEM, "", NOW)
    settle(house.store, NOW)
    policy = replace(house.store.policy(), required_groups=("staff", "robots"))
    house.store.commit_policy(policy, (), NOW)
    assert counting(house).turn(NOW)
    (found,) = house.reporting.course(9)
    assert (found.never_seen, found.policy_version) == (2, 2)
    assert found.groups == {"staff": GroupCoverage(0, 1), "robots": GroupCoverage(0, 0)}


def test_what_was_true_at_a_moment(house: House) -> None:
    store, job = house.store, counting(house)
    begun = store.policy().changed_at
    assert job.turn(NOW)
    house.enroll("alice", now=NOW + DAY)
    required = replace(store.policy(), require_two_step=True, changed_at=NOW + DAY + 60)
    store.commit_policy(required, (), NOW + DAY + 60)
    assert job.turn(NOW + DAY + 90)
    later = state(store, store, NOW + 2 * DAY)
    assert later.policy == store.policy()
    assert later.coverage is not None
    assert (later.coverage.covered, later.coverage.at) == (1, NOW + DAY + 90)
    before = state(store, store, NOW + DAY)
    assert before.policy is not None
    assert (before.policy.require_two_step, before.policy.version) == (False, 1)
    assert before.coverage is not None
    assert before.coverage.covered == 0
    assert set(before.acts) == set(ACTS)
    never = state(store, store, begun - 1)
    assert (never.policy, never.coverage) == (None, None)


def test_what_was_done_in_the_time_before(house: House) -> None:
    for at, number in ((NOW, 1), (NOW + BEFORE_SECONDS, 2)):
        head = replace(house.store.roster.head(), import_id="")
        event = Event(kind="roster_imported", account_id=ORG, subject="", at=at, actor=SYSTEM)
        assert house.store.roster.move(head, (event,), at).number == number
    assert state(house.store, house.store, NOW + BEFORE_SECONDS + 1).acts["roster_imported"] == 1
    assert state(house.store, house.store, NOW).acts["roster_imported"] == 1
