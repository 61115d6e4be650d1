"""A roster that was read: in order, with whoever comes twice named by both lines, on disk."""

from collections.abc import Iterator

import pytest

from mfa_gate.core.roster import RosterRow
from mfa_gate.roster.csv_file import BadLine, Numbered
from mfa_gate.roster.draft import SHOWN, Draft


@pytest.fixture
def draft() -> Iterator[Draft]:
    made = Draft()
    yield made
    made.close()


def row(subject: str, realm: str = "portal") -> RosterRow:
    return RosterRow(realm=realm, subject=subject, name=subject.title(), groups=("staff",))


def test_it_keeps_what_was_read_in_order(draft: Draft) -> None:
    told: list[int] = []
    rows = [row(f"user-{number}") for number in range(2_500)]
    draft.fill((Numbered(at, each) for at, each in enumerate(rows, 2)), told.append)
    assert [each for part in draft.rows(400) for each in part] == rows
    assert draft.people == 2_500
    assert draft.realms == {"portal"}
    assert sum(told) == 2_500
    assert draft.names(rows[7].account_id)
    assert not draft.names(row("nobody").account_id)
    assert draft.bad_count == 0


def test_whoever_comes_twice_is_named_by_both_lines(draft: Draft) -> None:
    found = [
        Numbered(2, row("Straße")),
        Numbered(3, row("bob")),
        Numbered(9, row("STRASSE ")),
        Numbered(10, row("bob", "b")),
    ]
    draft.fill(found, lambda _: None)
    assert draft.bad == [BadLine(9, "the same person as on line 2, also if spelled otherwise")]
    assert draft.people == 3
    assert draft.realms == {"portal", "b"}


def test_of_many_bad_lines_some_are_kept_and_all_counted(draft: Draft) -> None:
    draft.fill((BadLine(at, "bad") for at in range(200)), lambda _: None)
    assert len(draft.bad) == SHOWN
    assert draft.bad_count == 200
    assert list(draft.rows(10)) == []
