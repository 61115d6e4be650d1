"""How an enrollment begins, is shown again and is confirmed, as plans on one account; it commits nothing.

Each plan is (account, …) → (what to commit, the answer). An unconfirmed secret lies in a challenge of its own, never
in the account, so that nothing takes it for a factor.
"""

import hmac

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Totp
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.messages import printable
from mfa_gate.core.places import came_from
from mfa_gate.core.policy import allowed_factors
from mfa_gate.core.sessions import Challenge
from mfa_gate.core.transitions import Accepted, Paused, Rejected, enrolled, event, replaced_totp
from mfa_gate.factors import totp
from mfa_gate.flows.proving import CodeDesk, change_of, is_no_code, open_session
from mfa_gate.flows.results import Enrolled, NeedsVerification, NotAllowed, NotFound, Started, Unconfirmed
from mfa_gate.flows.visitor import FRESH_SECONDS, Visitor
from mfa_gate.ports import Change

CHALLENGE_SECONDS = 600
"""How long an unconfirmed secret lives (E04)."""
TRIES = 5
"""Codes that may fail to fit before the secret is given up; who scans anew has a clean start."""
APP_NAME = "Authenticator app"
LONGEST_NAME = 60

Begun = tuple[Change | None, Started | Rejected | Paused | NeedsVerification | NotAllowed]
Confirmed = tuple[Change | None, Enrolled | Unconfirmed | NotFound | NeedsVerification]


def begin(
    me: Visitor,
    challenge: Challenge,
    setup_code: str,
    desk: CodeDesk,
    issuer: str,
    *,
    proving: bool,
    now: int,
) -> Begun:
    """Open `challenge`, if this visitor may begin. `proving`: an administrator's setup code is needed."""
    account = me.account
    if not account.active:
        return None, NotAllowed(reason="inactive")
    if "totp" not in allowed_factors(account, me.policy):
        return None, NotAllowed(reason="no_such_factor")
    if account.has_factor:
        if not me.may("replace_factor", now):
            return None, NeedsVerification(max_age=FRESH_SECONDS)
    elif proving:
        if not setup_code.strip():
            return None, NotAllowed(reason="setup_code_required")
        step = desk.judge_setup_code(account, setup_code, me.attempt(now))
        if not isinstance(step.result, Accepted):
            return change_of(account, step), step.result
        challenge = replace(challenge, proof=_proof_wanted(account))
    began = event(account, "enrollment_started", me.actor, now)
    change = Change(account=account, events=(began,), open_challenge=challenge)
    return change, started(account, challenge, issuer)


def started(account: Account, challenge: Challenge, issuer: str) -> Started:
    """What a person needs to put the secret into an app."""
    return Started(
        challenge=challenge.id,
        secret=totp.base32(challenge.secret),
        uri=totp.provisioning_uri(challenge.secret, issuer=issuer, account_name=account.subject),
        expires_at=challenge.expires_at,
        replacing=account.has_factor,
    )


def is_usable(challenge: Challenge, me: Visitor, holder: str, *, proving: bool, now: int) -> bool:
    """True if this visitor, holding `holder`, may still see and confirm the challenge.

    # Security: whatever happened to the factors since it was begun raised the epoch, so of eight enrollments that
    are confirmed at once only one counts (J11). A setup code that was spent or made anew since is no proof any more.
    """
    account = me.account
    if not account.active or challenge.account_id != account.id or challenge.epoch != account.epoch:
        return False
    if not hmac.compare_digest(challenge.holder.encode(), holder.encode(errors="replace")):
        return False
    if not challenge.created_at - SKEW_SECONDS <= now < challenge.expires_at:
        return False
    if account.has_factor:
        return me.session is not None
    wanted = _proof_wanted(account)
    return not proving or (wanted != b"" and hmac.compare_digest(challenge.proof, wanted))


def confirm(
    me: Visitor,
    challenge: Challenge,
    code: str,
    *,
    factor: Totp,
    codes: tuple[tuple[str, ...], tuple[bytes, ...]],
    session_id: str,
    store_id: str,
    now: int,
) -> Confirmed:
    """Store `factor` if `code` fits the challenge's secret. `codes` are new recovery codes and their hashes."""
    account = me.account
    # Security: fresh when it was begun (E10); from then on the ten minutes of the challenge count. Were the five
    # minutes asked for again here, who lost a phone would pay for a slow set-up with one more recovery code.
    if account.has_factor and not me.may("replace_factor", now, FRESH_SECONDS + CHALLENGE_SECONDS):
        return None, NeedsVerification(max_age=FRESH_SECONDS)
    digits = totp.normalize_code(code)
    step = None if digits is None else totp.matching_step(challenge.secret, digits, now)
    if step is None:
        return _not_fitting(me, challenge, code, digits, now)
    new = replace(factor, secret=challenge.secret, last_step=step, added_at=now, last_used_at=now)
    if account.has_factor:
        after, events = replaced_totp(account, new, me.actor, now)
        shown: tuple[str, ...] = ()
    else:
        after, events = enrolled(account, new, codes[1], me.actor, now)
        shown = codes[0]
    # Whoever set it up here is told of that; what comes from elsewhere comes later.
    after, _ = came_from(after, me.actor, me.user_agent, now)
    opened = open_session(me, after, "totp", session_id=session_id, store_id=store_id, now=now)
    change = Change(
        account=after,
        events=events,
        open_session=opened.session,
        end_sessions="all",
        spend=challenge.id,
    )
    return change, Enrolled(codes=shown, opened=opened, replaced=account.has_factor)


def app_name(text: str) -> str:
    """The name that a person gave to an app, as one harmless line."""
    return printable(" ".join(text[: 4 * LONGEST_NAME].split()), LONGEST_NAME) or APP_NAME


def _not_fitting(me: Visitor, challenge: Challenge, code: str, digits: str | None, now: int) -> Confirmed:
    left = TRIES - challenge.failures
    if is_no_code(code):
        return None, Unconfirmed(tries_left=left)
    failed = event(me.account, "code_rejected", me.actor, now, factor="totp", during="setup")
    change = Change(
        account=me.account,
        events=(failed,),
        spend=challenge.id,
        open_challenge=replace(challenge, failures=challenge.failures + 1) if left > 1 else None,
    )
    offset = None if digits is None else totp.clock_offset(challenge.secret, digits, now)
    return change, Unconfirmed(tries_left=left - 1, clock_offset=offset)


def _proof_wanted(account: Account) -> bytes:
    return account.setup_code.code_hash if account.setup_code else b""
