"""Reads a roster from a CSV file, line by line, however big it is; what is wrong is told with its line."""

import csv
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from mfa_gate.core.errors import MfaGateError
from mfa_gate.core.roster import RosterRow
from mfa_gate.roster.rows import COLUMNS, BadRow, columns_in, row_of

LONGEST: Final = 65_536
"""Bytes of one record, quoted line ends included: more is read of none, so that no file eats our memory."""
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_SAVE: Final = 'save it as CSV in UTF-8 (in a spreadsheet: "CSV UTF-8")'


class Lines(Protocol):
    """A file, as far as it is needed here."""

    def readline(self, size: int) -> bytes:
        """The next line, or the first `size` bytes of it; nothing at the end."""


class RosterRefused(MfaGateError):
    """A roster that cannot be read at all; the text says why, and the cure."""


class Numbered(msgspec.Struct, frozen=True):
    """A row, and the line on which it begins."""

    line: int
    row: RosterRow


class BadLine(msgspec.Struct, frozen=True):
    """A line that is no row, and why."""

    line: int
    why: str


def read(file: Lines, realms: tuple[str, ...]) -> Iterator[Numbered | BadLine]:
    """What each record of the file says. Raises `RosterRefused`, also on the way."""
    lines = _Lines(file)
    records = _Records(lines)
    try:
        first = next(records, [])
    except csv.Error as error:
        raise RosterRefused(f"Line 1: its quotes or separators do not fit ({error}).") from error
    if not any(cell.strip() for cell in first):
        raise RosterRefused(
            f"The file is empty. Its first line has to name the columns: {','.join(COLUMNS)}."
        )
    columns = _columns(first, realms)
    while True:
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(records.line, f"its quotes or separators do not fit ({error})")
            continue
        if not cells:
            continue
        try:
            if len(cells) != len(columns):
                yield BadLine(
                    records.line, f"it has {len(cells)} cells where the first line names {len(columns)}"
                )
                continue
            yield Numbered(records.line, row_of(dict(zip(columns, cells, strict=True)), realms))
        except BadRow as bad:
            yield BadLine(records.line, str(bad))


def _columns(first: list[str], realms: tuple[str, ...]) -> list[str]:
    if len(first) == 1 and any(mark in first[0] for mark in ";\t"):
        raise RosterRefused("Line 1: the columns are not separated by commas; " + _SAVE + ".")
    try:
        return columns_in(first, realms)
    except BadRow as bad:
        raise RosterRefused(f"Line 1: {bad}.") from bad


class _Lines:
    """The lines of a file as text. Raises `RosterRefused`."""

    def __init__(self, file: Lines) -> None:
        self._file = file
        self.number = 0
        self.record = 0
        """Bytes that were read since a record began."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        # Security: neither a line without an end nor a quote that is never closed is read into memory as a whole.
        raw = self._file.readline(LONGEST + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self.record += len(raw)
        if self.number == 1:
            raw = self._begun(raw)
        if self.record > LONGEST:
            raise RosterRefused(
                f"Line {self.number}: one person takes more than {LONGEST:,} bytes. A quote that is never closed or "
                "line ends of another kind look so; " + _SAVE + "."
            )
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise RosterRefused(
                f"Line {self.number} is not in UTF-8, but perhaps in Latin-1; {_SAVE}."
            ) from None

    def _begun(self, raw: bytes) -> bytes:
        if raw.startswith(_UTF16_BOMS) or b"\0" in raw[:100]:
            raise RosterRefused(f"The file is in UTF-16 or not text at all; {_SAVE}.")
        return raw.removeprefix(_UTF8_BOM)


class _Records:
    """The records of some lines. `line` is where the last one begins. Raises `csv.Error`; the next goes on."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._reader = csv.reader(lines, strict=True)
        self.line = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        self.line = self._lines.number + 1
        self._lines.record = 0
        return next(self._reader)
