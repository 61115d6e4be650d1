"""Decides which values may stand for a person, a mail address or a group; it must not know where they were found."""

from collections.abc import Iterable
from typing import Final

from mfa_gate.core.accounts import fold_subject

MAX_SUBJECT: Final = 255
_MAX_TEXT: Final = 255
_MAX_GROUPS: Final = 200
_BIGGEST: Final = 10**18


def subject_from(value: object) -> str | None:
    """The subject that `value` is: text of 1 to 255 printable characters, or a whole number; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < _BIGGEST else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT:
        return None
    # Security: invisible characters (controls, zero-width, bidirectional) would make two people look like one.
    return value if value.isprintable() and fold_subject(value) else None


def text_from(value: object) -> str:
    """A name or a mail address to show, or `""`."""
    usable = isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()
    return value.strip() if usable and isinstance(value, str) else ""


def groups_from(value: object) -> tuple[str, ...]:
    """Groups from a list, or from text with commas. What is no group's name is left out."""
    if isinstance(value, str):
        found: Iterable[object] = value.split(",")
    else:
        found = value if isinstance(value, list | tuple) else ()
    names = (text_from(item) for item in found)
    return tuple(dict.fromkeys(name for name in names if name))[:_MAX_GROUPS]


def utf8(text: str) -> str:
    """Header text as it was meant: servers hand over bytes as latin-1, people write UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
