"""Decides which entries of sorted sets an account has in a Redis store; they decide nothing but what is shown.

All scores are 0 but for those of the last three, so that a set is in the order of its members' bytes, parts ended by
NUL:

    names:<stands>            name, id, e-mail, subject, time
    emails:<stands>           e-mail, name, id, time       unless the name begins with the e-mail
    logins:<stands>           subject, name, id, time      unless one of the others begins with it; before both stands a
                              digit: how many characters they begin with as the name does
    others:<stands>:<ab>      name, id, e-mail, subject    if one of the last two begins so, and the name does not
    times:<stands>            time and name, id, e-mail, subject
    starts:<stands>:<ab>      likewise                     if any text begins so
    until:<stands>            name, id     the score is until when: of those who stand so for a while only
    first_seen:<stands>       name, id     the score is from when their own time counts: of those who are new
    created:<stands>          name, id     likewise
    names:<stands>:<scope>    name, id     likewise times:, which begins with the time, and the last three

Nobody who is new has a time, and so is in no set that is in order of time. A scope is a group, or who was never seen.
So a list with a filter is one range, and a counter is a size.

Beside them a hash, `groups`, keeps the size of each set of names of a group, so that all groups are known.
"""

from typing import Final

from mfa_gate.stores.index import EVERYONE, FADING, NEW, IndexRow, group_in, shared

Entries = dict[tuple[str, str], int]
"""(sorted set, member) → score."""

TIME: Final = 9
"""Hex digits of a time."""
STARTS: Final = 2
"""With so many characters a text begins, by whose beginning people are put together."""
MOST_SHARED: Final = 8
"""This many characters, or more, that are shared with another text are one digit."""


def set_of(kind: str, stands: str, scope: str = EVERYONE) -> str:
    """The name of a set within its shard."""
    return f"{kind}:{stands}:{scope}" if scope else f"{kind}:{stands}"


def entries_of(account_id: str, row: IndexRow | None) -> Entries:
    """The entries of one account."""
    if row is None:
        return {}
    email, subject = row.email_key, row.subject_key
    time, who = f"{row.last_verified_at:0{TIME}x}", f"{row.name_key}\0{account_id}"
    found: Entries = {
        (set_of("names", row.stands), f"{who}\0{email}\0{subject}\0{time}"): 0,
    }
    # A text that another one begins with is found through that one.
    for kind, text, known in (("emails", email, row.email_shared), ("logins", subject, row.subject_shared)):
        if known < len(text):
            same = min(shared(text, row.name_key), MOST_SHARED)
            found[set_of(kind, row.stands), f"{same}{text}\0{who}\0{time}"] = 0
    texts, begin = f"{who}\0{email}\0{subject}", row.name_key[:STARTS]
    others = {text[:STARTS] for text in (email, subject) if text}
    for start in others - {begin}:
        found[set_of("others", row.stands, start), texts] = 0
    if row.stands not in NEW:
        found[set_of("times", row.stands), f"{time}{texts}"] = 0
        for start in others | {begin}:
            found[set_of("starts", row.stands, start), f"{time}{texts}"] = 0
    for scope in row.scopes:
        found[set_of("names", row.stands, scope), who] = 0
        if row.stands not in NEW:
            found[set_of("times", row.stands, scope), f"{time}{who}"] = 0
    for scope in (EVERYONE, *row.scopes):
        if row.stands in FADING:
            found[set_of("until", row.stands, scope), who] = row.until
        if row.stands in NEW:
            found[set_of("first_seen", row.stands, scope), who] = row.seen_at
            found[set_of("created", row.stands, scope), who] = row.made_at
    return found


def size_of(name: str) -> str | None:
    """Under which field the size of a set is kept; None for one that is not the names of a group."""
    kind, _, rest = name.partition(":")
    stands, _, scope = rest.partition(":")
    group = group_in(scope)
    return None if kind != "names" or group is None else f"{stands}:{group}"
