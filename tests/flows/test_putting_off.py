"""Setting up two-step later: while there is time, and no longer; once a working day in the trail."""

from msgspec.structs import replace

from mfa_gate.core.policy import DAY, PUT_OFF_SECONDS, Policy
from mfa_gate.flows.results import NotAllowed, PutOff
from tests.flows.house import NOW, House


def with_grace(house: House) -> Policy:
    wanted = replace(
        house.store.policy(),
        require_two_step=True,
        grace_seconds=DAY,
        grace_from="policy",
        first_required_at=NOW,
    )
    return house.store.commit_policy(wanted, (), NOW)


def test_it_is_written_down_once_a_working_day(house: House) -> None:
    with_grace(house)
    later = house.self_service.put_off
    assert later(house.visitor("bob", now=NOW), NOW) == PutOff()
    assert later(house.visitor("bob", now=NOW + 9), NOW + 9) == PutOff()
    assert house.account("bob").put_off_at == NOW
    again = NOW + PUT_OFF_SECONDS
    assert later(house.visitor("bob", now=again), again) == PutOff()
    assert house.kinds("bob").count("setup_put_off") == 2


def test_there_is_no_later_after_the_deadline(house: House) -> None:
    with_grace(house)
    over = NOW + DAY
    assert house.self_service.put_off(house.visitor("bob", now=over), over) == NotAllowed(reason="required")
    assert "setup_put_off" not in house.kinds("bob")


def test_without_a_deadline_nothing_is_written(house: House) -> None:
    assert house.self_service.put_off(house.visitor("bob", now=NOW), NOW) == PutOff()
    alice = house.enroll("alice")
    with_grace(house)
    assert house.self_service.put_off(alice.at(NOW), NOW) == PutOff()
    assert house.account("bob").put_off_at == house.account("alice").put_off_at == 0
