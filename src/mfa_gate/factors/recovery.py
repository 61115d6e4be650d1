"""What recovery codes look like and how one is found again; knows no account record and not who may use them.

A code has one form, in which it is shown, hashed and compared: `k3v9-0qhm-x72c-tdwe`, 80 random bits in Crockford's
base32. NIST SP 800-63B-4 §4.2 asks for 64. At that length a keyed hash is enough: the key (pepper) stands outside
the store, and whoever has both would still have 2⁸⁰ guesses to make.
"""

import hmac
from collections.abc import Callable, Iterable

CODES = 10
CODE_BYTES = 10

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUP = 4
_LENGTH = CODE_BYTES * 8 // 5
_LONGEST_INPUT = 64
# What people write for what they read; `u` is in no code and stands for nothing.
_READ_AS = str.maketrans("oil", "011", " \t\r\n-")
_DOMAIN = b"mfa_gate recovery code 1"


def new_codes(random: Callable[[int], bytes]) -> tuple[str, ...]:
    """Ten fresh codes; `random(n)` returns n bytes of cryptographic quality."""
    return tuple(_encode(random(CODE_BYTES)) for _ in range(CODES))


def normalize(text: str) -> str | None:
    """The one form of a typed code, or None; case, spaces, hyphens and look-alikes (o, i, l) do not matter."""
    # Security: ASCII first, for lower() turns the Kelvin sign into a k, and every spelling more is a trap.
    if len(text) > _LONGEST_INPUT or not text.isascii():
        return None
    letters = text.lower().translate(_READ_AS)
    if len(letters) != _LENGTH or not set(letters) <= set(_ALPHABET):
        return None
    return _grouped(letters)


def hash_code(code: str, pepper: bytes, account_id: str) -> bytes:
    """What is stored for `code`, in the form that `new_codes` and `normalize` give; another account's hash differs."""
    message = b"\0".join((_DOMAIN, account_id.encode(), code.encode()))
    return hmac.digest(pepper, message, "sha256")


def find(hashes: Iterable[bytes], code: str, pepper: bytes, account_id: str) -> bytes | None:
    """The stored hash that `code` (normalized) opens, or None; the caller removes it in the same commit.

    Security: all hashes are compared in constant time; stopping at the first would tell a code's place in the set.
    """
    wanted = hash_code(code, pepper, account_id)
    found = [stored for stored in hashes if hmac.compare_digest(stored, wanted)]
    return found[0] if found else None


def _encode(data: bytes) -> str:
    number = int.from_bytes(data)
    return _grouped("".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)))


def _grouped(letters: str) -> str:
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
