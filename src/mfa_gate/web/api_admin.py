"""What administrators ask of the API: people, the audit trail.

Who may ask is `Administration`'s to say. As on the pages, the help desk sees people, not the policy nor the trail.
"""

import re
from typing import Any

from mfa_gate.core.accounts import Account
from mfa_gate.core.listing import Filter, asked
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Policy, Status, is_exempt, standing, usable_factors
from mfa_gate.core.sessions import Session
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.reporting import Profile
from mfa_gate.flows.results import (
    NeedsVerification,
    NotAllowed,
    NotFound,
)
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.ports import Recorded
from mfa_gate.web.api_browser_schema import BrowserNow
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_problems import no_such_cursor, not_found, refused
from mfa_gate.web.api_schema import (
    AuditEvent,
    AuditPage,
    DeviceTold,
    Doer,
    ExemptionNow,
    ExportPeople,
    FindEvents,
    FindUsers,
    Nothing,
    SessionNow,
    User,
    UserProfile,
    Users,
    given,
)

_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def stranger(call: Call, max_age: int = ADMIN_SECONDS) -> GateResponse | None:
    """What somebody gets who may not see people; None for who may."""
    admitted = call.services.authority.admits(call.visitor, call.now, max_age)
    if isinstance(admitted, NotAllowed | NeedsVerification):
        return refused(call, admitted, power="administer")
    return None


def no_admin(call: Call) -> GateResponse | None:
    """The same for what the help desk does not see either."""
    if call.services.authority.role(call.visitor) == "help_desk":
        return refused(call, NotAllowed(reason="not_allowed"))
    return stranger(call)


def who_of(sent: FindUsers | ExportPeople) -> Filter:
    """Whom a list or an export is about."""
    return Filter(
        statuses=asked(given(sent.status)),
        group=given(sent.group) or None,
        never_seen=sent.never_seen,
        prefix=sent.q,
    )


def _users(call: Call, sent: FindUsers) -> GateResponse:
    reporting = call.services.reporting
    who = who_of(sent)
    page = reporting.people(who, sort=sent.sort, after=given(sent.after), limit=sent.limit, now=call.now)
    if isinstance(page, NotFound):
        return no_such_cursor()
    users = tuple(_user(row.account, row.status, call.visitor.policy, call.now) for row in page.rows)
    return call.answer(Users(users=users, next=page.next, counts=reporting.overview(call.now).counts))


def _profile(call: Call, _: Nothing) -> GateResponse:
    return profile_of(call, call.params["id"])


def profile_of(call: Call, named: str) -> GateResponse:
    """One person as they stand now."""
    found = call.services.reporting.profile(named, call.now) if _ACCOUNT_ID.fullmatch(named) else NotFound()
    if isinstance(found, NotFound):
        return not_found()
    return call.answer(_shown(found, call.visitor.policy, call.now))


def _shown(profile: Profile, policy: Policy, now: int) -> UserProfile:
    account, stands = profile.account, profile.standing
    return UserProfile(
        user=_user(account, stands.status, policy, now),
        required=stands.required,
        because=stands.because,
        recovery_codes_left=len(account.recovery.hashes) if account.recovery else 0,
        two_step_since=account.two_step_since or None,
        reset_at=account.reset_at or None,
        sessions=tuple(_session(session) for session in profile.sessions),
        browsers=tuple(BrowserNow.of(browser, policy, None) for browser in profile.browsers),
        devices=tuple(DeviceTold.of(device, policy) for device in profile.devices),
        history=tuple(_event(recorded) for recorded in profile.history),
        archived_before=profile.archived_before,
    )


def _user(account: Account, status: Status, policy: Policy, now: int) -> User:
    return User(
        id=account.id,
        subject=account.subject,
        realm=account.realm,
        name=account.name,
        email=account.email,
        groups=account.all_groups,
        status=status,
        factors=usable_factors(account, policy),
        deadline=standing(account, policy, now).deadline,
        exemption=_exemption(account, now),
        first_seen_at=account.first_seen_at or None,
        last_verified_at=account.last_verified_at or None,
        revision=account.revision,
    )


def _exemption(account: Account, now: int) -> ExemptionNow | None:
    kept = account.exemption
    if kept is None or not is_exempt(account, now):
        return None
    return ExemptionNow(
        reason=kept.reason, approved_by=kept.approved_by, given_at=kept.given_at, until=kept.until
    )


def _session(session: Session) -> SessionNow:
    # Security: neither its key nor the sign-in that it is bound to.
    return SessionNow(
        id=session.handle,
        client=session.client,
        factor=session.factor,
        created_at=session.created_at,
        expires_at=session.expires_at,
        verified_at=session.verified_at,
        address=session.address,
        user_agent=session.user_agent,
    )


def _audit(call: Call, sent: FindEvents) -> GateResponse:
    sought = Sought(
        account_id=given(sent.user),
        kind=given(sent.kind),
        since=given(sent.since),
        until=given(sent.until),
    )
    found = call.services.reporting.audit(sought, before=given(sent.before), limit=sent.limit)
    return call.answer(
        AuditPage(
            events=tuple(_event(each) for each in found.events),
            next=found.before,
            archived_before=found.archived_before,
        )
    )


def _event(recorded: Recorded) -> AuditEvent:
    event = recorded.event
    return AuditEvent(
        position=recorded.position,
        kind=event.kind,
        at=event.at,
        account=event.account_id,
        subject=event.subject,
        actor=Doer.of(event.actor),
        details=event.details,
    )


REFUSES = ((401, "two_step_setup_required"), (401, "two_step_code_required"))

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="GET",
        path="/admin/users",
        name="list_users",
        summary="People in the order of their names, page by page",
        takes=FindUsers,
        answers=Users,
        run=_users,
        refuses=REFUSES,
        guard=stranger,
    ),
    Operation(
        method="GET",
        path="/admin/users/{id}",
        name="read_user",
        summary="One person with sessions and history",
        takes=Nothing,
        answers=UserProfile,
        run=_profile,
        refuses=(*REFUSES, (404, "not_found")),
        guard=stranger,
    ),
    Operation(
        method="GET",
        path="/admin/audit",
        name="list_events",
        summary="The audit trail, newest first",
        takes=FindEvents,
        answers=AuditPage,
        run=_audit,
        refuses=REFUSES,
        guard=no_admin,
    ),
)
