"""What a break-glass grant says and for whom it is good; it signs nothing and reads no file.

A grant lets one account pass at one public host for at most an hour, without the second step and without the store.
It is made on the server's own shell, and is the only bypass there is (HIPAA 164.312(a)(2)(ii), emergency access).
"""

import msgspec

from mfa_gate.core.accounts import Identity, account_id

MAX_SECONDS = 3600
SKEW_SECONDS = 60
_DOMAIN = b"mfa_gate break-glass 1\0"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One grant. `subject` is spelled as the portal spells it; `public_url` is the gate for which it was made."""

    id: str
    realm: str
    subject: str
    public_url: str
    granted_at: int
    until: int
    reason: str
    by: str


class SignedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as it is kept: the exact bytes that were signed, and with which key."""

    body: bytes
    key: str
    signature: bytes

    def read(self) -> Grant | None:
        """What it says; None for what is no grant. Whether it is ours, only the signature tells."""
        try:
            return msgspec.json.decode(self.body, type=Grant)
        except (msgspec.MsgspecError, ValueError):
            return None


def body_of(grant: Grant) -> bytes:
    """The bytes of a grant."""
    return msgspec.json.encode(grant, order="sorted")


def to_sign(body: bytes) -> bytes:
    """What is signed: the body under a name of its own, so that no signature over anything else passes for it."""
    return _DOMAIN + body


def is_good(grant: Grant, public_url: str, now: int) -> bool:
    """True while a grant counts at this gate.

    # Security: whatever was signed, an hour is the end of it, and a clock set back lengthens nothing.
    """
    return (
        grant.public_url == public_url
        and grant.granted_at - SKEW_SECONDS <= now < grant.until
        and grant.until - grant.granted_at <= MAX_SECONDS
    )


def names(grant: Grant, identity: Identity) -> bool:
    """True if it was made for this person, in this spelling unless the source says that case does not matter."""
    if account_id(grant.realm, grant.subject) != account_id(identity.realm, identity.subject):
        return False
    return identity.case_insensitive or identity.subject == grant.subject
