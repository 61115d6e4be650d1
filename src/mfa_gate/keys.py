"""Decides which keys the gate writes and reads with, and that nobody else could read them; it must not know any use.

Every purpose has keys of its own, oldest first: all of them read, the newest writes. They are kept in a JSON file of
mode 0600, or in the environment as the same text. Keys are never in the store nor in a backup.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from mfa_gate.core.errors import KeysError

VARIABLE: Final = "MFA_GATE_KEYS"
KEY_BYTES: Final = 32
Purpose = Literal["seal", "cookie", "pepper", "audit"]

_ID: Final = re.compile(r"[a-z0-9-]{1,32}")
_MAX_FILE_BYTES: Final = 64 * 1024
_CURE: Final = "Put back the key file as `mfa-gate init` wrote it"


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key. The id stands beside whatever was made with it; it is not secret."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.id!r}, …)"


class KeyRing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of one gate. A field is a purpose and holds its keys, oldest first; the last one writes.

    `seal` encrypts records, `cookie` signs what browsers keep, `pepper` keys the hashes of codes and tokens, `audit`
    chains events.
    """

    seal: tuple[Key, ...]
    cookie: tuple[Key, ...]
    pepper: tuple[Key, ...]
    audit: tuple[Key, ...]

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> Self:
        """A new ring; `random(n)` gives n unpredictable bytes."""
        return cls(
            **{
                purpose: (Key(id=random(4).hex(), secret=random(KEY_BYTES)),)
                for purpose in cls.__struct_fields__
            }
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """The ring in a key file. Raises `KeysError`: missing, readable by others, somebody else's, or damaged."""
        return cls.parse(_content(path), f'key file "{path}"')

    @classmethod
    def parse(cls, text: bytes | str, where: str) -> Self:
        """The ring in `text`; `where` is what an error calls it. Raises `KeysError`, which never shows a key."""
        try:
            ring = msgspec.json.decode(text, type=cls)
        except msgspec.ValidationError as why:
            raise KeysError(f"{where}: {why}. {_CURE}.") from None
        except (msgspec.DecodeError, UnicodeError):
            raise KeysError(f"{where} is not JSON. {_CURE}.") from None
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
        # Security: O_EXCL also refuses a link that somebody laid there; the mode is right from the first byte on.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o600)
        except FileExistsError:
            raise KeysError(
                f'key file "{path}" is there already. Without it the store cannot be read: move it away only if you '
                "mean to begin anew."
            ) from None
        except OSError as why:
            raise KeysError(
                f'key file "{path}": {why.strerror}. Make its folder, writable by the gate.'
            ) from None
        try:
            with os.fdopen(handle, "wb") as out:
                os.fchmod(out.fileno(), 0o600)
                out.write(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
                out.flush()
                os.fsync(out.fileno())
            _sync_folder(path.parent)
        except OSError as why:
            path.unlink(missing_ok=True)
            raise KeysError(
                f'key file "{path}": {why.strerror}. Make room, or name another in [keys] file.'
            ) from None


def _content(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeysError(
            f'there is no key file "{path}". Put it back from where you keep it; `mfa-gate init` makes the first one.'
        ) from None
    except OSError as why:
        raise KeysError(f'key file "{path}": {why.strerror}. Let the gate\'s own user read it.') from None
    try:
        # Security: the opened file is judged, not the name: between the two somebody could change it.
        _judge(path, os.fstat(handle))
        return os.read(handle, _MAX_FILE_BYTES)
    except OSError as why:
        raise KeysError(f'key file "{path}": {why.strerror}. Put it on a disk that can be read.') from None
    finally:
        os.close(handle)


def _judge(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeysError(f'key file "{path}" is not a file. Name the file itself in [keys] file.')
    if found.st_mode & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise KeysError(
            f'key file "{path}" has mode {mode}: others can use it. Run `chmod 600 {path}`, and if anybody '
            "could have read it, `mfa-gate keys rotate`."
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise KeysError(
            f'key file "{path}" belongs to user {found.st_uid}, the gate runs as {os.geteuid()}. '
            f"Run `chown {os.geteuid()} {path}`, or start the gate as its owner."
        )


def _check(ring: KeyRing, where: str) -> None:
    seen: set[bytes] = set()
    for purpose in ring.__struct_fields__:
        keys: tuple[Key, ...] = getattr(ring, purpose)
        if not keys:
            raise KeysError(f"{where} has no key for {purpose}. {_CURE}.")
        if len({key.id for key in keys}) < len(keys) or not all(_ID.fullmatch(key.id) for key in keys):
            raise KeysError(
                f"{where}: the ids of the {purpose} keys are not unique names of a-z, 0-9 and dashes. {_CURE}."
            )
        for key in keys:
            if len(key.secret) != KEY_BYTES or len(set(key.secret)) < 8:
                raise KeysError(f"{where}: {purpose} key {key.id} is not {KEY_BYTES} random bytes. {_CURE}.")
            # Security: one key for two purposes would let what was made for the one pass as the other.
            if key.secret in seen:
                raise KeysError(f"{where}: {purpose} key {key.id} stands there twice. {_CURE}.")
            seen.add(key.secret)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
