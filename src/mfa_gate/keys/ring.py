"""Decides which keys the gate writes and reads with, and that nobody else could read them; it must not know any use.

Every purpose has keys of its own, oldest first: all of them read, the newest that is not on standby writes. They are
kept in a JSON file of mode 0600, or in the environment as the same text. Keys are never in the store nor in a backup.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, Self, get_args

import msgspec

from mfa_gate.core.errors import KeysError
from mfa_gate.keys import files

VARIABLE: Final = "MFA_GATE_KEYS"
KEY_BYTES: Final = 32
Purpose = Literal["seal", "cookie", "pepper", "audit", "checkpoint", "break_glass"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

_ID: Final = re.compile(r"[a-z0-9-]{1,32}")


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key. The id stands beside whatever was made with it; it is not secret.

    `standby`: reads already, so that every process knows it before any writes with it. `stopped_at`: when it gave way
    to a newer one (0: it writes still, or has not begun).
    """

    id: str
    secret: bytes
    made_at: int = 0
    stopped_at: int = 0
    standby: bool = False

    def __repr__(self) -> str:
        return f"Key({self.id!r}, …)"


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows whether something was signed with the key of this id (Ed25519)."""

    id: str
    public: bytes


class KeyRing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The keys of one gate. A field is a purpose and holds its keys, oldest first.

    `seal` encrypts records, `cookie` signs what browsers keep, `pepper` keys the hashes of codes and tokens, `audit`
    chains events, `checkpoint` signs how far the trail reached, `break_glass` signs grants (both Ed25519 seeds).
    """

    seal: tuple[Key, ...]
    cookie: tuple[Key, ...]
    pepper: tuple[Key, ...]
    audit: tuple[Key, ...]
    checkpoint: tuple[Key, ...]
    break_glass: tuple[Key, ...]
    past_checkpoint: tuple[PublicKey, ...] = ()
    """Of retired keys only what shows that an old checkpoint is ours."""

    @classmethod
    def generate(cls, random: Callable[[int], bytes], now: int = 0) -> Self:
        """A new ring; `random(n)` gives n unpredictable bytes."""
        seal, cookie, pepper, audit, checkpoint, break_glass = ((new_key(random, now),) for _ in PURPOSES)
        return cls(
            seal=seal,
            cookie=cookie,
            pepper=pepper,
            audit=audit,
            checkpoint=checkpoint,
            break_glass=break_glass,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """The ring in a key file. Raises `KeysError`: missing, readable by others, somebody else's, or damaged."""
        return cls.parse(files.content(path), f'key file "{path}"')

    @classmethod
    def parse(cls, text: bytes | str, where: str) -> Self:
        """The ring in `text`; `where` is what an error calls it. Raises `KeysError`, which never shows a key."""
        try:
            ring = msgspec.json.decode(text, type=cls)
        except msgspec.ValidationError as why:
            raise KeysError(f"{where}: {why}. {files.CURE}.") from None
        except (msgspec.DecodeError, UnicodeError):
            raise KeysError(f"{where} is not JSON. {files.CURE}.") from None
        _check(ring, where)
        return ring

    @classmethod
    def find(cls, file: Path | None, environ: Mapping[str, str]) -> Self:
        """The ring in the environment if there is one, else in the file that `[keys] file` names."""
        if text := environ.get(VARIABLE):
            return cls.parse(text, f"environment variable {VARIABLE}")
        if file is None:
            raise KeysError(
                f"there are no keys. Name their file in [keys] file (`mfa-gate init` makes one), or set {VARIABLE}."
            )
        return cls.load(file)

    def write(self, path: Path) -> None:
        """Make the key file, durably, for the owner alone. Raises `KeysError` if there is one already."""
        files.make(path, self.text())

    def text(self) -> bytes:
        """The ring as the key file holds it."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"

    def reading(self, purpose: Purpose) -> tuple[Key, ...]:
        """All keys of a purpose, oldest first; what was made with any of them is ours."""
        keys: tuple[Key, ...] = getattr(self, purpose)
        return keys

    def writing(self, purpose: Purpose) -> Key:
        """The key that new things are made with."""
        return next(key for key in reversed(self.reading(purpose)) if not key.standby)

    def signing_last(self, purpose: Purpose) -> list[bytes]:
        """The secrets of a purpose with the one that writes at the end, as `Signer` takes them."""
        chosen = self.writing(purpose)
        return [key.secret for key in self.reading(purpose) if key is not chosen] + [chosen.secret]


def new_key(random: Callable[[int], bytes], now: int = 0) -> Key:
    """A key that nobody knows."""
    return Key(id=random(4).hex(), secret=random(KEY_BYTES), made_at=now)


def _check(ring: KeyRing, where: str) -> None:
    seen: set[bytes] = set()
    for purpose in PURPOSES:
        keys = ring.reading(purpose)
        if not keys:
            raise KeysError(f"{where} has no key for {purpose}. {files.CURE}.")
        ids = [key.id for key in keys]
        if purpose == "checkpoint":
            ids += [key.id for key in ring.past_checkpoint]
        if len(set(ids)) < len(ids) or not all(_ID.fullmatch(each) for each in ids):
            raise KeysError(
                f"{where}: the ids of the {purpose} keys are not unique names of a-z, 0-9 and dashes. {files.CURE}."
            )
        if keys[0].standby or any(key.standby for key in keys[:-1]):
            raise KeysError(
                f"{where}: of the {purpose} keys only a last, second one can be on standby. {files.CURE}."
            )
        for key in keys:
            if len(key.secret) != KEY_BYTES or len(set(key.secret)) < 8:
                raise KeysError(
                    f"{where}: {purpose} key {key.id} is not {KEY_BYTES} random bytes. {files.CURE}."
                )
            # Security: one key for two purposes would let what was made for the one pass as the other.
            if key.secret in seen:
                raise KeysError(f"{where}: {purpose} key {key.id} stands there twice. {files.CURE}.")
            seen.add(key.secret)
