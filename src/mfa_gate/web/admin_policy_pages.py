"""Settings, Policies, Security: the switch, what it would do, and saving it."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec.structs import replace

from mfa_gate.core.events import SYSTEM
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Policy
from mfa_gate.core.policy_changes import PolicyChanges, Unfit, changed, differences
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.impact import MOST, Preview
from mfa_gate.flows.results import Confirmation, Conflict, NeedsVerification, NotAllowed, PolicyChanged
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.notices import tell, told
from mfa_gate.web.policy_form import change_lines, fields_of, read_changes
from mfa_gate.web.policy_views import (
    AdminPolicies,
    AdminPolicyHistory,
    PolicyEffect,
    PolicyVersionLine,
    TrafficLine,
)
from mfa_gate.web.proving import freshly_verified, paused, retry_after
from mfa_gate.web.views import Confirm

FIRST_VERSION = 1
LONGEST_VERSION = 16
VERSIONS_SHOWN = 20
AT_ONCE = 1_000
"""How many people the page looks at without being asked to: a tenth of a second."""
PAGE = "admin/settings/policies"
Saved = Literal["turned_on", "turned_off", "changed", "unchanged"]


def _show(caller: Caller) -> GateResponse:
    return caller.show(_view(caller))


def _save(caller: Caller, form: Form) -> GateResponse:
    call, version = caller.call, form.get("version")
    if not (version.isascii() and version.isdigit() and 0 < len(version) < LONGEST_VERSION):
        return call.say("bad_request")
    sent = tuple((name, value) for name, value in form.fields.items() if name not in {"csrf", "code"})
    confirm = Confirm(act="open_page", action=PAGE, fields=sent, back=PAGE)
    fresh = freshly_verified(caller, form, confirm, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    # What was not touched is not changed: against the version that the form was made from, not against the newest.
    base = call.services.policy_history.version(int(version))
    if base is None:
        view = _view(fresh)
        return fresh.show(replace(view, refused="stale"), status=409)
    changes = read_changes(form, base)
    if not isinstance(changes, PolicyChanges):
        return fresh.show(replace(_view(fresh), misfit=changes), status=422)
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if fresh is caller else ""
    result = call.services.administration.set_policy(
        fresh.visitor,
        changes,
        version=int(version),
        confirmation=Confirmation(factor="totp", code=code) if code else None,
        now=call.now,
        reason=form.get("reason"),
    )
    if isinstance(result, PolicyChanged):
        return tell(fresh, PAGE, _word(result))
    return _asked_back(fresh, result, confirm, _typed(fresh, base, changes, form.get("reason")))


def _typed(caller: Caller, base: Policy, changes: PolicyChanges, reason: str) -> AdminPolicies:
    """The page with what was typed, upon the policy of now: nothing is lost, whoever was quicker."""
    view, newest = _view(caller), caller.call.services.reporting.overview(caller.call.now).policy
    wanted = changed(newest, changes, caller.call.now)
    shown = newest if isinstance(wanted, Unfit) else wanted
    return replace(
        view,
        ticked=shown.require_two_step,
        fields=fields_of(shown, grace_anew=changes.grace_anew, reason=reason),
        theirs=change_lines(differences(base, newest)),
    )


def _asked_back(
    caller: Caller,
    result: Conflict | Unfit | NeedsVerification | NotAllowed | Rejected | Paused,
    confirm: Confirm,
    view: AdminPolicies,
) -> GateResponse:
    """Nothing was saved: the page again, as it was sent, and why."""
    now = caller.call.now
    asking = replace(view, asks_code=True)
    match result:
        case Conflict():
            return caller.show(replace(view, refused="stale"), status=409)
        case Unfit(field=field):
            return caller.show(replace(view, misfit=field), status=422)
        case NeedsVerification(max_age=0):
            return caller.show(replace(asking, code_problem="missing"), status=422)
        case NeedsVerification():
            return caller.show(confirm)
        case NotAllowed(reason="not_allowed"):
            return caller.call.say("not_allowed")
        case Paused(until=until):
            return caller.show(
                replace(asking, pause=paused(until)), status=429, headers=retry_after(until, now)
            )
        case NotAllowed() | Rejected():
            return caller.show(replace(asking, code_problem="wrong"), status=422)


def _word(done: PolicyChanged) -> Saved:
    if done.policy == done.before:
        return "unchanged"
    if done.policy.require_two_step == done.before.require_two_step:
        return "changed"
    return "turned_on" if done.policy.require_two_step else "turned_off"


def _traffic_lines(counts: Mapping[tuple[str, str], int]) -> tuple[TrafficLine, ...]:
    """Counted under "none" is what brings no credential at all."""
    return tuple(
        TrafficLine(place=place, credentials=None if kind == "none" else kind, count=count)
        for (place, kind), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _view(caller: Caller) -> AdminPolicies:
    call = caller.call
    overview, most = call.services.reporting.overview(call.now), AT_ONCE
    if call.query.get("counted") == "everybody":
        most = MOST
    # Once it is on, whom it meets stands in the list.
    on = overview.policy.require_two_step
    impact = Preview() if on else call.services.impacts.preview(call.now, most=most)
    policy = overview.policy
    return AdminPolicies(
        require=policy.require_two_step,
        ticked=policy.require_two_step,
        version=policy.version,
        fields=fields_of(policy),
        effect=PolicyEffect(
            asked_to_set_up=impact.stopped,
            has_time=impact.has_time,
            not_asked=impact.not_asked,
            never_signed_in=impact.never_seen,
            without_email=impact.without_email,
            everybody_href=None if impact.complete else call.url(PAGE, counted="everybody"),
            unattributed=_traffic_lines(impact.traffic),
            asked_href=call.url("admin/users", status="missing"),
        ),
        enrolled=overview.covered,
        missing=overview.counts.get("missing", 0),
        missing_href=call.url("admin/users", status="missing"),
        waiting=overview.counts.get("grace", 0),
        waiting_href=call.url("admin/users", status="grace"),
        exempt=overview.counts.get("exempt", 0),
        exempt_href=call.url("admin/users", status="exempt"),
        saved=told(caller, get_args(Saved)),
        # What the store was made with, nobody has changed.
        changed_at=policy.changed_at if policy.version > FIRST_VERSION else None,
        changed_by=_by(policy),
    )


def _by(policy: Policy) -> str | None:
    return None if policy.changed_by in {"", SYSTEM.subject} else policy.changed_by


def _history(caller: Caller) -> GateResponse:
    call, asked = caller.call, caller.call.query.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < LONGEST_VERSION else None
    found = call.services.policy_history.versions(before=before, limit=VERSIONS_SHOWN)
    last = found[-1].policy.version if len(found) == VERSIONS_SHOWN else FIRST_VERSION
    return caller.show(
        AdminPolicyHistory(
            versions=tuple(
                PolicyVersionLine(
                    version=each.policy.version,
                    changed_at=each.policy.changed_at,
                    changed_by=_by(each.policy),
                    reason=each.policy.changed_why,
                    changes=None if each.changes is None else change_lines(each.changes),
                )
                for each in found
            ),
            next_href=call.url(f"{PAGE}/history", before=last) if last > FIRST_VERSION else None,
            first_href=None if before is None else call.url(f"{PAGE}/history"),
        )
    )


show_history = shows_to(ADMINS, _history)
show_policies = shows_to(ADMINS, _show)
take_policies = takes_from(ADMINS, _save, back=PAGE)
