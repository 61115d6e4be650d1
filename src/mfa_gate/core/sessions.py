"""The gate's own proof that a verification happened, and when it still counts; it never looks one up."""

import hashlib

import msgspec

from mfa_gate.core.accounts import Account, FactorKind, Identity
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.policy import Policy, allowed_factors

CAP = 50
"""Sessions per account; the oldest gives way (OWASP ASVS 7.1.2)."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One verified browser or client. `key` is the hash of the id in the cookie, never the id itself."""

    key: str
    account_id: str
    epoch: int
    source: str
    sign_in: str
    factor: FactorKind
    amr: tuple[str, ...]
    acr: str
    verified_at: int
    created_at: int
    expires_at: int
    touched_at: int
    client: str = "web"
    user_agent: str = ""
    address: str = ""

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
        and session.factor in allowed_factors(account, policy)
        and session.created_at > policy.fresh_start_at
        and session.created_at - SKEW_SECONDS <= now < lives_until(session, policy)
        and session.touched_at - SKEW_SECONDS <= now
    )


def lives_until(session: Session, policy: Policy) -> int:
    """When the session ends, by its own end or the policy's, absolute or idle, whichever comes first."""
    return min(
        session.expires_at,
        session.created_at + policy.session_ttl_seconds,
        session.touched_at + policy.idle_ttl_seconds,
    )
