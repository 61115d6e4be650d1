"""Decides what is in a Flask session cookie, exactly as Flask 3 does; it must not know which of it names the user.

The cookie is signed JSON, perhaps compressed, in which types that JSON lacks are tagged.
"""

import binascii
import hashlib
import json
import re
import zlib
from typing import Final

from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_decode

from mfa_gate.identity.session_cookie import (
    MAX_SESSION_BYTES,
    SKEW_SECONDS,
    UNREADABLE,
    Opener,
    Session,
    Unreadable,
)
from mfa_gate.settings import FlaskSession

_UUID: Final = re.compile(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")


def flask_opener(settings: FlaskSession) -> Opener:
    """What opens this portal's session cookies."""
    secrets = [*(secret.reveal() for secret in settings.fallback_secrets), settings.secret.reveal()]
    # SHA-1 is Flask's own choice; in HMAC its weakness against collisions does not matter (RFC 6194 §3.3).
    signer = TimestampSigner(secrets, salt=settings.salt, key_derivation="hmac", digest_method=hashlib.sha1)

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
        text = _unfolded(payload)
        found = None if text is None else _untagged(json.loads(text))
    except (BadData, zlib.error, binascii.Error, ValueError, RecursionError):
        return UNREADABLE
    return found if isinstance(found, dict) else UNREADABLE


def _unfolded(payload: bytes) -> str | None:
    """The JSON text in the payload; None if it is larger than a session should be."""
    if not payload.startswith(b"."):
        return base64_decode(payload).decode()
    inflater = zlib.decompressobj()
    text = inflater.decompress(base64_decode(payload[1:]), MAX_SESSION_BYTES)
    return text.decode() if inflater.eof else None


def _untagged(value: object) -> object:
    """`value` with Flask's tags undone, in the parts that can name a person; dates and bytes cannot."""
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _untagged(item) for key, item in value.items()}
    if len(inner) != 1:
        return inner
    (key, content) = next(iter(inner.items()))
    match key:
        case " di" if isinstance(content, dict):
            return {name.removesuffix("__"): item for name, item in content.items()}
        case " u" if isinstance(content, str) and (parts := _UUID.fullmatch(content)):
            return "-".join(parts.groups())
        case " m" | " t":
            return content
        case " d" | " b" | " di" | " u":
            return None
        case _:
            return inner
