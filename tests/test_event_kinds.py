"""Every kind of event is recorded by some act, told in words, and looked for by name in a test that does the act."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from mfa_gate.core.events import EventKind
from mfa_gate.web.sentences import TELLINGS

ROOT: Final = Path(__file__).parents[1]
KINDS: Final[tuple[str, ...]] = get_args(EventKind)
LISTS: Final = ("core/events.py", "web/sentences.py", "anchors/sinks.py", "mail/notices.py")
"""Where kinds are named without being recorded."""
LATER: Final = {"factor_removed"}
"""Kinds that no act of this version records: there is one factor of each person, which is replaced or turned off."""
UNDER_A_NAME: Final = {"coverage_counted": "COUNTED"}
"""Kinds that a constant stands for."""
SAMPLES: Final = ("tests/web/samples.py", "tests/web/test_sentences.py", "tests/test_event_kinds.py")
"""Where they are named without being looked for."""


def words(path: Path) -> Iterator[str]:
    """The literal texts and the names in a module."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id


def named_in(folder: Path, *, but: tuple[str, ...]) -> set[str]:
    paths = (path for path in folder.rglob("*.py") if not path.as_posix().endswith(but))
    return {word for path in paths for word in words(path)} & {*KINDS, *UNDER_A_NAME.values()}


@pytest.fixture(scope="module")
def recorded() -> set[str]:
    return named_in(ROOT / "src" / "mfa_gate", but=LISTS)


@pytest.fixture(scope="module")
def looked_for() -> set[str]:
    return named_in(ROOT / "tests", but=SAMPLES)


def test_every_kind_is_recorded_somewhere(recorded: set[str]) -> None:
    assert set(KINDS) - recorded == LATER


def test_every_kind_is_told_in_words() -> None:
    assert set(KINDS) == set(TELLINGS)


def test_every_kind_is_looked_for_by_a_test(looked_for: set[str]) -> None:
    assert {UNDER_A_NAME.get(kind, kind) for kind in KINDS} - looked_for == LATER
