"""When a session still counts: one clause at a time, and with every clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.core.administering import was_reset
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.policy import Policy
from mfa_gate.core.sessions import Session, is_live, sign_in_of
from mfa_gate.core.transitions import (
    enrolled,
    replaced_totp,
    signed_out_everywhere,
    turned_off,
)
from tests.core.samples import ACTOR, ADMIN, ALICE, APP, ENROLLED, HASHES, NOW, SESSION

POLICY = Policy()


def live(
    session: Session = SESSION,
    account: Account = ENROLLED,
    identity: Identity = ALICE,
    policy: Policy = POLICY,
    now: int = NOW,
) -> bool:
    return is_live(session, account, identity, policy, now)


def test_it_proves_the_account_in_the_sign_in_in_which_it_was_made() -> None:
    assert live()
    assert live(replace(SESSION, sign_in=""), identity=replace(ALICE, session_id=None))


@pytest.mark.parametrize(
    "session",
    [
        replace(SESSION, account_id="0" * 32),
        replace(SESSION, epoch=ENROLLED.epoch - 1),
        replace(SESSION, epoch=ENROLLED.epoch + 1),
        replace(SESSION, source="remote_user"),
        replace(SESSION, sign_in="s2"),
        replace(SESSION, sign_in=""),
    ],
)
def test_f01_it_proves_nobody_else_and_no_other_sign_in(session: Session) -> None:
    assert not live(session)


def test_a_sign_in_that_got_a_name_is_another_one() -> None:
    assert not live(identity=replace(ALICE, session_id=None))


def test_it_is_judged_by_the_policy_of_now() -> None:
    by_code = replace(SESSION, factor="recovery_code")
    assert live(by_code)
    assert not live(by_code, policy=Policy(allowed_factors=("totp",)))
    assert live(policy=Policy(session_ttl_seconds=61))
    assert not live(policy=Policy(session_ttl_seconds=60))
    assert live(policy=Policy(idle_ttl_seconds=31))
    assert not live(policy=Policy(idle_ttl_seconds=30))


def test_f11_it_ends_when_it_was_told_to_whatever_the_policy_allows_since() -> None:
    long = Policy(session_ttl_seconds=10**9, idle_ttl_seconds=10**9)
    assert live(policy=long, now=SESSION.expires_at - 1)
    assert not live(policy=long, now=SESSION.expires_at)


@pytest.mark.parametrize("field", ["created_at", "touched_at"])
@pytest.mark.parametrize(("ahead", "counts"), [(0, True), (SKEW_SECONDS, True), (SKEW_SECONDS + 1, False)])
def test_f20_what_comes_from_the_future_proves_nothing(field: str, ahead: int, counts: bool) -> None:
    changes = {"created_at": NOW, "touched_at": NOW, field: NOW + ahead}
    assert live(replace(SESSION, **changes)) is counts


@pytest.mark.parametrize(
    "after",
    [
        enrolled(ENROLLED, APP, HASHES, ACTOR, NOW)[0],
        replaced_totp(ENROLLED, APP, ACTOR, NOW)[0],
        turned_off(ENROLLED, ACTOR, NOW)[0],
        was_reset(ENROLLED, ADMIN, "lost", NOW)[0],
        signed_out_everywhere(ENROLLED, ACTOR, NOW)[0],
    ],
)
def test_e20_a_change_of_factors_ends_every_session_made_before(after: Account) -> None:
    assert not live(account=after)


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
)
def test_f20_a_clock_set_back_gives_no_second_life(
    created: int, touched_after: int, passed: int, ttl: int, idle: int
) -> None:
    """Whatever is shown, the clock stood within the session's own times, give or take the skew between servers."""
    session = replace(
        SESSION, created_at=created, touched_at=created + touched_after, expires_at=created + 2 * 10**6
    )
    now = created + passed - 10**5
    if live(session, policy=Policy(session_ttl_seconds=ttl, idle_ttl_seconds=idle), now=now):
        assert session.touched_at - SKEW_SECONDS <= now < session.touched_at + idle
        assert created - SKEW_SECONDS <= now < created + ttl


def test_the_name_of_a_sign_in() -> None:
    assert sign_in_of(ALICE) == "s1"
    assert sign_in_of(replace(ALICE, session_id=None)) == ""


@pytest.mark.parametrize(("fresh_start_at", "expected"), [(-1, True), (0, False), (1, False)])
def test_after_the_store_was_put_back_nothing_older_counts(fresh_start_at: int, *, expected: bool) -> None:
    policy = replace(POLICY, fresh_start_at=SESSION.created_at + fresh_start_at)
    assert live(policy=policy) is expected
