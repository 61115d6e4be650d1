"""Decides by which entries of sorted sets an account is found in lists and searches; they decide nothing else.

Everybody stands in one of four sets of names, so that a list with a filter is one range, and a counter is a size.
Somebody whose pause is over may still stand under `paused`, where the time beside them says so.
"""

from typing import Final, Literal

from mfa_gate.core.policy import Status
from mfa_gate.stores.documents import IndexRow

Stands = Literal["inactive", "missing", "paused", "enrolled"]
Entries = dict[tuple[str, str], int]
"""(sorted set, member) → score."""

STANDS: Final[tuple[Stands, ...]] = ("inactive", "missing", "paused", "enrolled")
TEXTS: Final = ("name", "email", "subject")
PAUSED: Final = "paused"

OF_STATUS: Final[dict[Status | None, tuple[Stands, ...]]] = {
    None: STANDS,
    "inactive": ("inactive",),
    "missing": ("missing",),
    "paused": ("paused",),
    "enrolled": ("paused", "enrolled"),
}
"""In which sets the people of a status are; a status that does not occur yet is in none."""


def entries_of(account_id: str, row: IndexRow | None) -> Entries:
    """The entries of one account."""
    if row is None:
        return {}
    stands = _stands(row)
    name, email, subject = map(sortable, (row.name_key, row.email_key, row.subject_key))
    found: Entries = {(f"name:{stands}", f"{name}\0{account_id}\0{email}\0{subject}"): 0}
    # A text that another one begins with is found through that one.
    if not name.startswith(email):
        found[f"email:{stands}", f"{email}\0{name}\0{account_id}"] = 0
    if not name.startswith(subject) and not email.startswith(subject):
        found[f"subject:{stands}", f"{subject}\0{name}\0{account_id}"] = 0
    if stands == "paused":
        found[PAUSED, account_id] = row.paused_until
    return found


def sortable(text: str) -> str:
    """A text as it may stand in a member, whose parts are told apart by NUL."""
    return text.replace("\0", "\1")


def place_in(text: str, member: bytes) -> tuple[bytes, bytes]:
    """(name, account id) in a member of a set of this text; whatever was put there by hand has some place, too."""
    parts = member.split(b"\0")
    name, account_id = (parts[:2] if text == "name" else parts[1:3]) if len(parts) >= 3 else (b"", b"")
    return name, account_id


def _stands(row: IndexRow) -> Stands:
    if not row.active:
        return "inactive"
    if not row.has_factor:
        return "missing"
    return "paused" if row.paused_until > 0 else "enrolled"
