"""The people, records and circumstances that the tests of the core speak of."""

from typing import Any

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, RecoveryCodes, Totp, account_id
from mfa_gate.core.assurance import acr_for, amr_for
from mfa_gate.core.events import Actor
from mfa_gate.core.sessions import Session
from mfa_gate.core.transitions import Attempt

NOW = 1_800_000_000
SECRET = bytes(range(20))
OTHER_SECRET = bytes(range(100, 120))
HASHES = tuple(bytes([number]) * 32 for number in range(1, 11))

ALICE = Identity(source="flask_session", realm="portal", subject="alice", session_id="s1")
ACTOR = Actor(subject="alice", realm="portal", address="192.0.2.7", surface="web")
ADMIN = Actor(subject="root", realm="portal", address="192.0.2.1", surface="web")

NEWCOMER = Account(
    id=account_id("portal", "alice"),
    realm="portal",
    subject="alice",
    name="Alice Ames",
    email="alice@example.org",
    version=3,
    epoch=4,
    first_seen_at=NOW - 90_000,
)
APP = Totp(id="t1", name="Phone", secret=SECRET, added_at=NOW - 80_000)
CODES = RecoveryCodes(made_at=NOW - 80_000, hashes=HASHES, total=len(HASHES))
ENROLLED = replace(NEWCOMER, totps=(APP,), recovery=CODES, two_step_since=NOW - 80_000)

SESSION = Session(
    key="k1",
    account_id=ENROLLED.id,
    epoch=ENROLLED.epoch,
    source=ALICE.source,
    sign_in="s1",
    factor="totp",
    amr=amr_for("totp"),
    acr=acr_for(amr_for("totp")),
    verified_at=NOW - 60,
    created_at=NOW - 60,
    expires_at=NOW + 3_600,
    touched_at=NOW - 30,
)


def attempt(now: int = NOW, *, sign_in: str = "s1", known: bool = False) -> Attempt:
    return Attempt(sign_in=sign_in, known=known, actor=ACTOR, now=now)


def with_app(account: Account, **changes: Any) -> Account:  # noqa: ANN401 - whatever fields a test is about
    """The account with its one authenticator app changed."""
    return replace(account, totps=(replace(account.totps[0], **changes),))
