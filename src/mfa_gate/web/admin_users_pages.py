"""The list of people: whom it shows and in which order stands in its address, and each number above it is a filter."""

from dataclasses import dataclass

from msgspec.structs import replace

from mfa_gate.core.listing import ACTIVE, BACKWARDS, SORTS, STATUSES, Filter, Sort, asked
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Status, standing
from mfa_gate.flows.results import NotFound
from mfa_gate.ports import Row
from mfa_gate.web.admin_reminder_pages import NOBODY_CHOSEN, may_remind, remind_bar
from mfa_gate.web.admin_views import AdminUsers, SortLink, StatusChip, UserLine
from mfa_gate.web.admins import EVERYBODY, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.notices import told

PEOPLE = 50
LONGEST_GROUP = 255
_CHIPS: tuple[Status, ...] = ("enrolled", "missing", "grace", "exempt", "paused", "inactive")
_ALWAYS_SHOWN = frozenset({"enrolled", "missing"})
Counts = dict[Status, int]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the address asks for, as far as it means anything."""

    query: str = ""
    group: str = ""
    status: Status | None = None
    never_seen: bool = False
    sort: Sort = "name"

    @property
    def who(self) -> Filter:
        """Whom that means."""
        return Filter(
            statuses=asked(self.status),
            group=self.group or None,
            never_seen=self.never_seen,
            prefix=self.query,
        )

    @property
    def words(self) -> dict[str, str]:
        """The address of the same list, without what is as ever."""
        return self.scope | ({"sort": self.sort} if self.sort != "name" else {}) | self.chosen

    @property
    def chosen(self) -> dict[str, str]:
        """Which of the numbers above the list is the filter."""
        if self.never_seen:
            return {"never_seen": "1"}
        return {"status": self.status} if self.status else {}

    @property
    def scope(self) -> dict[str, str]:
        """Within what the numbers count."""
        found = {"q": self.query, "group": self.group}
        return {name: value for name, value in found.items() if value}


def wanted_of(fields: dict[str, str]) -> Wanted:
    """What the fields of an address or a form ask for."""
    status = next((each for each in STATUSES if each == fields.get("status")), None)
    return Wanted(
        query=fields.get("q", "").strip(),
        group=fields.get("group", "").strip()[:LONGEST_GROUP],
        status=status,
        never_seen=status is None and fields.get("never_seen") == "1",
        sort=next((each for each in SORTS if each == fields.get("sort")), "name"),
    )


def _users(caller: Caller) -> GateResponse:
    call, reporting = caller.call, caller.call.services.reporting
    wanted = wanted_of(dict(call.query))
    after, before = call.query.get("after") or None, call.query.get("before") or None
    page = reporting.people(
        wanted.who, sort=wanted.sort, after=after, before=before, limit=PEOPLE, now=call.now
    )
    if isinstance(page, NotFound):
        return caller.go("admin/users", **wanted.words)
    counts = reporting.counts(Filter(group=wanted.group or None, prefix=wanted.query), call.now)
    unseen = reporting.counts(Filter(never_seen=True), call.now) or {}

    def link(**more: str) -> str:
        return call.url("admin/users", **wanted.words, **more)

    return caller.show(
        AdminUsers(
            chips=_chips(caller, wanted, counts, sum(unseen.get(each, 0) for each in ACTIVE)),
            lines=tuple(_line(caller, wanted, row) for row in page.rows),
            sorts=_sorts(caller, wanted),
            query=wanted.query,
            group=wanted.group,
            status=wanted.status,
            never_seen=wanted.never_seen,
            sort=wanted.sort,
            remind=remind_bar(caller, wanted.who, counts),
            nobody_chosen=told(caller, (NOBODY_CHOSEN,)) is not None,
            everybody_href=call.url("admin/users"),
            export_href=call.url("admin/users/export", **wanted.words) if caller.role == "admin" else "",
            inactive_href=call.url("admin/users", **wanted.scope, status="inactive"),
            first_href=link() if (after or before) and page.previous else None,
            previous_href=link(before=page.previous) if page.previous else None,
            next_href=link(after=page.next) if page.next else None,
        )
    )


def _chips(caller: Caller, wanted: Wanted, counts: Counts | None, unseen: int) -> tuple[StatusChip, ...]:
    """Everybody, each status, and who never signed in, with how many are in the group; not known for a search."""
    kept = {name: value for name, value in wanted.words.items() if name not in wanted.chosen}

    def chip(status: Status | None, count: int | None, *, never_seen: bool = False) -> StatusChip:
        words = {"never_seen": "1"} if never_seen else {"status": status} if status else {}
        return StatusChip(
            status=status,
            never_seen=never_seen,
            count=count,
            href=caller.call.url("admin/users", **kept, **words),
            current=words == wanted.chosen,
        )

    everybody = None if counts is None else sum(counts[status] for status in ACTIVE)
    shown = [
        status
        for status in _CHIPS
        if counts is None or counts[status] or status in _ALWAYS_SHOWN or status == wanted.status
    ]
    never = [unseen] if unseen or wanted.never_seen else []
    return (
        chip(None, everybody),
        *(chip(status, None if counts is None else counts[status]) for status in shown),
        *(chip(None, None if wanted.scope else count, never_seen=True) for count in never),
    )


def _sorts(caller: Caller, wanted: Wanted) -> dict[str, SortLink]:
    """What a click on the head of a column does: sort by it, or the other way round."""
    found: dict[str, SortLink] = {}
    firsts: tuple[Sort, ...] = ("name", "-last_verified")
    for first in firsts:
        column = first.lstrip("-")
        current = wanted.sort.lstrip("-") == column
        sort = BACKWARDS[wanted.sort] if current else first
        kept = {name: value for name, value in wanted.words.items() if name != "sort"}
        words = kept | ({"sort": sort} if sort != "name" else {})
        link = SortLink(href=caller.call.url("admin/users", **words))
        if current:
            link = replace(link, direction="descending" if wanted.sort.startswith("-") else "ascending")
        found[column] = link
    return found


def _line(caller: Caller, wanted: Wanted, row: Row) -> UserLine:
    account, url = row.account, caller.call.url
    kept = {name: value for name, value in wanted.words.items() if name != "group"}
    return UserLine(
        id=account.id,
        href=url(f"admin/users/{account.id}"),
        name=account.name or account.subject,
        email=account.email or None,
        status=row.status,
        ways=("totp",) if account.totps else (),
        last_confirmed_at=account.last_verified_at or None,
        deadline=standing(account, caller.visitor.policy, caller.call.now).deadline,
        groups=account.all_groups,
        group_hrefs=tuple(url("admin/users", **kept, group=group) for group in account.all_groups),
        may_remind=may_remind(caller, account, row.status),
    )


show_users = shows_to(EVERYBODY, _users)
