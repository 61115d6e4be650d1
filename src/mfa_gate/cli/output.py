"""How commands show what they found: aligned tables for people, JSON for programs; it must not know what it shows."""

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from mfa_gate.core.messages import printable

BAR: Final = 30
"""Columns of a progress bar."""


def say_json(value: object) -> None:
    """One value, indented. Times in it are UTC seconds."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say_list(items: Iterable[object]) -> None:
    """A JSON array with an item on each line, written as it is read: a list may be long."""
    begun = False
    for item in items:
        click.echo(",\n" if begun else "[\n", nl=False)
        click.echo(msgspec.json.encode(item), nl=False)
        begun = True
    click.echo("\n]" if begun else "[]")


def say_table(columns: Sequence[str], pages: Iterable[Sequence[Sequence[str]]], *, empty: str) -> None:
    """Rows under their columns. Each page is aligned as it comes; a later one is never narrower."""
    widths = [len(name) for name in columns]
    begun = False
    for page in pages:
        # Security: names come from people; what a terminal would obey is shown as text.
        rows = [[printable(cell) for cell in row] for row in page]
        if not rows:
            continue
        widths = [
            max(width, *map(_width, cells))
            for width, cells in zip(widths, zip(*rows, strict=True), strict=True)
        ]
        if not begun:
            click.secho(_line(columns, widths), bold=True)
        begun = True
        for row in rows:
            click.echo(_line(row, widths))
    if not begun:
        click.echo(empty)


def say_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, one below the other."""
    shown = [(name, printable(value, 2_000)) for name, value in facts]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}".rstrip())


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Tell on a terminal how much of a long work is done; the caller calls with how much more it is."""
    total = 0
    shown = sys.stderr.isatty()

    def more(number: int) -> None:
        nonlocal total
        total += number
        if shown:
            click.echo(f"\r{total:,} {what} …", nl=False, err=True)

    try:
        yield more
    finally:
        if shown:
            click.echo(err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Draw on a terminal how much of a long work is done; the caller calls with how much, and of how much."""
    shown = sys.stderr.isatty()

    def show(done: int, total: int | None) -> None:
        if not shown:
            return
        part = min(1.0, done / total) if total else 0.0
        bar = "#" * round(part * BAR) + "-" * (BAR - round(part * BAR))
        of = "" if total is None else f" of {total:,}"
        click.echo(f"\r[{bar}] {done:,}{of} {what} ", nl=False, err=True)

    try:
        yield show
    finally:
        if shown:
            click.echo(err=True)


def moment(at: int) -> str:
    """A time as people read it, in UTC; nothing for 0, which stands for never."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def plural(count: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: two for East Asian wide letters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
