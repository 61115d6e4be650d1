"""Decides by what an account is found in lists and counters, whatever the store is; it decides nothing else.

Only what a write changes is kept: how somebody stands, until when, and from when their own time to set up counts. So a
status that ends by itself does so without a write, and a new policy needs none either: whoever stands under `paused`
does so for ever, and from the time beside them on they are `enrolled`; whoever is `new`, and has never had two-step,
is in `grace` or `missing` as the policy says when somebody asks. `_parts` is the whole of it: how those who stand so
fall into statuses.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.coverage import GroupCoverage
from mfa_gate.core.listing import STATUSES, Filter
from mfa_gate.core.policy import Grace, Status, own_begin
from mfa_gate.ports import Groups

Stands = Literal["inactive", "paused", "enrolled", "exempt", "missing", "exempt_new", "new"]
"""`new` in it: never had two-step, and so may be given time."""
STANDS: Final[tuple[Stands, ...]] = (
    "inactive",
    "paused",
    "enrolled",
    "exempt",
    "missing",
    "exempt_new",
    "new",
)
FADING: Final[tuple[Stands, ...]] = ("paused", "exempt", "exempt_new")
"""Who stands so until the time beside them."""
NEW: Final[tuple[Stands, ...]] = ("exempt_new", "new")
_COVERED: Final[tuple[Stands, ...]] = ("paused", "enrolled")

EXEMPT: Final[tuple[Stands, ...]] = ("exempt", "exempt_new")

EVERYONE: Final = ""
"""The scope in which everybody is; each further one is a list of its own."""
UNSEEN: Final = "unseen"
_GROUP: Final = "group:"


class IndexRow(msgspec.Struct, frozen=True, kw_only=True):
    """What lists and counters are found by. Derived from the account; decides nothing but what is shown."""

    name_key: str
    email_key: str
    subject_key: str
    email_shared: int
    subject_shared: int
    """How many characters the e-mail begins with as the name does, and the subject as one of the others."""
    stands: Stands
    until: int
    """When that ends by itself; 0 if it does not."""
    seen_at: int
    made_at: int
    """From when their own time to set up counts, by either way to begin it; 0 if they are not `new`."""
    last_verified_at: int
    scopes: tuple[str, ...]


class Part(NamedTuple):
    """Some of those who stand so: whose time beside them is to come or over, who still has time to set up or not.

    None: whatever that is.
    """

    stands: Stands
    still: bool | None = None
    in_time: bool | None = None


def index_of(account: Account) -> IndexRow:
    """The index row of an account; somebody without a name stands in the list under their subject."""
    stands, until = stands_of(account)
    unseen = () if account.first_seen_at else (UNSEEN,)
    is_new = stands in NEW
    name, email, subject = map(key_of, (account.name or account.subject, account.email, account.subject))
    return IndexRow(
        name_key=name,
        email_key=email,
        subject_key=subject,
        email_shared=shared(email, name),
        subject_shared=max(shared(subject, name), shared(subject, email)),
        stands=stands,
        until=until,
        seen_at=own_begin(account, "first_seen") if is_new else 0,
        made_at=own_begin(account, "created") if is_new else 0,
        last_verified_at=max(0, account.last_verified_at),
        scopes=(*unseen, *map(group_scope, dict.fromkeys(account.all_groups))),
    )


def shared(text: str, other: str) -> int:
    """How many characters two texts begin with that are the same."""
    at = 0
    for at, (one, another) in enumerate(zip(text, other, strict=False), 1):
        if one != another:
            return at - 1
    return at


def stands_of(account: Account) -> tuple[Stands, int]:
    """How an account stands until it is written, and until when that part of it is true which ends by itself."""
    if not account.active:
        return "inactive", 0
    if account.has_factor:
        return ("paused", account.opens_at) if account.opens_at > 0 else ("enrolled", 0)
    if account.exempt_until > 0:
        return "exempt" if account.had_factor else "exempt_new", account.exempt_until
    return "missing" if account.had_factor else "new", 0


@lru_cache(4_096)
def key_of(text: str) -> str:
    """A text as it is sorted and searched. NUL tells the parts of an entry from each other.

    Remembered, since a write needs the keys of the record before it and after it.
    """
    return fold_subject(text).replace("\0", "\1")


def group_scope(group: str) -> str:
    """The scope of everybody in a group."""
    return f"{_GROUP}{group}"


def group_in(scope: str) -> str | None:
    """The group of a scope; None if it is not one's."""
    return scope.removeprefix(_GROUP) if scope.startswith(_GROUP) else None


def scopes_of(who: Filter) -> tuple[str, ...]:
    """The scopes that somebody must be in; the first is the one to walk through."""
    group = () if who.group is None else (group_scope(who.group),)
    return (*group, *((UNSEEN,) if who.never_seen else ())) or (EVERYONE,)


def groups_of(sizes: Iterable[tuple[str, str, int]], limit: int) -> Groups:
    """The largest groups, from how many people of (group) stand (so); whoever is inactive is in none."""
    found: dict[str, list[int]] = {}
    for group, stands, size in sizes:
        if stands != "inactive" and size > 0:
            covered_people = found.setdefault(group, [0, 0])
            covered_people[0] += size if stands in _COVERED else 0
            covered_people[1] += size
    shown = sorted(found, key=lambda group: (-found[group][1], group))[:limit]
    return Groups(
        shown={group: GroupCoverage(*found[group]) for group in shown}, more=len(found) - len(shown)
    )


def parts_of(statuses: Iterable[Status], grace: Grace) -> list[Part]:
    """Among whom to look for people of these statuses; nobody is in two of the parts."""
    asked, found = frozenset(statuses), list[Part]()
    for stands in STANDS:
        parts = _parts(stands, grace)
        wanted = [part for part, status in parts.items() if status in asked]
        found += [Part(stands)] if len(wanted) == len(parts) else wanted
    return found


def counted(
    sizes: Mapping[Stands, int],
    still: Mapping[Stands, int],
    in_time: Mapping[Stands, int],
    grace: Grace,
) -> dict[Status, int]:
    """How many people have each status, from how many stand so; how many of those do so `still` who do so for a while;
    and how many of those who are new, and no longer exempt, have time where not all or none of them have.
    """
    found: dict[Status, int] = dict.fromkeys(STATUSES, 0)
    for stands in STANDS:
        for part, status in _parts(stands, grace).items():
            number = sizes.get(stands, 0)
            if part.still is not None:
                number = still[stands] if part.still else number - still[stands]
            if part.in_time is not None:
                number = in_time[stands] if part.in_time else number - in_time[stands]
            found[status] += number
    return found


def _parts(stands: Stands, grace: Grace) -> dict[Part, Status]:
    match stands:
        case "inactive" | "enrolled" | "missing":
            return {Part(stands): stands}
        case "paused":
            return {Part(stands, still=True): "paused", Part(stands, still=False): "enrolled"}
        case "exempt":
            return {Part(stands, still=True): "exempt", Part(stands, still=False): "missing"}
        case "exempt_new":
            return {Part(stands, still=True): "exempt", **_new(Part(stands, still=False), grace)}
        case "new":
            return _new(Part(stands), grace)


def _new(part: Part, grace: Grace) -> dict[Part, Status]:
    if grace.own is None:
        return {part: "grace" if grace.everybody else "missing"}
    return {part._replace(in_time=True): "grace", part._replace(in_time=False): "missing"}
