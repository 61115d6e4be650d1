"""Decides whether a key file is one that nobody else can read or replace; it must not know what a key is."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mfa_gate.core.errors import KeysError
from mfa_gate.files import locked, replace_file, sync_folder

CURE: Final = "Put back the key file as `mfa-gate init` wrote it"
_MAX_BYTES: Final = 64 * 1024


def content(path: Path) -> bytes:
    """What is in a key file. Raises `KeysError`: missing, readable by others, or somebody else's."""
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
        return os.read(handle, _MAX_BYTES)
    except OSError as why:
        raise KeysError(f'key file "{path}": {why.strerror}. Put it on a disk that can be read.') from None
    finally:
        os.close(handle)


def make(path: Path, text: bytes) -> None:
    """Make a key file, durably, for the owner alone. Raises `KeysError` if there is one already."""
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
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(path.parent)
    except OSError as why:
        path.unlink(missing_ok=True)
        raise KeysError(
            f'key file "{path}": {why.strerror}. Make room, or name another in [keys] file.'
        ) from None


def change(path: Path, plan: Callable[[bytes], bytes]) -> None:
    """Replace what is in a key file by what `plan` makes of it, while nobody else changes it. Raises `KeysError`."""
    try:
        with locked(path):
            before = content(path)
            after = plan(before)
            if after != before:
                replace_file(path, after)
    except OSError as why:
        raise KeysError(
            f'key file "{path}": {why.strerror}. Let the user who runs this command write its folder.'
        ) from None


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
