"""Decides which values make one row of a roster; it must not know whether they come from a file or a database."""

from collections.abc import Mapping
from typing import Final

from mfa_gate.core.mailboxes import mailbox
from mfa_gate.core.messages import printable
from mfa_gate.core.roster import RosterRow
from mfa_gate.identity.claims import groups_from, subject_from, text_from

COLUMNS: Final = ("realm", "subject", "name", "email", "groups", "active")
_YES: Final = frozenset({"", "yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})
_GROUPS: Final = 20_000
"""Characters of a cell with groups."""


class BadRow(Exception):
    """Why some values are no row of a roster, in a sentence."""


def columns_in(names: list[str], realms: tuple[str, ...]) -> list[str]:
    """The columns that a first line names, in its order. Raises `BadRow`.

    # Security: a column that is not known is refused rather than left out. A roster says who people are; whoever
    writes `role` or `exempt` into it wants something that it cannot do, and must be told (W19).
    """
    found = [name.strip().lower() for name in names]
    for name in found:
        if name not in COLUMNS:
            raise BadRow(
                f'the column "{printable(name, 40)}" is none of {", ".join(COLUMNS)}. A roster says who people are; '
                "it gives nobody a right, a factor or an exemption. Take the column out."
            )
        if found.count(name) > 1:
            raise BadRow(f'the column "{name}" comes twice')
    wanted = ("subject",) if len(realms) == 1 else ("realm", "subject")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise BadRow(
            f"the column {missing[0]} is missing. The first line has to name the columns: {','.join(COLUMNS)}"
        )
    return found


def row_of(values: Mapping[str, object], realms: tuple[str, ...]) -> RosterRow:
    """The row of some values by column. Raises `BadRow`. `realms`: those of the settings."""
    realm = _text(values, "realm") or (realms[0] if len(realms) == 1 else "")
    if realm not in realms:
        raise BadRow(f'no source has the realm "{printable(realm, 60)}". Known: {", ".join(realms)}')
    subject = values.get("subject")
    subject = subject_from(subject.strip() if isinstance(subject, str) else subject)
    if subject is None:
        raise BadRow("the subject is no account name: 1 to 255 visible characters")
    email = _text(values, "email")
    if email and mailbox(email) is None:
        # Security: whatever a mailer could take for a second address or for a header is none of ours (W14, W16).
        raise BadRow(f'"{printable(email, 60)}" is not one mail address')
    return RosterRow(
        realm=realm,
        subject=subject,
        name=_text(values, "name"),
        email=email,
        groups=_groups(values.get("groups")),
        active=_active(values.get("active")),
    )


def _text(values: Mapping[str, object], column: str) -> str:
    value = values.get(column)
    if value is None:
        return ""
    text = text_from(value)
    if not text and str(value).strip():
        raise BadRow(f"{column} has more than 255 characters, or some that cannot be seen")
    return text


def _groups(value: object) -> tuple[str, ...]:
    if value is None or isinstance(value, list | tuple):
        named = [str(each) for each in value or ()]
    else:
        named = str(value)[: _GROUPS + 1].replace(";", ",").split(",")
    wanted = [name for name in named if name.strip()]
    found = groups_from(wanted)
    if len(str(value)) > _GROUPS or len(found) < len({name.strip() for name in wanted}):
        raise BadRow("there are more than 200 groups, or one has a name that cannot be seen or is too long")
    return found


def _active(value: object) -> bool:
    word = "" if value is None else str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadRow(f'active is "{printable(word, 20)}"; write yes or no')
