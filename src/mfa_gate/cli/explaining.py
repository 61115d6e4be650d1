"""Puts a verdict into sentences: which rule fits, what each kind of visitor would get and why.

The verdicts are `decide`'s own, on an invented visit and the real account and policy; nothing here decides.
"""

from collections.abc import Iterator
from typing import Final, Literal
from urllib.parse import quote, unquote

import msgspec
from msgspec.structs import replace

from mfa_gate.cli.output import moment
from mfa_gate.core.accounts import Account, FactorKind, Identity
from mfa_gate.core.assurance import acr_for, amr_for
from mfa_gate.core.decision import (
    Allow,
    AllowStranger,
    AllowWithout,
    Decision,
    Deny,
    Enroll,
    Known,
    Malformed,
    Paused,
    Preflight,
    SignIn,
    Unavailable,
    Verify,
    Visit,
    decide,
)
from mfa_gate.core.messages import GateRequest, Headers
from mfa_gate.core.paths import OddPath, canonical_path
from mfa_gate.core.policy import PathRule, Policy, RuleKind, Status, is_exempt, standing
from mfa_gate.core.responses import Places, respond
from mfa_gate.core.sessions import Session, sign_in_of
from mfa_gate.core.throttle import FOREVER

BROWSER: Final[Headers] = (
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("accept", "text/html"),
)
_MEANINGS: Final = {
    "sign_in": "open to whoever is not signed in yet",
    "sign_out": "open to everybody, and ends the gate's session",
    "public": "open to everybody, without the portal's credentials",
    "step_up": "needs a user who has passed two-step lately",
}
_AS_TYPED: Final = "".join(map(chr, range(0x21, 0x7F)))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back; `status` None where the request goes on to the portal."""

    status: int | None = None
    location: str | None = None
    code: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of visitor would get."""

    visitor: str
    decision: str
    why: str
    browser: Answer
    program: Answer


class RuleShown(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that fits; `index` None where none of the settings does."""

    index: int | None
    kind: RuleKind
    path: str
    text: str


class UserShown(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the question is about, as they stand now."""

    user: str
    realm: str
    seen: bool
    status: Status
    required: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `explain` says; the first of `cases` is the answer to what was asked.

    `with_policy_on`: what would change if the policy, which is off, were turned on.
    """

    method: str
    path: str
    rule: RuleShown
    user: UserShown | None
    require_two_step: bool
    policy_version: int
    mode: Literal["enforce", "observe"]
    cases: tuple[Case, ...]
    with_policy_on: tuple[Case, ...] = ()
    notes: tuple[str, ...]


def request_of(method: str, url: str, public_url: str) -> GateRequest | OddPath:
    """The request that a browser makes of what somebody typed: a path, or a whole address."""
    scheme, mark, rest = url.partition("://")
    if mark and scheme.lower() in {"http", "https"}:
        host, slash, rest = rest.partition("/")
        rest = slash + rest
    else:
        host, rest = public_url.partition("://")[2], url
    target, _, query = rest.partition("#")[0].partition("?")
    raw_path = quote(target or "/", safe=_AS_TYPED)
    path = canonical_path(unquote(raw_path), raw_path)
    if isinstance(path, OddPath):
        return path
    return GateRequest(method=method, path=path, raw_path=raw_path, query=query, headers=(("host", host),))


def shown_rule(rules: tuple[PathRule, ...], rule: PathRule) -> RuleShown:
    """The rule as it stands in the settings, and what it means."""
    index = next((number for number, each in enumerate(rules) if each is rule), None)
    return RuleShown(index=index, kind=rule.kind, path=rule.path, text=_text_of(rule, index))


def _text_of(rule: PathRule, index: int | None) -> str:
    if index is None:
        return "none of [portal] rules fits, so it needs a user who has passed two-step"
    methods = f", methods = {msgspec.json.encode(rule.methods).decode()}" if rule.methods else ""
    age = f", max_age = {rule.max_age}" if rule.max_age is not None else ""
    written = f'{{ kind = "{rule.kind}", path = "{rule.path}"{methods}{age} }}'
    return f"rules[{index}] {written}: {_MEANINGS[rule.kind]}"


def changes(
    visit: Visit, account: Account | None, policy: Policy, *, request: GateRequest, places: Places, now: int
) -> Iterator[Case]:
    """Those whom turning the policy on would concern, as they would fare then."""
    on = replace(policy, require_two_step=True)
    before = cases(visit, account, policy, request=request, places=places, now=now)
    after = cases(visit, account, on, request=request, places=places, now=now)
    yield from (then for now_, then in zip(before, after, strict=True) if now_.decision != then.decision)


def cases(
    visit: Visit, account: Account | None, policy: Policy, *, request: GateRequest, places: Places, now: int
) -> Iterator[Case]:
    """Every kind of visitor that makes a difference here; the first is who has not been verified."""
    nobody = replace(visit, identity=None)
    known = Known(account=None, session=None, policy=policy)
    if visit.identity is not None and account is not None:
        who = visit.identity.subject
        person = replace(known, account=account)
        yield _case(f"{who}, not verified", visit, person, request=request, places=places, now=now)
        for label, session in _sessions(visit, visit.identity, account, policy, now):
            verified = replace(person, session=session)
            yield _case(f"{who}, {label}", visit, verified, request=request, places=places, now=now)
    yield _case("nobody signed in", nobody, known, request=request, places=places, now=now)


def _sessions(
    visit: Visit, identity: Identity, account: Account, policy: Policy, now: int
) -> Iterator[tuple[str, Session]]:
    if not account.has_factor:
        return
    yield "verified just now", _session(identity, account, policy, "totp", verified_at=now, now=now)
    max_age = visit.rule.max_age
    if visit.rule.kind != "step_up" or max_age is None:
        return
    yield (
        f"verified {max_age + 1} s ago",
        _session(identity, account, policy, "totp", verified_at=now - max_age - 1, now=now),
    )
    yield (
        "verified by a recovery code",
        _session(identity, account, policy, "recovery_code", verified_at=now, now=now),
    )


def _session(
    identity: Identity, account: Account, policy: Policy, factor: FactorKind, *, verified_at: int, now: int
) -> Session:
    amr = amr_for(factor)
    return Session(
        key="",
        account_id=account.id,
        epoch=account.epoch,
        source=identity.source,
        sign_in=sign_in_of(identity),
        factor=factor,
        amr=amr,
        acr=acr_for(amr),
        verified_at=verified_at,
        created_at=verified_at,
        expires_at=verified_at + policy.session_ttl_seconds,
        touched_at=now,
    )


def _case(label: str, visit: Visit, known: Known, *, request: GateRequest, places: Places, now: int) -> Case:
    decision = decide(visit, known, now)
    shown = decide(replace(visit, navigates=visit.method == "GET"), known, now)
    navigating = replace(request, headers=(*request.headers, *BROWSER))
    return Case(
        visitor=label,
        decision=type(decision).__name__,
        why=_why(visit, known, decision, now),
        browser=_answer(shown, navigating, places, now),
        program=_answer(decision, request, places, now),
    )


class _Problem(msgspec.Struct):
    code: str | None = None


def _answer(decision: Decision, request: GateRequest, places: Places, now: int) -> Answer:
    response = respond(decision, request, places, now)
    if response is None:
        return Answer()
    code = msgspec.json.decode(response.body, type=_Problem).code if response.body else None
    return Answer(status=response.status, location=dict(response.headers).get("location"), code=code)


def _why(visit: Visit, known: Known, decision: Decision, now: int) -> str:
    who = visit.identity.subject if visit.identity else "nobody"
    match decision:
        case Allow():
            return _why_allowed(visit, known, decision, who, now)
        case AllowStranger():
            return (
                "The path is public. Whoever is not verified is shown to the portal as a stranger: "
                "cookies and Authorization that sign in to the portal are taken out."
            )
        case AllowWithout():
            return "The sign-in page is open to whoever is not signed in yet, without credentials that nobody claims."
        case SignIn():
            return "Nobody is signed in, and Require Two-Step Authentication is on."
        case Enroll():
            return f"Require Two-Step Authentication is on, and {who} has not set up two-step."
        case Verify(max_age=None):
            return f"{_why_asked(who, known.policy)} No session of the gate counts for this request."
        case Verify(max_age=max_age):
            return f"The rule wants a verification by authenticator app at most {max_age} s old."
        case Paused(until=until):
            end = "a reset" if until >= FOREVER else f"{moment(until)} UTC"
            return f"After too many wrong codes {who} is paused until {end}."
        case Deny(reason=reason) | Malformed(reason=reason):
            return reason
        case Preflight():
            return "A question of CORS, which the gate answers itself."
        case Unavailable():
            return "The gate cannot know, and then nobody passes."


def _why_allowed(visit: Visit, known: Known, decision: Allow, who: str, now: int) -> str:
    if visit.rule.kind == "sign_out":
        return "Signing out is open to everybody, and ends the gate's session."
    if decision.outcome is not None and decision.outcome.verified_at:
        return f"{who} has been verified, and the session counts here."
    if decision.outcome is not None and known.policy.require_two_step and known.account is not None:
        if is_exempt(known.account, now):
            end = moment(known.account.exempt_until)
            return f"{who} has not set up two-step, and is exempt until {end} UTC."
        deadline = standing(known.account, known.policy, now).deadline
        return (
            f"{who} has not set up two-step, and has time until {moment(deadline or 0)} UTC. "
            "In a browser they are asked once a working day, and may say later."
        )
    if decision.outcome is not None:
        return f"Require Two-Step Authentication is off, and {who} has not set up two-step."
    if visit.rule.kind == "sign_in" and visit.identity is None:
        return "The sign-in page is open to whoever is not signed in yet."
    if visit.identity is None:
        return "Require Two-Step Authentication is off: what nobody can be named for passes, and is counted."
    return "Require Two-Step Authentication is off, and the account of that name has not set up two-step."


def _why_asked(who: str, policy: Policy) -> str:
    if policy.require_two_step:
        return f"Require Two-Step Authentication is on, and {who} has set up two-step."
    return f"{who} has set up two-step, and is asked until they turn it off, although the policy is off."
