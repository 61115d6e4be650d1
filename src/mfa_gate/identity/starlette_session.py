"""Decides what is in a cookie of SessionMiddleware, exactly as Starlette does; it must not know its fields' meaning."""

import binascii
import hashlib
import json
from base64 import b64decode

from itsdangerous import BadData, TimestampSigner

from mfa_gate.identity.session_cookie import (
    MAX_SESSION_BYTES,
    SKEW_SECONDS,
    UNREADABLE,
    Opener,
    Session,
    Unreadable,
)
from mfa_gate.settings import StarletteSession


def starlette_opener(settings: StarletteSession) -> Opener:
    """What opens this portal's session cookies."""
    # SHA-1 is Starlette's choice. It is named here because itsdangerous' own default goes a slower way to the same.
    signer = TimestampSigner(settings.secret.reveal(), digest_method=hashlib.sha1)

    def opened(value: str, now: int) -> Session | Unreadable | None:
        try:
            payload, signed_at = signer.unsign(value.encode(), return_timestamp=True)
            if not -SKEW_SECONDS <= now - signed_at.timestamp() <= settings.max_age + SKEW_SECONDS:
                return None
        except (BadData, UnicodeError, ValueError, OverflowError, OSError):
            return None
        return _session(payload)

    return opened


def _session(payload: bytes) -> Session | Unreadable:
    try:
        text = b64decode(payload)
        found = json.loads(text) if len(text) <= MAX_SESSION_BYTES else None
    except (binascii.Error, ValueError, RecursionError):
        return UNREADABLE
    return found if isinstance(found, dict) else UNREADABLE
