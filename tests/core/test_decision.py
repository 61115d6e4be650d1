"""The laws of the house: whatever comes in, nobody passes whom the policy wants verified and who is not.

The values here are arbitrary, unlike those of `test_decision_oracle.py`, which are few and complete.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, FactorKind, Identity, RecoveryCodes, Totp
from mfa_gate.core.decision import (
    Allow,
    AllowStranger,
    AllowWithout,
    Decision,
    Enroll,
    Known,
    Outcome,
    Unavailable,
    Verify,
    Visit,
    decide,
    ends_session,
    observed,
    stands_until,
)
from mfa_gate.core.policy import PathRule, Policy
from mfa_gate.core.sessions import Session
from mfa_gate.core.throttle import FOREVER, Strikes
from tests.core.samples import ALICE, ENROLLED, NEWCOMER, NOW, SESSION

times = st.integers(NOW - 2_000, NOW + 2_000)
spans = st.integers(0, 2_000)
few = st.sampled_from
strikes = st.builds(Strikes, paused_until=times, disabled=st.booleans())
totps = st.lists(
    st.builds(
        Totp, id=few(["t1", "t2"]), name=st.just("app"), secret=st.just(b"s"), added_at=times, strikes=strikes
    ),
    max_size=2,
).map(tuple)
codes = st.none() | st.builds(
    RecoveryCodes, made_at=times, hashes=few([(), (b"h",)]), total=st.just(1), strikes=strikes
)
identities = st.builds(
    Identity,
    source=few(["flask_session", "remote_user"]),
    realm=st.just("portal"),
    subject=few(["alice", "Alice"]),
    session_id=few([None, "s1", "s2"]),
    case_insensitive=st.booleans(),
)
exemptions = st.none() | st.builds(
    Exemption, reason=st.just("r"), approved_by=st.just("root"), given_at=times, until=times
)
accounts = st.builds(
    Account,
    id=few([ENROLLED.id, "0" * 32]),
    realm=st.just("portal"),
    subject=few(["alice", "Alice"]),
    active=st.booleans(),
    epoch=few([4, 5]),
    totps=totps,
    recovery=codes,
    exemption=exemptions,
    first_seen_at=times,
    created_at=st.just(0) | times,
    last_verified_at=few([0, 0, NOW - 9]),
    put_off_at=st.just(0) | times,
)
sessions = st.builds(
    Session,
    key=st.just("k"),
    account_id=few([ENROLLED.id, "0" * 32]),
    epoch=few([4, 5]),
    source=few(["flask_session", "remote_user"]),
    sign_in=few(["", "s1", "s2"]),
    factor=few(["totp", "recovery_code"]),
    amr=st.just(("mfa", "otp")),
    acr=st.just("urn:mfa-gate:aal2"),
    verified_at=times,
    created_at=times,
    expires_at=times,
    touched_at=times,
)
policies = st.builds(
    Policy,
    require_two_step=st.booleans(),
    allowed_factors=few([("totp", "recovery_code"), ("totp",), ()]),
    session_ttl_seconds=spans,
    idle_ttl_seconds=spans,
    grace_seconds=st.just(0) | spans,
    grace_from=few(["policy", "first_seen", "created"]),
    first_required_at=times,
)
rules = st.builds(
    PathRule,
    kind=few(["sign_in", "sign_out", "public", "step_up", "default"]),
    path=st.just("/"),
    methods=few([(), ("GET",)]),
    max_age=st.none() | spans,
)
visits = st.builds(
    Visit,
    rule=rules,
    method=few(["GET", "POST"]),
    identity=st.none() | identities,
    unclear=st.booleans(),
    unclaimed=st.booleans(),
    preflight=st.booleans(),
    foreign_host=st.booleans(),
    cross_site=st.booleans(),
    navigates=st.booleans(),
)
knowns = st.builds(
    Known,
    account=st.none() | accounts,
    session=st.none() | sessions,
    policy=policies,
    others_two_step=st.booleans(),
)
LAW = settings(max_examples=100)


def proves(session: Session | None, account: Account, identity: Identity, policy: Policy, now: int) -> bool:
    """What a live session is, said once more: every clause of design §4 and §6 on its own line."""
    if session is None:
        return False
    same_person = session.account_id == account.id
    same_epoch = session.epoch == account.epoch
    same_sign_in = (session.source, session.sign_in) == (identity.source, identity.session_id or "")
    allowed_now = session.factor in policy.allowed_factors
    young = now - session.created_at < policy.session_ttl_seconds and now < session.expires_at
    in_use = now - session.touched_at < policy.idle_ttl_seconds
    not_of_the_future = max(session.created_at, session.touched_at) - now <= 60
    return all((same_person, same_epoch, same_sign_in, allowed_now, young, in_use, not_of_the_future))


def excepted(known: Known) -> bool:
    """An exception was made for somebody who has nothing to be asked for, or there still is time to set it up."""
    account = known.account
    if account is None or account.has_factor or not account.active:
        return False
    exemption = account.exemption
    exempt = exemption is not None and exemption.given_at - NOW <= 60 and exemption.until > NOW
    return exempt or has_time(account, known.policy)


def has_time(account: Account, policy: Policy) -> bool:
    """Design §7: one span for each account, and only for those who never had a factor."""
    if account.last_verified_at or not policy.grace_seconds:
        return False
    days = {
        "policy": policy.first_required_at,
        "first_seen": account.first_seen_at,
        "created": account.created_at or account.first_seen_at,
    }
    begun = max(policy.first_required_at, days[policy.grace_from])
    return begun - NOW <= 60 and NOW - begun < policy.grace_seconds


def opens_by_itself(visit: Visit) -> bool:
    nobody = visit.identity is None and not visit.unclear and not visit.unclaimed
    return visit.rule.kind == "sign_out" or (visit.rule.kind == "sign_in" and nobody)


@given(visits, knowns)
@settings(max_examples=300)
def test_nobody_whom_the_policy_wants_verified_passes_without_a_live_session(
    visit: Visit, known: Known
) -> None:
    policy = replace(known.policy, require_two_step=True)
    known = replace(known, policy=policy)
    decision = decide(visit, known, NOW)
    if isinstance(decision, Allow) and not opens_by_itself(visit):
        assert visit.identity is not None
        assert known.account is not None
        assert known.account.active
        assert not visit.unclear
        assert not visit.unclaimed
        assert not visit.foreign_host
        if not excepted(known):
            assert known.account.has_factor
            assert proves(known.session, known.account, visit.identity, policy, NOW)


@given(visits, knowns)
@LAW
def test_who_has_two_step_is_asked_with_and_without_the_policy(visit: Visit, known: Known) -> None:
    decision = decide(visit, known, NOW)
    account, identity = known.account, visit.identity
    if (
        isinstance(decision, Allow)
        and account is not None
        and account.has_factor
        and not opens_by_itself(visit)
    ):
        assert identity is not None
        assert proves(known.session, account, identity, known.policy, NOW)


@given(visits, knowns)
@LAW
def test_with_the_policy_on_the_portal_is_always_told_who_passes(visit: Visit, known: Known) -> None:
    known = replace(known, policy=replace(known.policy, require_two_step=True))
    decision = decide(visit, known, NOW)
    if isinstance(decision, Allow) and not opens_by_itself(visit):
        assert decision.outcome is not None
        assert known.account is not None
        assert decision.outcome.subject == known.account.subject
        if excepted(known):
            assert decision.outcome == Outcome(subject=known.account.subject)
            return
        assert known.session is not None
        assert decision.outcome.amr == known.session.amr
        assert decision.outcome.verified_at == known.session.verified_at


@given(visits, knowns)
@LAW
def test_only_a_live_session_is_told_as_verified(visit: Visit, known: Known) -> None:
    decision = decide(visit, known, NOW)
    if isinstance(decision, Allow) and decision.outcome is not None and decision.outcome.amr:
        assert visit.identity is not None
        assert known.account is not None
        assert proves(known.session, known.account, visit.identity, known.policy, NOW)


@given(visits, st.none() | knowns)
@LAW
def test_strangers_pass_on_public_paths_only(visit: Visit, known: Known | None) -> None:
    decision = decide(visit, known, NOW)
    if isinstance(decision, AllowStranger):
        assert visit.rule.kind == "public"
    if isinstance(decision, AllowWithout):
        assert visit.rule.kind == "sign_in"
        assert visit.identity is None
        assert visit.unclaimed
        assert not visit.unclear
    if visit.rule.kind == "public":
        assert isinstance(decision, Allow | AllowStranger)


@given(visits)
@LAW
def test_j01_without_facts_only_open_paths_are_open(visit: Visit) -> None:
    decision = decide(visit, None, NOW)
    if opens_by_itself(visit):
        assert decision == Allow(outcome=None)
    elif visit.rule.kind == "public":
        assert decision == AllowStranger()
    else:
        assert decision == Unavailable()


@given(visits, knowns)
@LAW
def test_the_policy_never_opens_anything(visit: Visit, known: Known) -> None:
    """Whoever passes while it is on passes while it is off."""
    on = replace(known, policy=replace(known.policy, require_two_step=True))
    off = replace(known, policy=replace(known.policy, require_two_step=False))
    if isinstance(decide(visit, on, NOW), Allow):
        assert isinstance(decide(visit, off, NOW), Allow)


@given(visits, knowns)
@LAW
def test_what_is_doubtful_about_a_request_never_opens_anything(visit: Visit, known: Known) -> None:
    plain = replace(visit, unclear=False, unclaimed=False, foreign_host=False, preflight=False)
    known = replace(known, policy=replace(known.policy, require_two_step=True))
    if isinstance(decide(visit, known, NOW), Allow):
        assert decide(plain, known, NOW) == decide(visit, known, NOW)


@given(visits, knowns)
@LAW
def test_step_up_asks_for_at_least_what_every_page_asks(visit: Visit, known: Known) -> None:
    here = replace(visit, rule=PathRule(kind="step_up", path="/", max_age=300))
    elsewhere = replace(visit, rule=PathRule(kind="default", path="/"))
    if isinstance(decide(here, known, NOW), Allow):
        assert decide(elsewhere, known, NOW) == decide(here, known, NOW)


@given(visits, knowns, st.integers(0, 10**9))
@LAW
def test_f20_a_session_that_is_over_stays_over(visit: Visit, known: Known, later: int) -> None:
    """Once time has passed it: no later moment makes it prove anything again."""
    account = ENROLLED
    visit = replace(visit, identity=ALICE, rule=PathRule(kind="default", path="/"))
    known = replace(known, account=account)
    session = known.session
    if session is None or max(session.created_at, session.touched_at) > NOW:
        return
    if not isinstance(decide(visit, known, NOW), Allow):
        assert not isinstance(decide(visit, known, NOW + later), Allow)


@given(visits, knowns, st.integers(0, 4_000))
@LAW
def test_a_verdict_stands_as_long_as_is_said(visit: Visit, known: Known, later: int) -> None:
    decision = decide(visit, known, NOW)
    if later < stands_until(visit, known, decision, NOW) - NOW:
        assert decide(visit, known, NOW + later) == decision


@pytest.mark.parametrize(
    ("max_age", "session", "until"),
    [
        (None, SESSION, SESSION.touched_at + 1_800),
        (300, SESSION, SESSION.verified_at + 301),
        (10**6, SESSION, SESSION.touched_at + 1_800),
        (None, replace(SESSION, expires_at=NOW + 9), NOW + 9),
        (None, replace(SESSION, created_at=NOW - 43_100), NOW + 100),
    ],
)
def test_a_verified_visitor_passes_until_the_very_second(
    max_age: int | None, session: Session, until: int
) -> None:
    visit = Visit(rule=PathRule(kind="step_up", path="/", max_age=max_age), identity=ALICE)
    known = Known(account=ENROLLED, session=session, policy=Policy())
    decision = decide(visit, known, NOW)
    assert isinstance(decision, Allow)
    assert stands_until(visit, known, decision, NOW) == until
    assert decide(visit, known, until - 1) == decision
    assert decide(visit, known, until) != decision


def test_a_verdict_that_no_clock_changes_stands_for_ever_and_a_refusal_does_not_stand() -> None:
    visit = Visit(rule=PathRule(kind="default", path="/"), identity=ALICE)
    for account, session, until in (
        (NEWCOMER, None, FOREVER),
        (NEWCOMER, SESSION, FOREVER),
        (ENROLLED, None, NOW),
    ):
        known = Known(account=account, session=session, policy=Policy())
        assert stands_until(visit, known, decide(visit, known, NOW), NOW) == until
        assert stands_until(visit, known, Allow(outcome=None), NOW) == NOW


def test_a_verdict_of_other_facts_does_not_stand() -> None:
    visit = Visit(rule=PathRule(kind="default", path="/"), identity=ALICE)
    verified = Known(account=ENROLLED, session=SESSION, policy=Policy())
    decision = decide(visit, verified, NOW)
    assert stands_until(visit, verified, decision, NOW) > NOW
    assert stands_until(visit, replace(verified, session=None), decision, NOW) == NOW


def test_the_exempt_pass_until_the_very_second() -> None:
    visit = Visit(rule=PathRule(kind="default", path="/"), identity=ALICE)
    exemption = Exemption(reason="No phone yet", approved_by="root", given_at=NOW - 5, until=NOW + 77)
    known = Known(
        account=replace(NEWCOMER, exemption=exemption), session=None, policy=Policy(require_two_step=True)
    )
    decision = decide(visit, known, NOW)
    assert decision == Allow(outcome=Outcome(subject="alice"))
    assert stands_until(visit, known, decision, NOW) == NOW + 77
    assert decide(visit, known, NOW + 76) == decision
    assert decide(visit, known, NOW + 77) == Enroll()


def test_an_exemption_is_not_from_confirming_once_more() -> None:
    visit = Visit(
        rule=PathRule(kind="step_up", path="/archive/", max_age=300), identity=ALICE, navigates=True
    )
    exemption = Exemption(reason="No phone yet", approved_by="root", given_at=NOW - 5, until=NOW + 77)
    exempt = replace(NEWCOMER, exemption=exemption)

    def at(policy: Policy) -> tuple[Decision, int]:
        known = Known(account=exempt, session=None, policy=policy)
        decision = decide(visit, known, NOW)
        return decision, stands_until(visit, known, decision, NOW)

    passes = Allow(outcome=Outcome(subject="alice"))
    assert at(Policy(require_two_step=True)) == (Enroll(), NOW)
    # Where nothing would be asked of them without the exemption, it takes nothing away.
    assert at(Policy(require_two_step=False))[0] == passes
    assert at(Policy(require_two_step=True, required_groups=("clinic",)))[0] == passes
    has_time = Policy(require_two_step=True, grace_seconds=60, grace_from="policy", first_required_at=NOW - 9)
    assert at(has_time) == (passes, NOW)


@given(visits, st.none() | knowns)
@LAW
def test_observe_lets_everybody_pass_and_never_says_verified_of_who_is_not(
    visit: Visit, known: Known | None
) -> None:
    decision = decide(visit, known, NOW)
    passing = observed(decision)
    assert isinstance(passing, Allow)
    assert passing.outcome is None or passing is decision


@given(visits)
@LAW
def test_f01_a_session_outlives_no_change_of_person(visit: Visit) -> None:
    if visit.identity is not None and not visit.unclear:
        assert ends_session(visit, SESSION, "b" * 32) is not None


@given(visits)
@LAW
def test_a_session_that_goes_on_still_fits_its_sign_in(visit: Visit) -> None:
    if (
        visit.identity is not None
        and not visit.unclear
        and ends_session(visit, SESSION, SESSION.account_id) is None
    ):
        assert proves(SESSION, ENROLLED, visit.identity, Policy(), NOW)


def test_the_answer_names_only_factors_that_the_person_has_and_the_policy_takes() -> None:
    policy = Policy(require_two_step=True)
    visit = Visit(rule=PathRule(kind="default", path="/"), identity=ALICE)
    used_up = replace(ENROLLED, recovery=RecoveryCodes(made_at=NOW, hashes=(), total=10))
    cases: tuple[tuple[Account, tuple[FactorKind, ...], tuple[FactorKind, ...]], ...] = (
        (ENROLLED, ("totp", "recovery_code"), ("totp", "recovery_code")),
        (ENROLLED, ("recovery_code",), ("recovery_code",)),
        (used_up, ("totp", "recovery_code"), ("totp",)),
        (replace(ENROLLED, recovery=None), ("totp", "recovery_code"), ("totp",)),
    )
    for account, allowed, factors in cases:
        known = Known(account=account, session=None, policy=replace(policy, allowed_factors=allowed))
        assert decide(visit, known, NOW) == Verify(factors=factors)
