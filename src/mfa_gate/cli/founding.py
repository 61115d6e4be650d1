"""Makes what a gate needs before its first start: folders, keys and the store. It overwrites nothing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mfa_gate.core.errors import SettingsError, StoreUnavailable
from mfa_gate.core.events import Actor
from mfa_gate.flows.anchoring import first_anchor
from mfa_gate.keys import VARIABLE, KeyRing
from mfa_gate.opening import anchor_file, create_store, store_exists
from mfa_gate.settings import Settings
from mfa_gate.wiring import Sources

if TYPE_CHECKING:
    from mfa_gate.ports import Store


def found(settings: Settings, sources: Sources, os_user: str) -> tuple[KeyRing, "Store"]:
    """Make the store and its anchor, and the keys unless they are there; all or nothing.

    Raises `StoreUnavailable` if there is a store, or the anchor of one, and `KeysError`.
    """
    if store_exists(settings):
        raise StoreUnavailable(
            f"The store {settings.store} is there already and is not overwritten. "
            "To forget everybody and begin anew, move it away."
        )
    _refuse_anchor_of_another(settings.anchor.path)
    file = None if settings.store.redis else settings.store.path
    for path in (file, settings.keys.file, settings.anchor.path):
        if path is not None:
            make_folder(path.parent)
    if settings.mail.dir is not None:
        make_folder(settings.mail.dir)
    file = settings.keys.file
    made = None
    if file is not None and not file.exists() and not os.environ.get(VARIABLE):
        KeyRing.generate(sources.random, int(sources.clock())).write(file)
        made = file
    try:
        keys = KeyRing.find(file, os.environ)
        store = create_store(settings, keys, sources, Actor(subject=os_user, surface="shell"))
    except BaseException:
        if made is not None:
            made.unlink(missing_ok=True)
        raise
    anchor = anchor_file(settings)
    if anchor is not None:
        anchor.accept(first_anchor(store.stream.reached(), int(sources.clock())))
    return keys, store


def _refuse_anchor_of_another(path: Path | None) -> None:
    if path is not None and path.exists():
        raise StoreUnavailable(
            f"There is an anchor {path}, but not the store that it belongs to. Put the store back from a backup with "
            "`mfa-gate restore PATH`, or, to forget everybody and begin anew, move the anchor away, too."
        )


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for their owner alone. Raises `SettingsError`."""
    try:
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f'folder "{folder}" cannot be made: {error.strerror}. Name another.') from None


def write_new(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file that is not there yet. Raises `SettingsError`."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise SettingsError(f'"{file}" is there already and is not overwritten.') from None
    except OSError as error:
        raise SettingsError(f'"{file}" cannot be written: {error.strerror}.') from None
