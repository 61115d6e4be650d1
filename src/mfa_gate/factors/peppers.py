"""Decides with which pepper a code was hashed, so that peppers can be exchanged; it knows no account record.

What is stored begins with the mark of its pepper: four bytes that say which one it was and nothing about it.
"""

import hashlib
import hmac
from collections.abc import Iterable

from mfa_gate.factors import recovery

_MARK_BYTES = 4
_DOMAIN = b"mfa_gate pepper mark 1"


class Peppers:
    """The peppers in use, oldest first; the last one hashes, and any of them finds what it has hashed."""

    __slots__ = ("_secrets",)

    def __init__(self, *secrets: bytes) -> None:
        self._secrets = secrets

    @classmethod
    def of(cls, pepper: "bytes | Peppers") -> "Peppers":
        """Itself, or the one pepper."""
        return pepper if isinstance(pepper, Peppers) else cls(pepper)

    def renew(self, *secrets: bytes) -> None:
        """Use these from now on."""
        self._secrets = secrets

    def hash_code(self, code: str, account_id: str) -> bytes:
        """What is stored for a code, in the form that `recovery.normalize` gives."""
        return _hashed(code, self._secrets[-1], account_id)

    def find(self, hashes: Iterable[bytes], code: str, account_id: str) -> bytes | None:
        """The stored hash that `code` opens, or None; the caller removes it in the same commit.

        Security: every pepper and all hashes are tried, in constant time, as in `recovery.find`.
        """
        wanted = [_hashed(code, secret, account_id) for secret in self._secrets]
        found = [stored for stored in hashes for each in wanted if hmac.compare_digest(stored, each)]
        return found[0] if found else None


def is_made_with(stored: bytes, secret: bytes) -> bool:
    """True if a stored hash needs this pepper."""
    return stored.startswith(_mark(secret))


def _hashed(code: str, secret: bytes, account_id: str) -> bytes:
    return _mark(secret) + recovery.hash_code(code, secret, account_id)


def _mark(secret: bytes) -> bytes:
    return hmac.digest(secret, _DOMAIN, hashlib.sha256)[:_MARK_BYTES]
