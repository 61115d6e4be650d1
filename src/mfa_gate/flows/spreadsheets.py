"""Writes rows for spreadsheets (RFC 4180), in which a cell is never a formula; it must not know what they say."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "|",
    "%",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
)
_FORMULA_AT: Final = (*_FORMULA, "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")


def csv_lines(rows: Iterable[Sequence[str | int]]) -> Iterator[bytes]:
    """Each row as a line of UTF-8. Numbers stay numbers; text that a spreadsheet would compute is made text."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([cell if isinstance(cell, int) else harmless(cell) for cell in row])
        yield out.getvalue().encode("utf-8", "replace")
        out.seek(0)
        out.truncate()


def harmless(text: str) -> str:
    """Text as a spreadsheet shows it, whoever wrote it.

    # Security: names come from people, and a cell that begins so is a formula (CWE-1236), blanks before it or not.
    """
    return f"'{text}" if text.lstrip().startswith(_FORMULA_AT) or text.startswith(_FORMULA_AT) else text
