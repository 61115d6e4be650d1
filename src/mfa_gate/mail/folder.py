"""Puts every letter into a folder, as a file that any mail program opens: for demonstrations; it sends nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from mfa_gate.core.errors import MailUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.flows.posting import Letter, Refused


class FolderPost:
    """`flows.posting.Post` into a folder, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def line(self) -> Iterator["FolderLine"]:
        """The folder. Raises `MailUnavailable` if nothing can be written there."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise MailUnavailable(_cannot(self._folder, error)) from error
        yield FolderLine(self._folder)


class FolderLine:
    """`flows.posting.Line` into a folder; a letter that comes twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offered: Letter | None = None

    def offer(self, letter: Letter) -> Refused | None:
        """Everybody is taken."""
        self._offered = letter
        return None

    def withdraw(self) -> None:
        """Do not write what was offered."""
        self._offered = None

    def send(self) -> Refused | None:
        """Write what was offered, as a whole or not at all."""
        letter, self._offered = self._offered, None
        if letter is None:
            raise ValueError("Offer a letter first.")
        target = self._folder / f"{letter.id}.eml"
        beside = target.with_suffix(f".{os.getpid()}.new")
        try:
            beside.write_bytes(letter.content)
            beside.replace(target)
        except OSError as error:
            raise MailUnavailable(_cannot(self._folder, error)) from error
        return None


def _cannot(folder: Path, error: OSError) -> str:
    return f'[mail] dir = "{folder}": {printable(error.strerror or str(error))}. Let the gate\'s user write there.'
