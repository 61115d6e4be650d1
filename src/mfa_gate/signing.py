"""Decides whether a token that comes back is one that the gate gave out, for this purpose and not too long ago.

It must not know what follows from it. A token is `payload.time.signature` (itsdangerous, HMAC-SHA-256), readable by
its holder and below 4 KB; every purpose has a salt of its own, so that none can be shown as another.
"""

import hashlib
import re
import struct
from collections.abc import Sequence
from typing import Final, Literal, TypeVar

import msgspec
from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode, bytes_to_int, int_to_bytes

from mfa_gate.core.errors import KeysError

Purpose = Literal["session", "pending", "csrf", "link", "roster"]

MAX_TOKEN: Final = 4000
"""Characters of a token. Browsers keep 4,096 bytes of a cookie's name and value (RFC 6265 §6.1)."""
REMEMBERED: Final = 4_096
"""Tokens of one purpose that were read before and need no look at their signature."""
SKEW_SECONDS: Final = 60
"""How far the clock of another worker may be ahead of ours."""

_SALTS: Final[dict[Purpose, bytes]] = {
    "session": b"mfa_gate.session.1",
    "pending": b"mfa_gate.pending.1",
    "csrf": b"mfa_gate.csrf.1",
    "link": b"mfa_gate.link.1",
    "roster": b"mfa_gate.roster.1",
}
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)
_MIN_KEY_BYTES: Final = 32


class SessionCookie(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the session cookie carries: where the session is kept, its random id, and what it was made under."""

    account: str
    """The account's id; its first digit is the shard."""
    id: str
    epoch: int
    store: str


class Pending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way through setup or verification that a browser is on; `next` is where it wanted to go."""

    id: str
    account: str
    next: str
    enrollment: str | None
    started_at: int


class Csrf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Proof that a form was given out by us, to this holder."""

    holder: str


T = TypeVar("T", bound=msgspec.Struct)


class Signer:
    """Signs and reads the tokens of one purpose. `keys` are oldest first: all of them read, the last one signs."""

    def __init__(self, purpose: Purpose, keys: Sequence[bytes]) -> None:
        self._purpose = purpose
        self._salt = _SALTS[purpose]
        self.renew(keys)

    def renew(self, keys: Sequence[bytes]) -> None:
        """Use these keys from now on. Raises `KeysError` as when made."""
        if not keys or any(len(key) < _MIN_KEY_BYTES for key in keys):
            raise KeysError(
                f"the keys that sign ({self._purpose}) must be at least one, each of {_MIN_KEY_BYTES} random bytes. "
                "Put back the key file as `mfa-gate init` wrote it."
            )
        self._clocked = _Clocked(keys, self._salt)
        # Another one, not emptied: a thread may still be reading under the former keys.
        self._known: dict[tuple[str, type[msgspec.Struct]], tuple[msgspec.Struct, int]] = {}

    def sign(self, payload: msgspec.Struct, now: int) -> str:
        """A token that says `payload`. Raises `ValueError` if it would be longer than a cookie can be."""
        token = self._clocked.sign_at(base64_encode(msgspec.json.encode(payload)), now).decode()
        if len(token) > MAX_TOKEN:
            raise ValueError(
                f"a token of {len(token)} characters does not fit a cookie; shorten what it carries"
            )
        return token

    def read(self, token: str, kind: type[T], now: int, max_age: int) -> T | None:
        """What the token says, if we said it at most `max_age` seconds ago; None for anything else. Never raises."""
        known = self._known
        found = known.get((token, kind))
        if found is None:
            found = self._read(token, kind)
            if found is None:
                return None
            if len(known) >= REMEMBERED:
                known.clear()
            known[token, kind] = found
        said, signed_at = found
        return said if isinstance(said, kind) and -SKEW_SECONDS <= now - signed_at <= max_age else None

    def _read(self, token: str, kind: type[T]) -> tuple[T, int] | None:
        """What the token says, and when it was signed."""
        found = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN else None
        if found is None:
            return None
        payload, signed_at, signature = (part.encode() for part in found.groups())
        try:
            # Security: base64 has several spellings of the same bytes; only ours counts, or a changed token would pass.
            if any(base64_encode(base64_decode(part)) != part for part in (payload, signed_at, signature)):
                return None
            self._clocked.unsign(token)
            said = msgspec.json.decode(base64_decode(payload), type=kind)
            return said, bytes_to_int(base64_decode(signed_at))
        except (BadData, msgspec.DecodeError, ValueError, OverflowError, RecursionError, struct.error):
            return None


class _Clocked(TimestampSigner):
    """itsdangerous with the time as an argument, and the key derived once."""

    def __init__(self, keys: Sequence[bytes], salt: bytes) -> None:
        super().__init__(list(keys), salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
        self._derived: dict[str | bytes | None, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """As itsdangerous derives it, once for each key."""
        derived = self._derived.get(secret_key)
        if derived is None:
            derived = self._derived[secret_key] = super().derive_key(secret_key)
        return derived

    def sign_at(self, value: bytes, now: int) -> bytes:
        """As `sign` does it, at the time that the caller gives."""
        timed = b"".join((value, b".", base64_encode(int_to_bytes(now))))
        return super(TimestampSigner, self).sign(timed)
