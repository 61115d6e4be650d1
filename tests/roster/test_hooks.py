"""A roster from Python or from a database: the same rows as from a file, and clear words where it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate.core.roster import RosterRow
from mfa_gate.roster.csv_file import BadLine, Numbered, RosterRefused
from mfa_gate.roster.hooks import AT_ONCE, from_callable, from_query

REALMS = ("portal",)


def everybody() -> Iterator[dict[str, object]]:
    yield {"subject": "alice", "name": "Alice", "groups": ["staff", "ward, 3"], "active": True}
    yield {"Subject": 7, "active": 0, "email": None}
    yield {"subject": "bob", "role": "admin"}


def failing() -> Iterator[dict[str, object]]:
    yield {"subject": "alice"}
    message = "no connection\nto the directory"
    raise OSError(message)


def odd() -> list[str]:
    return ["alice"]


def test_a_callable() -> None:
    found = list(from_callable(f"{__name__}:everybody", REALMS))
    assert [each.row for each in found if isinstance(each, Numbered)] == [
        RosterRow(realm="portal", subject="alice", name="Alice", groups=("staff", "ward, 3")),
        RosterRow(realm="portal", subject="7", active=False),
    ]
    assert isinstance(found[2], BadLine)
    assert found[2].line == 3
    assert "gives nobody a right" in found[2].why


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("nowhere.at_all:everybody", "ModuleNotFoundError"),
        (f"{__name__}:nobody", "AttributeError"),
        (f"{__name__}:failing", "OSError: no connection"),
        (f"{__name__}:odd", "person 1 is no mapping"),
        (f"{__name__}:REALMS", "TypeError"),
    ],
)
def test_a_callable_that_fails(name: str, word: str) -> None:
    with pytest.raises(RosterRefused, match=word):
        list(from_callable(name, REALMS))


def test_a_query_streams(tmp_path: Path) -> None:
    number = 2 * AT_ONCE + 1
    query = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
        "SELECT 'user' || i AS subject, 'a;b' AS groups, 1 AS active FROM n"
    )
    found = list(from_query(f"sqlite:///{tmp_path / 'x.db'}", query, REALMS))
    assert len(found) == number
    assert found[-1] == Numbered(
        number, RosterRow(realm="portal", subject=f"user{number}", groups=("a", "b"))
    )


@pytest.mark.parametrize(
    ("url", "query", "word"),
    [
        ("sqlite://", "SELECT 1 AS role", "gives nobody a right"),
        ("sqlite://", "SELECT 'x' AS name", "column subject is missing"),
        ("sqlite://", "SELEC 1", "OperationalError"),
        ("sqlite:////nowhere/at/all.db", "SELECT 1", "unable to open"),
        ("nothing+at+all://user:hunter2@host/db", "SELECT 1", "none that SQLAlchemy knows"),
        ("hunter2", "SELECT 1", "none that SQLAlchemy knows"),
    ],
)
def test_a_query_that_fails_never_shows_the_password(url: str, query: str, word: str) -> None:
    with pytest.raises(RosterRefused, match=word) as error:
        list(from_query(url, query, REALMS))
    assert "hunter2" not in str(error.value)
