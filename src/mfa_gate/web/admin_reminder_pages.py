"""Reminders on the pages of administration: who can be reminded from the list, and what came of it."""

from collections.abc import Mapping

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.listing import Filter
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import Status
from mfa_gate.core.reminders import OUTCOMES, REMINDED, Outcome, ReminderRun
from mfa_gate.flows.acting import is_account_id
from mfa_gate.flows.reminders import Reached, Wanted
from mfa_gate.flows.results import Busy, NotAllowed, NotFound
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.web.admin_views import (
    AdminReminderRun,
    AdminReminders,
    Attention,
    OutcomeChip,
    ReachedLine,
    RemindBar,
    RemindersLine,
    RemindersState,
)
from mfa_gate.web.admins import EVERYBODY, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.notices import tell
from mfa_gate.web.proving import freshly_verified
from mfa_gate.web.views import Confirm

PEOPLE = 50
TROUBLED: tuple[Outcome, ...] = ("failed", "unknown", "no_address")
_TICKED = "user-"
NOBODY_CHOSEN = "nobody_chosen"


def may_remind(caller: Caller, account: Account, status: Status) -> bool:
    """Whether a page offers to remind this person."""
    services, visitor = caller.call.services, caller.visitor
    if status not in REMINDED or not visitor.policy.reminds or not services.reminders.leaves:
        return False
    return services.authority.why_not(visitor, account) is None


def remind_bar(caller: Caller, who: Filter, counts: Mapping[Status, int] | None) -> RemindBar | None:
    """What the list offers to send to all whom its filter fits; None: nobody has to be reminded.

    `counts`: of the filter's group, where they are known.
    """
    reminded = [status for status in REMINDED if status in who.statuses]
    if not caller.visitor.policy.reminds or not reminded:
        return None
    known = counts is not None and not who.never_seen
    everybody = sum(counts[status] for status in reminded) if counts is not None and known else None
    if everybody == 0:
        return None
    return RemindBar(everybody=everybody, no_mail=not caller.call.services.reminders.leaves)


def not_reached(caller: Caller) -> Attention | None:
    """Whom the newest reminders did not reach, if there are any."""
    finished = (run for run in caller.call.services.reminders.recent() if not run.is_open and not run.dry)
    newest = next(finished, None)
    line = None if newest is None else _line(caller, newest)
    if line is None or not line.troubled:
        return None
    return Attention(kind="reminders_failed", count=line.troubled, href=line.href)


def mail_waits(caller: Caller) -> Attention | None:
    """How many notices wait for a mail server that takes none, if one is in trouble."""
    mail = caller.call.services.reporting.waiting_mail()
    if mail is None or not mail.count:
        return None
    return Attention(kind="mail_waits", count=mail.count, href=caller.call.url("admin/reminders"))


def _send(caller: Caller, form: Form) -> GateResponse:
    users = tuple(name.removeprefix(_TICKED) for name in form.fields if name.startswith(_TICKED))
    if not form.get("all") and not users:
        return tell(caller, "admin/users", NOBODY_CHOSEN)
    if not all(map(is_account_id, users)):
        return caller.call.say("bad_request")
    status = next((each for each in REMINDED if each == form.get("status")), None)
    wanted = Wanted(
        users=users,
        status=status,
        prefix=form.get("q"),
        group=form.get("group") or None,
        never_seen=form.get("never_seen") == "1",
    )
    fields = tuple((name, value) for name, value in form.fields.items() if name not in ("csrf", "code"))
    confirm = Confirm(act="open_page", action="admin/reminders", fields=fields, back="admin/users")
    fresh = freshly_verified(caller, form, confirm, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    match fresh.call.services.reminders.begin(fresh.visitor, wanted, fresh.call.now):
        case ReminderRun(id=run):
            return fresh.go(f"admin/reminders/{run}")
        case Busy():
            return fresh.go("admin/reminders")
        case NotAllowed(reason="no_mail"):
            return fresh.go("admin/users")
        case NotAllowed():
            return fresh.call.say("not_allowed")
        case _:
            return fresh.show(confirm)


def _list(caller: Caller) -> GateResponse:
    services = caller.call.services
    lines = tuple(_line(caller, run) for run in services.reminders.recent())
    mail = services.reporting.waiting_mail()
    if mail is None:
        return caller.show(AdminReminders(lines=lines))
    return caller.show(AdminReminders(lines=lines, waiting=mail.count, trouble=mail.trouble))


def _run(caller: Caller) -> GateResponse:
    call = caller.call
    run = call.services.reminders.run(call.params["run"])
    if isinstance(run, NotFound):
        return call.say("not_found")
    line = _line(caller, run)
    view = AdminReminderRun(
        on=run.is_open,
        line=line,
        chips=_chips(caller, run),
        seconds_left=_seconds_left(run, call.now),
        next_try_at=run.not_before if line.state == "waiting" else None,
        trouble=run.trouble,
        finished_at=run.finished_at or None,
    )
    chosen = next((each for each in OUTCOMES if each == call.query.get("outcome")), None)
    return caller.show(view if chosen is None else _with_people(caller, run, view, chosen))


def _with_people(
    caller: Caller, run: ReminderRun, view: AdminReminderRun, outcome: Outcome
) -> AdminReminderRun:
    """The same page with the people of one outcome."""
    call = caller.call
    wanted = call.query.get("after", "")
    after = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 0
    found = call.services.reminders.results(run.id, outcome, after, PEOPLE)
    here = f"admin/reminders/{run.id}"
    more = after + len(found) < run.counts.get(outcome, 0)
    return replace(
        view,
        outcome=outcome,
        lines=tuple(_reached(caller, each) for each in found),
        first_href=call.url(here, outcome=outcome) if after else None,
        next_href=call.url(here, outcome=outcome, after=after + len(found)) if more else None,
    )


def _chips(caller: Caller, run: ReminderRun) -> tuple[OutcomeChip, ...]:
    chosen = caller.call.query.get("outcome")
    return tuple(
        OutcomeChip(
            outcome=outcome,
            count=run.counts[outcome],
            href=caller.call.url(f"admin/reminders/{run.id}", outcome=outcome),
            current=outcome == chosen,
        )
        for outcome in OUTCOMES
        if run.counts.get(outcome)
    )


def _line(caller: Caller, run: ReminderRun) -> RemindersLine:
    return RemindersLine(
        href=caller.call.url(f"admin/reminders/{run.id}"),
        made_at=run.made_at,
        by=None if run.by == SYSTEM else run.by.subject,
        dry=run.dry,
        state=_state(run, caller.call.now),
        done=run.done,
        total=run.total,
        troubled=sum(run.counts.get(outcome, 0) for outcome in TROUBLED),
    )


def _state(run: ReminderRun, now: int) -> RemindersState:
    if run.is_open:
        return "waiting" if run.not_before > now else "running"
    return "given_up" if run.trouble else "finished"


def _seconds_left(run: ReminderRun, now: int) -> int | None:
    """How long it still takes at this rate; None where nothing can be said."""
    if not run.is_open or run.round or run.not_before > now or not run.done or run.total is None:
        return None
    return max(0, run.total - run.done) * max(1, now - run.made_at) // run.done


def _reached(caller: Caller, reached: Reached) -> ReachedLine:
    result, account = reached.result, reached.account
    if account is None:
        return ReachedLine(name=result.account_id, href=None, why=result.why)
    return ReachedLine(
        name=account.name or account.subject,
        href=caller.call.url(f"admin/users/{account.id}"),
        email=account.email or None,
        why=result.why,
    )


take_reminders = takes_from(EVERYBODY, _send, back="admin/users")
show_reminders = shows_to(EVERYBODY, _list)
show_run = shows_to(EVERYBODY, _run)
