"""Decides by what an account is found in lists and counters, whatever the store is; it decides nothing else.

Only what a write changes is kept: where somebody stands, and until when. A status that ends by itself does so without
a write: whoever is `paused` stands under that word for ever, and beside it stands the time from which on they are
`enrolled`. A further status of this kind is one line in `FADES` and one in `stands_of`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.listing import STATUSES, Filter
from mfa_gate.core.policy import Status

Stands = Literal["inactive", "paused", "enrolled", "exempt", "missing"]
STANDS: Final[tuple[Stands, ...]] = ("inactive", "paused", "enrolled", "exempt", "missing")
FADES: Final[Mapping[Stands, Stands]] = MappingProxyType({"paused": "enrolled", "exempt": "missing"})
"""What becomes of whom at the time beside them."""

Which = Literal["all", "still", "no_more"]
"""Of those who stand so: everybody, or who does at the time of asking, or who did."""

EVERYONE: Final = ""
"""The scope in which everybody is; each further one is a list of its own."""
UNSEEN: Final = "unseen"


class IndexRow(msgspec.Struct, frozen=True, kw_only=True):
    """What lists and counters are found by. Derived from the account; decides nothing but what is shown."""

    name_key: str
    email_key: str
    subject_key: str
    stands: Stands
    until: int
    """When that ends by itself; 0 if it does not."""
    last_verified_at: int
    scopes: tuple[str, ...]


def index_of(account: Account) -> IndexRow:
    """The index row of an account; somebody without a name stands in the list under their subject."""
    stands, until = stands_of(account)
    unseen = () if account.first_seen_at else (UNSEEN,)
    return IndexRow(
        name_key=key_of(account.name or account.subject),
        email_key=key_of(account.email),
        subject_key=key_of(account.subject),
        stands=stands,
        until=until,
        last_verified_at=max(0, account.last_verified_at),
        scopes=(*unseen, *map(group_scope, dict.fromkeys(account.all_groups))),
    )


def stands_of(account: Account) -> tuple[Stands, int]:
    """The first word of `core.policy.standing` that may fit without a write, and until when it does."""
    if not account.active:
        return "inactive", 0
    if account.has_factor:
        return ("paused", account.opens_at) if account.opens_at > 0 else ("enrolled", 0)
    return ("exempt", account.exempt_until) if account.exempt_until > 0 else ("missing", 0)


def key_of(text: str) -> str:
    """A text as it is sorted and searched. NUL tells the parts of an entry from each other."""
    return fold_subject(text).replace("\0", "\1")


def group_scope(group: str) -> str:
    """The scope of everybody in a group."""
    return f"group:{group}"


def scopes_of(who: Filter) -> tuple[str, ...]:
    """The scopes that somebody must be in; the first is the one to walk through."""
    group = () if who.group is None else (group_scope(who.group),)
    return (*group, *((UNSEEN,) if who.never_seen else ())) or (EVERYONE,)


def wanted_of(statuses: Iterable[Status]) -> dict[Stands, Which]:
    """Among whom to look for people of these statuses."""
    asked, found = frozenset(statuses), dict[Stands, Which]()
    for stands in STANDS:
        still, no_more = stands in asked, FADES.get(stands) in asked
        if stands not in FADES:
            no_more = still
        if still or no_more:
            found[stands] = "all" if still and no_more else "still" if still else "no_more"
    return found


def counted(sizes: Mapping[Stands, int], still: Mapping[Stands, int]) -> dict[Status, int]:
    """How many people have each status, from how many stand so, and how many of those that fade still do."""
    found: dict[Status, int] = dict.fromkeys(STATUSES, 0)
    for stands, size in sizes.items():
        now = still.get(stands, size)
        found[stands] += now
        if size != now:
            found[FADES[stands]] += size - now
    return found
