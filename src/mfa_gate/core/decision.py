"""The one decision: (what was asked, by whom, what is known of them, policy, now) → a verdict that reads as a sentence.

Pure. Every door asks here and nowhere else. It knows no HTTP beyond the abstract `Visit`; `responses.py` says it aloud.
"""

import msgspec

from mfa_gate.core.accounts import Account, FactorKind, Identity, Means
from mfa_gate.core.assurance import acr_for, amr_for, is_fresh, powers
from mfa_gate.core.clients import ClientKind
from mfa_gate.core.devices import counts, named
from mfa_gate.core.devices import lives_until as device_lives_until
from mfa_gate.core.policy import (
    PUT_OFF_SECONDS,
    PathRule,
    Policy,
    Standing,
    is_put_off,
    standing,
    usable_factors,
)
from mfa_gate.core.sessions import Session, is_live, lives_until, sign_in_of
from mfa_gate.core.throttle import FOREVER
from mfa_gate.core.transitions import same_spelling

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request, reduced to what a verdict may depend on.

    `unclear`: a credential came twice, or two sources name different people. `unclaimed`: a credential came that the
    source which named the person does not understand. `preflight`: a CORS question, which never bears credentials.
    `foreign_host`: it was addressed to a host that is not ours. `cross_site`: a browser says that another site asked.
    `granted`: a break-glass grant is good for the person whom it names. `navigates`: a browser is about to show what
    it asked for, so that a page of ours may come in between. `client`: what kind of client the settings tell it for.
    `device`: the id of the account's device whose token came along. `foreign_device`: a token of another account did.
    """

    rule: PathRule
    method: str = "GET"
    identity: Identity | None = None
    unclear: bool = False
    unclaimed: bool = False
    preflight: bool = False
    foreign_host: bool = False
    cross_site: bool = False
    granted: bool = False
    navigates: bool = False
    client: ClientKind = "web"
    device: str = ""
    foreign_device: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows: the account named by the identity, the session of the cookie, the policy of now.

    `others_two_step`: where nobody can be named for certain, whether anybody who may be meant has two-step.
    """

    account: Account | None
    session: Session | None
    policy: Policy
    others_two_step: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the portal is told of a visitor. Everything but the subject is empty for one who is not verified."""

    subject: str
    amr: tuple[str, ...] = ()
    acr: str = ""
    verified_at: int = 0
    client: str = "web"


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """Goes to the portal as it came. `outcome` is None where nobody can be named.

    `by_grant`: only because of a break-glass grant; the caller records it, or does not let it pass.
    """

    outcome: Outcome | None
    by_grant: bool = False


class AllowStranger(msgspec.Struct, frozen=True, kw_only=True):
    """Goes to the portal without the portal's credentials, so that it answers as to a stranger."""


class AllowWithout(msgspec.Struct, frozen=True, kw_only=True):
    """Goes to the portal without the credentials that nobody claimed; what is left names nobody."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Must sign in to the portal first."""


class Enroll(msgspec.Struct, frozen=True, kw_only=True):
    """Must set up two-step; or may say that they do so later, but before `by`."""

    by: int | None = None


class Verify(msgspec.Struct, frozen=True, kw_only=True):
    """Must give a code of one of `factors`. `max_age` seconds where an older verification is not enough here."""

    factors: tuple[FactorKind, ...] = ()
    max_age: int | None = None


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """Must give a code, and cannot before `until` (`FOREVER`: not without help)."""

    until: int


class Deny(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing the visitor can do helps."""

    reason: str


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """The request does not say one thing; the reason says what to mend."""

    reason: str
    status: int = 400


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """A CORS question that the gate answers from its settings; the portal never sees it."""


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """The gate cannot know; never a pass."""


Decision = (
    Allow
    | AllowStranger
    | AllowWithout
    | SignIn
    | Enroll
    | Verify
    | Paused
    | Deny
    | Malformed
    | Preflight
    | Unavailable
)

UNCLEAR = "The request names its sender twice or in two ways. Send each credential once."
UNCLAIMED = (
    "The request carries a credential that does not belong to the one which names its sender. Leave it out."
)
FOREIGN_HOST = "This portal is not reached under that host name."
SPELLING = "This spelling of the user name is not the one the account was first seen with."
INACTIVE = "This account is not active."
FOREIGN_DEVICE = "This device is not registered for the account that is signed in."
CLOSED = "Your organization does not take this kind of client."


def decide(visit: Visit, known: Known | None, now: int) -> Decision:
    """The verdict. `known` is None when the store cannot tell."""
    rule = visit.rule.kind
    if rule == "sign_out":
        return Allow(outcome=None)
    if rule == "public":
        verdict = _gated(visit, known, now)
        return verdict if isinstance(verdict, Allow) else AllowStranger()
    if rule == "sign_in" and not (visit.identity or visit.unclear or visit.unclaimed):
        return Allow(outcome=None)
    return _gated(visit, known, now)


def _gated(visit: Visit, known: Known | None, now: int) -> Decision:
    if known is None:
        return _blindly(visit)
    account, policy = known.account, known.policy
    if visit.client in policy.closed_clients:
        return Deny(reason=CLOSED)
    asked = policy.require_two_step or known.others_two_step or (account is not None and account.has_factor)
    if asked and visit.foreign_host:
        return Malformed(reason=FOREIGN_HOST, status=421)
    if asked and visit.unclear:
        return Malformed(reason=UNCLEAR)
    if visit.identity is None or visit.unclear:
        return _nobody(visit) if asked else Allow(outcome=None)
    if account is None:
        # The caller records a person when first seen; who is still unknown then was not recorded.
        return Unavailable()
    if not same_spelling(account, visit.identity):
        # Without the policy two people may well differ in case only, and neither has two-step: it worked yesterday.
        return Deny(reason=SPELLING) if asked else Allow(outcome=None)
    if asked and visit.unclaimed:
        return Malformed(reason=UNCLAIMED)
    if asked and visit.foreign_device:
        return Deny(reason=FOREIGN_DEVICE)
    verdict = _person(visit, visit.identity, account, known, now)
    if visit.granted and not isinstance(verdict, Allow | Deny):
        return Allow(outcome=Outcome(subject=account.subject), by_grant=True)
    return verdict


def _blindly(visit: Visit) -> Decision:
    """Without the store only a grant lets somebody pass, and only where there is no doubt who they are."""
    if visit.granted and visit.identity and not (visit.unclear or visit.unclaimed or visit.foreign_host):
        return Allow(outcome=Outcome(subject=visit.identity.subject), by_grant=True)
    return Unavailable()


def _nobody(visit: Visit) -> Decision:
    if visit.preflight:
        return Preflight()
    # At the sign-in page itself "sign in first" would lead round in a circle. Whatever unclaimed credential led here (a
    # cookie that the portal never deleted), without it the request is that of somebody who is not signed in.
    return AllowWithout() if visit.rule.kind == "sign_in" else SignIn()


def _person(visit: Visit, identity: Identity, account: Account, known: Known, now: int) -> Decision:
    if not account.active:
        return Deny(reason=INACTIVE)
    if not account.has_factor:
        stands = standing(account, known.policy, now)
        # Security: an exemption lifts what the organization asks of everybody. A rule that asks to confirm once more,
        # here and now, was not made for a password alone; who is exempt passes it as soon as they have two-step.
        if stands.required or (stands.by_exemption and visit.rule.kind == "step_up"):
            return Enroll()
        if visit.navigates and visit.rule.kind in ("default", "step_up") and _is_asked(account, stands, now):
            return Enroll(by=stands.deadline)
        return Allow(outcome=Outcome(subject=account.subject))
    proofs = _proofs(visit, identity, account, known, now)
    good = _good_here(visit.rule, proofs, now)
    if good is not None:
        return Allow(outcome=good.outcome)
    if proofs:
        strong = tuple(kind for kind in usable_factors(account, known.policy) if "step_up" in powers(kind))
        return Verify(factors=strong, max_age=visit.rule.max_age)
    if account.is_paused(now):
        return Paused(until=account.opens_at)
    return Verify(factors=usable_factors(account, known.policy))


class _Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That this person was verified: by `factor`, for which the `outcome` stands, until then (exclusive)."""

    outcome: Outcome
    factor: Means
    until: int


def _proofs(visit: Visit, identity: Identity, account: Account, known: Known, now: int) -> tuple[_Proof, ...]:
    """What counts now: the session of the cookie, and the device of the token."""
    found = []
    session, device = known.session, named(account, visit.device)
    if session is not None and is_live(session, account, identity, known.policy, now):
        until = lives_until(session, known.policy)
        found.append(_Proof(outcome=outcome_of(account, session), factor=session.factor, until=until))
    # Security: whoever says of themselves that they are of another kind than the token's is not who got it.
    fits = device is not None and visit.client in {"web", device.kind}
    if device is not None and fits and counts(device, account, known.policy, now):
        amr = amr_for(device.factor)
        outcome = Outcome(
            subject=account.subject,
            amr=amr,
            acr=acr_for(amr),
            verified_at=device.registered_at,
            client=device.kind,
        )
        until = device_lives_until(device, known.policy)
        found.append(_Proof(outcome=outcome, factor=device.factor, until=until))
    return tuple(found)


def _good_here(rule: PathRule, proofs: tuple[_Proof, ...], now: int) -> _Proof | None:
    """The first that is good enough for what the rule asks."""
    return next((each for each in proofs if rule.kind != "step_up" or _stepped_up(rule, each, now)), None)


def _is_asked(account: Account, stands: Standing, now: int) -> bool:
    """Whether somebody who still has time is shown the wizard before they go on."""
    return stands.status == "grace" and stands.deadline is not None and not is_put_off(account, now)


def outcome_of(account: Account, session: Session) -> Outcome:
    """What the portal is told of a verified visitor."""
    return Outcome(
        subject=account.subject,
        amr=session.amr,
        acr=session.acr,
        verified_at=session.verified_at,
        client=session.client,
    )


def _stepped_up(rule: PathRule, proof: _Proof, now: int) -> bool:
    if "step_up" not in powers(proof.factor):
        return False
    return rule.max_age is None or is_fresh(proof.outcome.verified_at, now, rule.max_age)


def stands_until(visit: Visit, known: Known, decision: Decision, now: int) -> int:
    """Until when (exclusive) `decide` says the same of the same visit and facts, if it said `decision` at `now`.

    For the doors' quick way, which is only for those who may pass; whatever else was decided does not last.
    """
    if not isinstance(decision, Allow) or decision.outcome is None or decision.by_grant:
        return now
    rule, account, identity = visit.rule, known.account, visit.identity
    if not decision.outcome.verified_at or account is None or identity is None:
        return FOREVER if account is None else _passes_until(account, known.policy, rule, now)
    proof = _good_here(rule, _proofs(visit, identity, account, known, now), now)
    if proof is None:
        return now
    if rule.kind == "step_up" and rule.max_age is not None:
        return min(proof.until, proof.outcome.verified_at + rule.max_age + 1)
    return proof.until


def _passes_until(account: Account, policy: Policy, rule: PathRule, now: int) -> int:
    """Until when somebody without a factor passes: exemption and grace end without a write that drops the facts."""
    stands = standing(account, policy, now)
    if stands.because == "exempt" and rule.kind == "step_up":
        return now  # as long as there would be time without the exemption
    if stands.status != "grace" or stands.deadline is None:
        return stands.until
    return min(stands.deadline, account.put_off_at + PUT_OFF_SECONDS) if is_put_off(account, now) else now


def observed(decision: Decision) -> Decision:
    """The verdict where `mode = "observe"`: what the second step would have refused passes (design §4)."""
    return decision if isinstance(decision, Allow) else Allow(outcome=None)


def ends_session(
    visit: Visit, session: Session, account_id: str | None, *, narrow_cookie: bool = False
) -> str | None:
    """Why this request ends the gate's session that it bears, or None (design §4, "A new portal sign-in asks again").

    `narrow_cookie`: the portal's cookie is bound to a path, so its absence elsewhere means nothing.
    """
    rule = visit.rule
    if rule.kind == "sign_out":
        return "signed out of the portal"
    if rule.kind == "sign_in" and (visit.method in rule.methods or visit.method not in SAFE_METHODS):
        return "signed in to the portal anew"
    if visit.unclear:
        return None
    if visit.identity is None:
        return None if visit.cross_site or narrow_cookie else "no longer signed in to the portal"
    if account_id != session.account_id:
        return "another person signed in"
    if visit.identity.source != session.source or sign_in_of(visit.identity) != session.sign_in:
        return "another sign-in of the same person"
    return None
