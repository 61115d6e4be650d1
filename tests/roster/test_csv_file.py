"""What a CSV file says of people: line by line, in little memory, and what is wrong with its line and a cure."""

import io
import tracemalloc
from collections.abc import Iterator

import pytest

from mfa_gate.core.roster import RosterRow
from mfa_gate.roster.csv_file import LONGEST, BadLine, Numbered, RosterRefused, read

HEAD = "realm,subject,name,email,groups,active\n"
REALMS = ("portal",)


def found(text: str | bytes, realms: tuple[str, ...] = REALMS) -> list[Numbered | BadLine]:
    raw = text if isinstance(text, bytes) else text.encode()
    return list(read(io.BytesIO(raw), realms))


def refused(text: str | bytes, realms: tuple[str, ...] = REALMS) -> str:
    with pytest.raises(RosterRefused) as error:
        found(text, realms)
    return str(error.value)


def why(cells: str, head: str = HEAD) -> str:
    (only,) = found(head + cells + "\n")
    assert isinstance(only, BadLine), only
    assert only.line == 2
    return only.why


ALICE = RosterRow(
    realm="portal",
    subject="alice",
    name="Alice Moreau",
    email="alice@example.com",
    groups=("staff", "ward 3"),
)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + 'portal,alice,Alice Moreau,alice@example.com,"staff, ward 3",yes\n',
        HEAD + "portal,alice,Alice Moreau,alice@example.com,staff;ward 3;,\n",
        (HEAD + 'portal,alice,"Alice Moreau",alice@example.com,"staff,ward 3",TRUE').replace("\n", "\r\n"),
        "\ufeff" + HEAD + "\n\nportal, alice ,Alice Moreau,alice@example.com,staff;ward 3,1\n\n",
        "Active,groups,EMAIL,name,subject\n,staff;ward 3,alice@example.com,Alice Moreau,alice\n",
    ],
)
def test_the_same_person_in_many_spellings(text: str) -> None:
    assert [each.row for each in found(text) if isinstance(each, Numbered)] == [ALICE]


def test_lines_are_counted_where_a_record_begins() -> None:
    rows = found(HEAD + 'portal,a,"A\nB",,,\nportal,b,B,,,no\n\nportal,c,,,,\n')
    assert [(each.line, isinstance(each, BadLine)) for each in rows] == [(2, True), (4, False), (6, False)]
    assert [each.row.active for each in rows if isinstance(each, Numbered)] == [False, True]


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ("other,alice,,,,", 'no source has the realm "other"'),
        ("portal,,,,,", "no account name"),
        ("portal,\u200b,,,,", "no account name"),
        ("portal," + "a" * 256 + ",,,,", "no account name"),
        ("portal,alice,A\x1b[2J,,,", "name has"),
        ("portal,alice," + "a" * 256 + ",,,", "name has"),
        ("portal,alice,,not an address,,", "not one mail address"),
        ('portal,alice,,"a@example.com,b@example.com",,', "not one mail address"),
        ('portal,alice,,"a@example.com\nBcc: b@example.com",,', "email has"),
        ("portal,alice,,,,maybe", 'active is "maybe"'),
        ("portal,alice,,,a\x00b,", "groups"),
        ("portal,alice,,," + ";".join(f"g{number}" for number in range(201)) + ",", "more than 200 groups"),
        ("portal,alice,,," + "g" * 20_001 + ",", "more than 200 groups"),
        ("portal,alice", "2 cells where the first line names 6"),
        ("portal,alice,,,,,,,", "9 cells"),
        ('portal,"ali"ce,,,,', "quotes"),
    ],
)
def test_a_bad_line_is_named_and_the_next_ones_are_read(cells: str, word: str) -> None:
    assert word in why(cells)
    rows = found(HEAD + cells + "\nportal,bob,,,,\n")
    assert isinstance(rows[-1], Numbered)


def test_formulas_are_names_like_others() -> None:
    """They are made harmless where they leave as a table, not where they come in (W12)."""
    (only,) = found(HEAD + 'portal,alice,"=HYPERLINK(""x"")",,,\n')
    assert isinstance(only, Numbered)
    assert only.row.name == '=HYPERLINK("x")'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("empty", "realm,subject")),
        ("\n\n", ("empty",)),
        ('"realm,subject\n', ("Line 1", "quotes")),
        ("realm,name\n", ("column subject is missing", "Line 1")),
        ("realm,subject,role\n", ('"role"', "gives nobody a right")),
        ("subject,subject\n", ("twice",)),
        (HEAD.replace(",", ";"), ("not separated by commas", "UTF-8")),
        (HEAD.encode("utf-16"), ("UTF-16", "UTF-8")),
        (HEAD.encode("utf-16-le"), ("UTF-16",)),
        ((HEAD + "portal,zoé,,,,\n").encode("latin-1"), ("Line 2", "Latin-1", "UTF-8")),
        (b"\x00\x01\x02", ("not text",)),
        (HEAD + 'portal,alice,"never closed,,,\n' + "portal,bob,,,,\n" * 9_000, ("quote", "65,536 bytes")),
        (HEAD.replace("\n", "\r") + "portal,alice,,,,\r" * 9_000, ("line ends",)),
        (",".join(f"c{number}" for number in range(9_000)) + "\n", ('"c0"',)),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_cure(text: str | bytes, words: tuple[str, ...]) -> None:
    told = refused(text)
    assert all(word in told for word in words), told
    assert len(told) < 400


def test_with_several_realms_each_line_names_its_own() -> None:
    assert "column realm is missing" in refused("subject\nalice\n", ("a", "b"))
    (only,) = found("realm,subject\nb,alice\n", ("a", "b"))
    assert isinstance(only, Numbered)
    assert only.row.realm == "b"
    assert isinstance(found("realm,subject\n,alice\n", ("a", "b"))[0], BadLine)


class Endless:
    """A file whose second line has no end."""

    def __init__(self) -> None:
        self.given = 0

    def readline(self, size: int) -> bytes:
        self.given += 1
        return HEAD.encode() if self.given == 1 else b"a" * size


def test_a_line_without_end_takes_no_memory() -> None:
    file = Endless()
    with pytest.raises(RosterRefused, match="Line 2"):
        list(read(file, REALMS))
    assert file.given == 2


class Long:
    """A file of many lines, made while it is read."""

    def __init__(self, lines: int) -> None:
        self._lines = self._made(lines)

    def _made(self, lines: int) -> Iterator[bytes]:
        yield HEAD.encode()
        for number in range(lines):
            yield b"portal,user%d,Name,user%d@example.com,staff,yes\n" % (number, number)

    def readline(self, size: int) -> bytes:
        return next(self._lines, b"")[:size]


def test_a_long_file_takes_as_little_memory_as_a_short_one() -> None:
    tracemalloc.start()
    try:
        assert sum(isinstance(each, Numbered) for each in read(Long(5_000), REALMS)) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * LONGEST
