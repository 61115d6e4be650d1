"""The table of attacks in the documentation and the tests name each other: nothing is claimed, nothing is hidden."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "explanation" / "attacks.md"
ROW = re.compile(r"^\| ([A-Z]\d\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
IDS = re.compile(r"^ *(?:async )?def test_((?:[A-Za-z]\d\d_)+)", re.MULTILINE)


def ids_of(folder: Path) -> Iterator[str]:
    """The ids that functions in a folder carry in their names."""
    for path in folder.rglob("*.py"):
        for found in IDS.findall(path.read_text("utf-8")):
            yield from found.upper().strip("_").split("_")


def vectors() -> set[str]:
    """The ids of requests in the tables of the doors' tests."""
    return {
        row["id"]
        for path in (TESTS / "edges" / "vectors").glob("*.toml")
        for row in tomllib.loads(path.read_text("utf-8"))["vector"]
        if row.get("id")
    }


def rows() -> list[tuple[str, str, str]]:
    """The table: id, trick, where it is tried."""
    return ROW.findall(PAGE.read_text("utf-8"))


def test_every_row_is_tried() -> None:
    tried, walls = set(ids_of(TESTS / "attacks")), set(ids_of(TESTS))
    for name, _, where in rows():
        for place in where.split(", "):
            if place == "vectors":
                assert name in vectors(), name
            elif place == "the walls":
                assert name in walls, name
            else:
                assert place == f"`test_{name}_*`", name
                assert name in tried, name


def test_every_attack_that_is_tried_has_a_row() -> None:
    listed = [name for name, _, _ in rows()]
    assert listed == sorted(set(listed))
    assert {*ids_of(TESTS / "attacks"), *vectors()} - {*listed} == set()


def test_no_row_says_what_another_says() -> None:
    tricks = [trick for _, trick, _ in rows()]
    assert len(set(tricks)) == len(tricks) > 50
