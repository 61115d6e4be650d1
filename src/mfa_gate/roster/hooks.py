"""Reads a roster from where the portal itself keeps its people: a Python callable, or a query to a database."""

import importlib
from collections.abc import Iterator, Mapping
from typing import Final

from mfa_gate.core.messages import printable
from mfa_gate.roster.csv_file import BadLine, Numbered, RosterRefused
from mfa_gate.roster.rows import BadRow, columns_in, row_of

AT_ONCE: Final = 1000
"""Rows that a database hands over in one go."""


def from_callable(name: str, realms: tuple[str, ...]) -> Iterator[Numbered | BadLine]:
    """What the callable `module:function` gives. Raises `RosterRefused`."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)()
        for number, values in enumerate(found, 1):
            yield _judged(number, _by_column(number, values), realms)
    except Exception as error:
        raise RosterRefused(f"[roster] callable {name} failed: {_said(error)}. Mend it there.") from error


def from_query(url: str, query: str, realms: tuple[str, ...]) -> Iterator[Numbered | BadLine]:
    """What a query to a database gives, some rows at a time. Raises `RosterRefused`, which never shows the URL."""
    try:
        import sqlalchemy  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        raise RosterRefused(
            "[roster] url needs SQLAlchemy. Install mfa-gate with its extra: pip install 'mfa-gate[roster]'."
        ) from None
    try:
        engine = sqlalchemy.create_engine(url)
    except Exception as error:  # noqa: BLE001 (drivers raise what they like)
        # Security: what SQLAlchemy says of a URL that it cannot read may hold the password.
        raise RosterRefused(
            f"[roster] url is none that SQLAlchemy knows ({type(error).__name__}). Write it as "
            "dialect+driver://user:password@host/database, and install its driver."
        ) from None
    try:
        with engine.connect().execution_options(yield_per=AT_ONCE) as connection:
            result = connection.execute(sqlalchemy.text(query))
            columns = columns_in(list(result.keys()), realms)
            for number, cells in enumerate(result, 1):
                yield _judged(number, dict(zip(columns, cells, strict=True)), realms)
    except BadRow as bad:
        raise RosterRefused(f"[roster] query: {bad}.") from bad
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise RosterRefused(f"[roster] query failed: {_said(error)}. Mend it, or the way there.") from None
    finally:
        engine.dispose()


def _by_column(number: int, values: object) -> dict[str, object]:
    if not isinstance(values, Mapping):
        raise TypeError(f"person {number} is no mapping")
    return {str(key).lower(): value for key, value in values.items()}


def _judged(number: int, values: Mapping[str, object], realms: tuple[str, ...]) -> Numbered | BadLine:
    try:
        columns_in(list(values), realms)
        return Numbered(number, row_of(values, realms))
    except BadRow as bad:
        return BadLine(number, str(bad))


def _said(error: Exception) -> str:
    """What an error says, on one line, without the statement and its parameters."""
    told = str(getattr(error, "orig", None) or error)
    return f"{type(error).__name__}: {printable(told.splitlines()[0] if told else '', 200)}"
