"""What administrators and the help desk ask of the API about reminders: begin some, see how far they are."""

from typing import Any

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.reminders import ReminderRun
from mfa_gate.flows.reminders import Reached, Wanted
from mfa_gate.flows.results import NotFound
from mfa_gate.web.api_admin import REFUSES, stranger
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_problems import not_found, refused
from mfa_gate.web.api_reminder_schema import (
    FindResults,
    ReminderFilter,
    ReminderJob,
    ReminderJobs,
    ReminderResult,
    ReminderResults,
    SendReminders,
)
from mfa_gate.web.api_schema import Doer, Nothing, given


def _send(call: Call, sent: SendReminders) -> GateResponse:
    users, people = given(sent.users), given(sent.filter)
    wanted = Wanted(
        users=tuple(users or ()),
        status=None if people is None else given(people.status),
        prefix="" if people is None else people.q,
        group=None if people is None else given(people.group),
        never_seen=people is not None and people.never_seen,
        dry=sent.dry_run,
    )
    result = call.services.reminders.begin(call.visitor, wanted, call.now)
    if isinstance(result, ReminderRun):
        return call.answer(_told(result, call.now))
    return refused(call, result, power="administer")


def _job(call: Call, _: Nothing) -> GateResponse:
    found = _found(call)
    return not_found() if isinstance(found, NotFound) else call.answer(_told(found, call.now))


def _jobs(call: Call, _: Nothing) -> GateResponse:
    jobs = tuple(_told(run, call.now) for run in call.services.reminders.recent())
    return call.answer(ReminderJobs(jobs=jobs))


def _results(call: Call, sent: FindResults) -> GateResponse:
    found = _found(call)
    if isinstance(found, NotFound):
        return not_found()
    reached = call.services.reminders.results(found.id, sent.outcome, sent.after, sent.limit)
    following = sent.after + len(reached) if len(reached) == sent.limit else None
    return call.answer(ReminderResults(results=tuple(map(_reached, reached)), next=following))


def _found(call: Call) -> ReminderRun | NotFound:
    return call.services.reminders.run(call.params["job"])


def _told(run: ReminderRun, now: int) -> ReminderJob:
    waits = run.is_open and run.not_before > now
    return ReminderJob(
        job=run.id,
        state="waiting" if waits else "running" if run.is_open else "finished",
        dry_run=run.dry,
        made_at=run.made_at,
        made_by=Doer.of(run.by),
        total=run.total,
        done=run.done,
        counts=run.counts,
        next_try_at=run.not_before if waits else None,
        trouble=run.trouble,
        finished_at=run.finished_at or None,
    )


def _reached(reached: Reached) -> ReminderResult:
    result, account = reached.result, reached.account
    return ReminderResult(
        user=result.account_id,
        subject=account.subject if account else "",
        name=account.name if account else "",
        email=account.email if account else "",
        outcome=result.outcome,
        why=result.why,
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path="/admin/reminders",
        name="send_reminders",
        summary="Remind people to set up two-step, each at most once a day",
        takes=SendReminders,
        answers=ReminderJob,
        run=_send,
        refuses=(*REFUSES, (409, "conflict")),
        guard=stranger,
        example=SendReminders(filter=ReminderFilter(status="missing")),
    ),
    Operation(
        method="GET",
        path="/admin/reminders",
        name="list_reminders",
        summary="Reminders of the last month",
        takes=Nothing,
        answers=ReminderJobs,
        run=_jobs,
        refuses=REFUSES,
        guard=stranger,
    ),
    Operation(
        method="GET",
        path="/admin/reminders/{job}",
        name="read_reminders",
        summary="How far reminders have come",
        takes=Nothing,
        answers=ReminderJob,
        run=_job,
        refuses=(*REFUSES, (404, "not_found")),
        guard=stranger,
    ),
    Operation(
        method="GET",
        path="/admin/reminders/{job}/results",
        name="list_reminder_results",
        summary="What came of whom",
        takes=FindResults,
        answers=ReminderResults,
        run=_results,
        refuses=(*REFUSES, (404, "not_found")),
        guard=stranger,
    ),
)
