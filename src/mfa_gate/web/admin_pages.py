"""The pages of administration that only show: coverage and the list."""

from typing import Literal, get_args

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import EventKind
from mfa_gate.core.listing import ACTIVE, Filter, asked
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Status, standing
from mfa_gate.flows.reporting import Overview
from mfa_gate.flows.results import NotFound
from mfa_gate.ports import Row
from mfa_gate.web.admin_reminder_pages import (
    NOBODY_CHOSEN,
    mail_waits,
    may_remind,
    not_reached,
    remind_bar,
)
from mfa_gate.web.admin_views import (
    AdminOverview,
    AdminUsers,
    Attention,
    ExemptPerson,
    StatusChip,
    UserLine,
)
from mfa_gate.web.admins import EVERYBODY, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.charts import CoverageDay, chart_of
from mfa_gate.web.lines import exemption_of, history_lines
from mfa_gate.web.notices import told

PEOPLE, RECENT, EXEMPT = 50, 6, 5
LOOKED_THROUGH = 200
CHART_DAYS = 90
_CHIPS: tuple[Status, ...] = ("enrolled", "missing", "grace", "exempt", "paused", "inactive")
_ALWAYS_SHOWN = frozenset({"enrolled", "missing"})
_WANT_A_LOOK: tuple[Literal["missing", "grace", "paused"], ...] = ("missing", "grace", "paused")
_CHANGES = frozenset(get_args(EventKind)) - {
    "account_seen",
    "profile_changed",
    "enrollment_started",
    "setup_put_off",
    "verified",
    "code_rejected",
    "tried_while_paused",
    "signed_out",
    "session_ended",
    "account_listed",
    "listing_changed",
    "coverage_counted",
}
"""What the overview tells of: what changed something, not every sign-in."""


def _overview(caller: Caller) -> GateResponse:
    if caller.role == "help_desk":
        return caller.go("admin/users")
    call, url = caller.call, caller.call.url
    now, policy = call.now, (overview := call.services.reporting.overview(call.now)).policy
    trail = call.services.reporting.audit(limit=LOOKED_THROUGH)
    exempt = call.services.reporting.exemptions(EXEMPT, now)
    changes = [recorded for recorded in trail.events if recorded.event.kind in _CHANGES]
    return caller.show(
        AdminOverview(
            enrolled=overview.counts.get("enrolled", 0),
            paused=overview.counts.get("paused", 0),
            people=overview.people,
            enrolled_href=url("admin/users", status="enrolled"),
            paused_href=url("admin/users", status="paused"),
            people_href=url("admin/users"),
            require=policy.require_two_step,
            require_since=policy.changed_at or None,
            exemptions=overview.counts.get("exempt", 0),
            exemptions_href=url("admin/users", status="exempt"),
            exempt=tuple(_exempt_person(caller, account) for account in exempt.accounts),
            exemptions_ending=exempt.ending_soon,
            attention=_attention(caller, overview, len(call.services.reporting.impact(now).unattributed)),
            course=chart_of(
                [
                    CoverageDay(at=day.at, covered=day.covered, people=day.people)
                    for day in call.services.reporting.course(CHART_DAYS)
                ]
            ),
            recent=history_lines(changes[:RECENT], lambda account_id: url(f"admin/users/{account_id}")),
        )
    )


def _exempt_person(caller: Caller, account: Account) -> ExemptPerson:
    return ExemptPerson(
        name=account.name or account.subject,
        href=caller.call.url(f"admin/users/{account.id}"),
        exemption=exemption_of(account, caller.call.now),
    )


def _attention(caller: Caller, overview: Overview, unattributed: int) -> tuple[Attention, ...]:
    url = caller.call.url
    found = [
        Attention(kind=kind, count=count, href=url("admin/users", status=kind))
        for kind in _WANT_A_LOOK
        if (count := overview.counts.get(kind, 0))
    ]
    found += [each for each in (not_reached(caller), mail_waits(caller)) if each is not None]
    if unattributed and not overview.policy.require_two_step:
        href = url("admin/settings/policies")
        found.append(Attention(kind="unattributed", count=unattributed, href=href))
    return tuple(found)


def _users(caller: Caller) -> GateResponse:
    call, url = caller.call, caller.call.url
    query, after = call.query.get("q", "").strip(), call.query.get("after")
    status = next((each for each in _CHIPS if each == call.query.get("status")), None)
    who = Filter(statuses=asked(status), prefix=query)
    page = call.services.reporting.people(who, after=after, limit=PEOPLE, now=call.now)
    if isinstance(page, NotFound):
        return caller.go("admin/users")
    kept = ({"q": query} if query else {}) | ({"status": status} if status else {})
    counts = call.services.reporting.overview(call.now).counts
    return caller.show(
        AdminUsers(
            chips=_chips(caller, status, query, counts),
            lines=tuple(_user_line(caller, row) for row in page.rows),
            query=query,
            status=status,
            remind=remind_bar(caller, status, query, counts),
            nobody_chosen=told(caller, (NOBODY_CHOSEN,)) is not None,
            first_href=url("admin/users", **kept) if after else None,
            next_href=url("admin/users", **kept, after=page.next) if page.next else None,
        )
    )


def _chips(
    caller: Caller, chosen: Status | None, query: str, counts: dict[Status, int]
) -> tuple[StatusChip, ...]:
    url = caller.call.url
    kept = {"q": query} if query else {}
    everybody = StatusChip(
        status=None,
        count=sum(counts[each] for each in ACTIVE),
        href=url("admin/users", **kept),
        current=chosen is None,
    )
    return (
        everybody,
        *(
            StatusChip(
                status=status,
                count=counts.get(status, 0),
                href=url("admin/users", **kept, status=status),
                current=status == chosen,
            )
            for status in _CHIPS
            if counts.get(status) or status in _ALWAYS_SHOWN or status == chosen
        ),
    )


def _user_line(caller: Caller, row: Row) -> UserLine:
    account = row.account
    return UserLine(
        id=account.id,
        href=caller.call.url(f"admin/users/{account.id}"),
        name=account.name or account.subject,
        email=account.email or None,
        status=row.status,
        ways=("totp",) if account.totps else (),
        last_confirmed_at=account.last_verified_at or None,
        deadline=standing(account, caller.visitor.policy, caller.call.now).deadline,
        groups=account.all_groups,
        may_remind=may_remind(caller, account, row.status),
    )


show_overview = shows_to(EVERYBODY, _overview)
show_users = shows_to(EVERYBODY, _users)
