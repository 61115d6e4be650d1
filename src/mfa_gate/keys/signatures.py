"""Decides whether something was signed with one of our keys (Ed25519); it must not know what was signed."""

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from mfa_gate.core.errors import KeysError
from mfa_gate.keys.ring import Key, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def public_of(key: Key) -> PublicKey:
    """What others need to verify what this key signs."""
    return PublicKey(id=key.id, public=_private(key).public_key().public_bytes_raw())


def sign(key: Key, message: bytes) -> bytes:
    """The signature, 64 bytes."""
    return _private(key).sign(message)


def is_signed(message: bytes, signature: bytes, public: PublicKey) -> bool:
    """True if the holder of the key signed this message."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - asked for seldom, and slow to import
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_line(public: PublicKey) -> str:
    """A public key as one line: its id and 32 bytes in base64."""
    return f"{public.id} {b64encode(public.public).decode()}"


def public_lines(text: str) -> dict[str, PublicKey]:
    """The keys in lines as `public_line` writes them, by id. Raises `KeysError`."""
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key_id, _, encoded = line.partition(" ")
        try:
            public = b64decode(encoded.strip(), validate=True)
        except ValueError:
            public = b""
        if len(public) != 32:
            raise KeysError(
                f'"{line[:80]}" is no public key. Give the lines that `mfa-gate keys show --public` prints, or a '
                "file with them."
            )
        found[key_id] = PublicKey(id=key_id, public=public)
    return found


def _private(key: Key) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(key.secret)
