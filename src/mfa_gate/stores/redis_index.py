"""Decides which entries of sorted sets an account has in a Redis store; they decide nothing but what is shown.

All scores are 0 but for those of `until`, so that a set is in the order of its members' bytes, parts ended by NUL:

    names:<stands>            name, id, e-mail, subject, time
    emails:<stands>           e-mail, name, id, time       unless the name begins with the e-mail
    subjects:<stands>         subject, name, id, time      unless one of the others begins with it
    times:<stands>            time and name, id, e-mail, subject
    until:<stands>            id, its score the end: of those who stand so for a while only
    names:<stands>:<scope>    name, id                     likewise times: and until:

A scope is a group, or who was never seen. So a list with a filter is one range, and a counter is a size.
"""

from typing import Final

from mfa_gate.stores.index import FADES, IndexRow

Entries = dict[tuple[str, str], int]
"""(sorted set, member) → score."""

TIME: Final = 9
"""Hex digits of a time."""


def set_of(kind: str, stands: str, scope: str = "") -> str:
    """The name of a set within its shard."""
    return f"{kind}:{stands}:{scope}" if scope else f"{kind}:{stands}"


def entries_of(account_id: str, row: IndexRow | None) -> Entries:
    """The entries of one account."""
    if row is None:
        return {}
    name, email, subject = row.name_key, row.email_key, row.subject_key
    time, who = f"{row.last_verified_at:0{TIME}x}", f"{row.name_key}\0{account_id}"
    found: Entries = {
        (set_of("names", row.stands), f"{who}\0{email}\0{subject}\0{time}"): 0,
        (set_of("times", row.stands), f"{time}{who}\0{email}\0{subject}"): 0,
    }
    # A text that another one begins with is found through that one.
    if not name.startswith(email):
        found[set_of("emails", row.stands), f"{email}\0{who}\0{time}"] = 0
    if not name.startswith(subject) and not email.startswith(subject):
        found[set_of("subjects", row.stands), f"{subject}\0{who}\0{time}"] = 0
    for scope in row.scopes:
        found[set_of("names", row.stands, scope), who] = 0
        found[set_of("times", row.stands, scope), f"{time}{who}"] = 0
    if row.stands in FADES:
        for scope in ("", *row.scopes):
            found[set_of("until", row.stands, scope), account_id] = row.until
    return found
