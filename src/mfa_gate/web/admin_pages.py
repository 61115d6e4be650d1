"""Overview: where the organization stands, and what wants a look."""

from typing import Literal, get_args

from mfa_gate.core.accounts import Account
from mfa_gate.core.coverage import Coverage
from mfa_gate.core.events import EventKind
from mfa_gate.core.listing import ACTIVE, Filter
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Policy
from mfa_gate.flows.reporting import Overview
from mfa_gate.web.admin_reminder_pages import mail_waits, not_reached
from mfa_gate.web.admin_views import (
    AdminOverview,
    Attention,
    ExemptPerson,
    GroupLine,
    RemindersNow,
)
from mfa_gate.web.admins import EVERYBODY, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.charts import CoverageDay, chart_of
from mfa_gate.web.lines import exemption_of, history_lines

RECENT, EXEMPT = 6, 5
GROUPS = 12
_WANT_A_LOOK: tuple[Literal["missing", "grace", "paused"], ...] = ("missing", "grace", "paused")
_NO_CHANGES: frozenset[EventKind] = frozenset(
    {
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
        # One event says what a roster did to a thousand people, and one that as many were reminded.
        "address_changed",
        "deactivated",
        "reactivated",
        "reminder_sent",
        "reminder_failed",
    }
)
_CHANGES: tuple[EventKind, ...] = tuple(kind for kind in get_args(EventKind) if kind not in _NO_CHANGES)
"""What the overview tells of: what changed something, not every sign-in."""


def _overview(caller: Caller) -> GateResponse:
    if caller.role == "help_desk":
        return caller.go("admin/users")
    call, url = caller.call, caller.call.url
    now, policy = call.now, (overview := call.services.reporting.overview(call.now)).policy
    by_group = call.services.reports.groups(policy, now, GROUPS)
    changes = call.services.reporting.latest(_CHANGES, RECENT)
    return caller.show(
        AdminOverview(
            enrolled=overview.counts.get("enrolled", 0),
            paused=overview.counts.get("paused", 0),
            people=overview.people,
            enrolled_href=url("admin/users", status="enrolled"),
            paused_href=url("admin/users", status="paused"),
            people_href=url("admin/users"),
            require=policy.require_two_step,
            remember_seconds=policy.remember_seconds,
            require_since=policy.changed_at or None,
            by_group=bool(policy.required_groups or policy.left_out_groups),
            exemptions=overview.counts.get("exempt", 0),
            exemptions_href=url("admin/users", status="exempt"),
            exempt=tuple(
                _exempt_person(caller, account) for account in call.services.reporting.exempt(EXEMPT, now)
            ),
            exemptions_ending=overview.exemptions_ending,
            deadline=_deadline(overview.policy, now),
            reminders=_reminders(caller, policy),
            openings=call.services.reports.openings(policy, Coverage(counts=overview.counts), now),
            more_groups=by_group.more,
            attention=_attention(caller, overview, call.services.reporting.unattributed()),
            groups=tuple(
                GroupLine(
                    name=group,
                    href=url("admin/users", group=group),
                    covered=found.covered,
                    people=found.people,
                )
                for group, found in by_group.shown.items()
            ),
            course=chart_of(
                [
                    CoverageDay(at=day.at, covered=day.covered, people=day.people)
                    for day in call.services.reports.course(now)
                ]
            ),
            recent=history_lines(changes, lambda account_id: url(f"admin/users/{account_id}")),
        )
    )


def _exempt_person(caller: Caller, account: Account) -> ExemptPerson:
    return ExemptPerson(
        name=account.name or account.subject,
        href=caller.call.url(f"admin/users/{account.id}"),
        exemption=exemption_of(account, caller.call.now),
    )


def _deadline(policy: Policy, now: int) -> int | None:
    """When everybody's time ends who has any, where that is one and the same."""
    ends_at = policy.first_required_at + policy.grace_seconds
    one_for_all = policy.require_two_step and policy.grace_seconds and policy.grace_from == "policy"
    return ends_at if one_for_all and now < ends_at else None


def _reminders(caller: Caller, policy: Policy) -> RemindersNow:
    reminders = caller.call.services.reminders
    newest = next((run for run in reminders.recent() if not run.dry), None)
    return RemindersNow(
        leaves=reminders.leaves,
        reminds=policy.reminds,
        last_at=None if newest is None else newest.made_at,
        sent=0 if newest is None else newest.counts.get("sent", 0),
        is_open=newest is not None and newest.is_open,
        href=caller.call.url("admin/reminders"),
    )


def _attention(caller: Caller, overview: Overview, unattributed: int) -> tuple[Attention, ...]:
    url = caller.call.url
    found = [
        Attention(kind=kind, count=count, href=url("admin/users", status=kind))
        for kind in _WANT_A_LOOK
        if (count := overview.counts.get(kind, 0))
    ]
    unseen = caller.call.services.reporting.counts(Filter(never_seen=True), caller.call.now) or {}
    if never := sum(unseen[status] for status in ACTIVE if status in unseen):
        href = url("admin/users", never_seen="1")
        found.append(Attention(kind="never_signed_in", count=never, href=href))
    if overview.deadlines_ending:
        href = url("admin/users", status="grace")
        found.append(Attention(kind="deadlines", count=overview.deadlines_ending, href=href))
    found += [each for each in (not_reached(caller), mail_waits(caller)) if each is not None]
    if unattributed and not overview.policy.require_two_step:
        href = url("admin/settings/policies")
        found.append(Attention(kind="unattributed", count=unattributed, href=href))
    return tuple(found)


show_overview = shows_to(EVERYBODY, _overview)
