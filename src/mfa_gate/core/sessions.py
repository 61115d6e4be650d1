"""The gate's own proof that a verification happened, and when it still counts; it never looks one up."""

import hashlib

import msgspec

from mfa_gate.core.accounts import Account, Identity, Means
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.policy import Policy, allowed_factors
from mfa_gate.core.remembered import is_trusted

CAP = 50
"""Sessions per account; the oldest gives way (OWASP ASVS 7.1.2)."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One verified browser or client. `key` is the hash of the id in the cookie, never the id itself."""

    key: str
    account_id: str
    epoch: int
    source: str
    sign_in: str
    factor: Means
    amr: tuple[str, ...]
    acr: str
    verified_at: int
    created_at: int
    expires_at: int
    touched_at: int
    client: str = "web"
    user_agent: str = ""
    address: str = ""
    browser: bytes = b""
    """The id of the remembered browser in which it was opened, if it was in one."""

    @property
    def handle(self) -> str:
        """What pages and programs call it by; nothing of ours can be found or opened with it."""
        return hashlib.sha256(f"handle {self.key}".encode()).hexdigest()[:32]


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """Something begun and not finished, spent once: an unconfirmed secret of an authenticator app.

    `holder` is the browser or API client that began it: nobody else with the same password can see or finish it.
    `proof` is the hash of the setup code that an administrator began it with; `failures` counts codes that did not fit.
    """

    id: str
    account_id: str
    epoch: int
    holder: str
    secret: bytes
    created_at: int
    expires_at: int
    proof: bytes = b""
    failures: int = 0


def sign_in_of(identity: Identity) -> str:
    """The portal sign-in that a session is bound to; empty where the source has no stable session id."""
    return identity.session_id or ""


def is_live(session: Session, account: Account, identity: Identity, policy: Policy, now: int) -> bool:
    """True while `session` still proves that this account, in this portal sign-in, was verified.

    # Security: judged against the policy of now, not of then, and a clock set back lengthens nothing.
    """
    return (
        session.account_id == account.id
        and session.epoch == account.epoch
        and session.source == identity.source
        and session.sign_in == sign_in_of(identity)
        and _still_counts(session, account, policy, now)
        and session.created_at > policy.fresh_start_at
        and session.created_at - SKEW_SECONDS <= now < lives_until(session, policy)
        and session.touched_at - SKEW_SECONDS <= now
    )


def is_open(session: Session, account: Account, policy: Policy, now: int) -> bool:
    """True if somebody with this session may be let in by it; for lists, since `is_live` asks for more."""
    return (
        session.epoch == account.epoch
        and _still_counts(session, account, policy, now)
        and session.created_at > policy.fresh_start_at
        and now < lives_until(session, policy)
    )


def lives_until(session: Session, policy: Policy) -> int:
    """When the session ends, by its own end or the policy's, absolute or idle, whichever comes first."""
    until = min(
        session.expires_at,
        session.created_at + policy.session_ttl_seconds,
        session.touched_at + policy.idle_ttl_seconds,
    )
    if session.factor == "remembered_browser":
        # It was verified when the browser was remembered, and goes with it.
        until = min(until, session.verified_at + policy.remember_seconds)
    return until


def _still_counts(session: Session, account: Account, policy: Policy, now: int) -> bool:
    """True while what opened the session would open one now: a factor that is allowed, a browser that is remembered."""
    if session.factor != "remembered_browser":
        return session.factor in allowed_factors(account, policy)
    return any(
        browser.id == session.browser and is_trusted(browser, account, policy, now)
        for browser in account.remembered
    )
