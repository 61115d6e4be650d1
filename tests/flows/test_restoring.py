"""After a store was put back nothing counts that was proven before: no session, no code."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.checkpoints import Anchor
from mfa_gate.core.errors import StaleState, StoreUnavailable
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.policy import Policy
from mfa_gate.flows.anchoring import first_anchor
from mfa_gate.flows.restoring import begin_afresh
from mfa_gate.flows.results import Verified
from tests.flows.house import NOW, House

ROOT = Actor(subject="root", surface="shell")
WHY = "the disk died"


def known(house: House, **change: object) -> Anchor:
    return replace(first_anchor(house.store.stream.reached(), NOW), **change)


def test_sessions_of_before_are_dead_and_those_after_live(house: House) -> None:
    alice = house.enroll("alice")
    assert alice.at(NOW).session is not None
    begin_afresh(house.store, None, ROOT, WHY, NOW)
    assert alice.at(NOW + 1).session is None
    assert house.self_service.sessions(house.visitor("alice", alice.cookie, NOW + 1), NOW + 1) == ()
    assert alice.verify(NOW + 90).session is not None


@pytest.mark.parametrize("ahead", [-30, 0, 30])
def test_no_code_of_until_then_counts(house: House, ahead: int) -> None:
    """Whether it was spent is not known any more."""
    alice = house.enroll("alice", NOW - 300)
    begin_afresh(house.store, None, ROOT, WHY, NOW)
    for at in (NOW, NOW + 29):
        answer = house.self_service.verify(alice.at(at), "totp", alice.app.at(NOW + ahead), at)
        assert not isinstance(answer, Verified)


def test_the_policy_ends_above_whatever_was_known(house: House) -> None:
    after = begin_afresh(house.store, known(house, policy_version=9), ROOT, WHY, NOW)
    assert after.version == 10
    assert house.store.policy() == after
    assert after.fresh_start_at == NOW


def test_a_clock_behind_does_not_weaken_an_earlier_restore(house: House) -> None:
    begin_afresh(house.store, None, ROOT, WHY, NOW)
    assert begin_afresh(house.store, None, ROOT, WHY, NOW - 999).fresh_start_at == NOW


def test_it_stands_in_the_trail(house: House) -> None:
    begin_afresh(house.store, known(house, number=7), ROOT, WHY, NOW)
    event = house.events()[-1]
    assert event.kind == "store_restored"
    assert event.actor == ROOT
    assert event.details == {"reason": WHY, "checkpoint": "0", "known": "7"}
    assert event.notify == ("admins",)


def test_a_race_is_run_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = house.store.commit_policy
    raced: list[Policy] = []

    def slow(policy: Policy, events: tuple[Event, ...], now: int) -> Policy:
        if not raced:
            raced.append(commit(policy, (), now))
        return commit(policy, events, now)

    monkeypatch.setattr(house.store, "commit_policy", slow)
    assert begin_afresh(house.store, None, ROOT, WHY, NOW).version == raced[0].version + 1


def test_and_given_up_at_last(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> Policy:
        raise StaleState("lost")

    monkeypatch.setattr(house.store, "commit_policy", lost)
    with pytest.raises(StoreUnavailable, match="five times"):
        begin_afresh(house.store, None, ROOT, WHY, NOW)
