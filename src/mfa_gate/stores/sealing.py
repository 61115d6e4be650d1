"""Decides whether a record is one that we wrote, in the place it was written for; it knows no record's content.

A sealed record is `v1 | length of key id | key id | nonce | AES-256-GCM ciphertext and tag`. The header and the
record's place (store, kind of record, account, version …) are authenticated with it, so that a record which is
copied elsewhere, or put back under another version, does not open.
"""

from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mfa_gate.core.errors import KeysError, RecordCorrupt

_FORMAT = b"v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Sealer:
    """Seals and opens records; every key of `keys` opens, only the key named `current` seals.

    `random(n)` gives n unpredictable bytes. A key is good for 2^32 records (NIST SP 800-38D §8.3). `look_again` is
    asked where a record names a key that is not known here yet; True: the keys were renewed.
    Raises `KeysError` if a key does not fit AES-256 or `current` is not among them.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        current: str,
        random: Callable[[int], bytes],
        look_again: Callable[[], bool] = lambda: False,
    ) -> None:
        self._random = random
        self._look_again = look_again
        self.renew(keys, current)

    def renew(self, keys: Mapping[str, bytes], current: str) -> None:
        """Use these keys from now on. Raises `KeysError` as when made."""
        if current not in keys:
            raise KeysError(
                f'The seal key "{current}" is to write but is not among the keys; add it or name another.'
            )
        for name, key in keys.items():
            if len(key) != _KEY_BYTES:
                raise KeysError(
                    f'The seal key "{name}" has {len(key)} bytes; make one of {_KEY_BYTES} random bytes.'
                )
        self._ciphers = {_header(name): AESGCM(key) for name, key in keys.items()}
        self._current = _header(current)

    def is_current(self, sealed: bytes) -> bool:
        """True if a record is sealed with the key that seals now."""
        return sealed.startswith(self._current)

    def seal(self, plain: bytes, *place: str | int) -> bytes:
        """`plain` sealed for one place."""
        nonce = self._random(_NONCE_BYTES)
        header = self._current
        return header + nonce + self._ciphers[header].encrypt(nonce, plain, header + _encode(place))

    def open(self, sealed: object, *place: str | int) -> bytes:
        """What was sealed for this place. Raises `RecordCorrupt` for anything else, whatever its type."""
        if not isinstance(sealed, bytes) or len(sealed) <= len(_FORMAT):
            raise RecordCorrupt(f"{_name(place)} is no sealed record.")
        body = len(_FORMAT) + 1 + sealed[len(_FORMAT)]
        header = sealed[:body]
        cipher = self._ciphers.get(header)
        if cipher is None and self._look_again():
            cipher = self._ciphers.get(header)
        if cipher is None:
            raise RecordCorrupt(
                f"{_name(place)} is sealed with no key of ours; was a key taken out of the key file?"
            )
        try:
            return cipher.decrypt(
                sealed[body : body + _NONCE_BYTES], sealed[body + _NONCE_BYTES :], header + _encode(place)
            )
        except (InvalidTag, ValueError) as error:  # ValueError: too short to be a nonce and a tag
            raise RecordCorrupt(
                f"{_name(place)} does not open: it was damaged, forged or moved here."
            ) from error


def key_id_of(sealed: object) -> str:
    """The id of the key that a record says it is sealed with; empty for what is no record."""
    if not isinstance(sealed, bytes) or not sealed.startswith(_FORMAT) or len(sealed) <= len(_FORMAT):
        return ""
    begin = len(_FORMAT) + 1
    return sealed[begin : begin + sealed[len(_FORMAT)]].decode(errors="replace")


def _header(key_id: str) -> bytes:
    name = key_id.encode()
    if not 0 < len(name) < 256:
        raise KeysError(f'The seal key id "{key_id}" must have 1 to 255 bytes.')
    return _FORMAT + bytes([len(name)]) + name


def _encode(place: tuple[str | int, ...]) -> bytes:
    # Security: each part carries its type and length. Merely joined, ("a", "bc") and ("ab", "c") would be one place.
    parts: list[bytes] = []
    for part in place:
        if isinstance(part, str):
            raw = part.encode()
            parts += (b"s", len(raw).to_bytes(4), raw)
        else:
            raw = b"%d" % part
            parts += (b"i", len(raw).to_bytes(4), raw)
    return b"".join(parts)


def _name(place: tuple[str | int, ...]) -> str:
    return "The record " + " / ".join(str(part) for part in place)
