"""`users remind`: reminds people to set up two-step, and shows how far that is and what came of whom."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from mfa_gate.cli.invocation import (
    Invocation,
    Opened,
    json_option,
    os_user,
    pass_invocation,
    realm_in,
    realm_option,
    settings_option,
    subject_in,
)
from mfa_gate.cli.output import moment, plural, progress, say_json, say_table
from mfa_gate.cli.people import filtering_people
from mfa_gate.core.accounts import account_id
from mfa_gate.core.policy import Status
from mfa_gate.core.reminders import Outcome, ReminderRun

if TYPE_CHECKING:
    from mfa_gate.flows.reminders import Wanted

LOOK_SECONDS: Final = 1.0
PAGE: Final = 200
_WANTED_DRY: Final[tuple[Outcome, ...]] = ("sent", "no_address")
_WANTED: Final[tuple[Outcome, ...]] = ("failed", "unknown", "no_address")
_WORDS: Final[dict[Outcome, str]] = {
    "sent": "sent",
    "failed": "failed",
    "unknown": "unknown",
    "no_address": "without an address",
    "skipped": "left out",
}


@click.command()
@click.argument("user", nargs=-1)
@filtering_people
@click.option("--all", "everybody", is_flag=True, help="Everybody who has to set up two-step.")
@click.option("--job", metavar="JOB", help="Nobody anew: go on with reminders that were begun before.")
@click.option("--dry-run", is_flag=True, help="Send nothing, and say who would get mail.")
@click.option("--no-wait", is_flag=True, help="Leave the sending to a gate that runs.")
@realm_option
@json_option
@settings_option
@pass_invocation
def remind(
    invocation: Invocation,
    user: tuple[str, ...],
    *,
    status: Status | None,
    prefix: str,
    group: str | None,
    never_seen: bool,
    job: str | None,
    realm: str | None,
    everybody: bool,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Remind people to set up two-step: of those named, those of whom it is required and who have not.

    Nobody gets more than one reminder a day. Ends with 0 if all of them were sent.
    """
    from mfa_gate.flows.reminders import Wanted

    ways = [bool(user), bool(status or prefix or group or never_seen or everybody), job is not None]
    if sum(ways) != 1:
        raise click.UsageError(
            "Say whom: account names, or a filter (--status, --q, …) or --all; or a --job."
        )
    with invocation.opened() as gate:
        if job is None:
            named = realm_in(gate.settings, realm) if user else ""
            ids = tuple(account_id(named, subject_in(each)) for each in user)
            wanted = Wanted(
                users=ids,
                status=status,
                prefix=prefix,
                group=group or None,
                never_seen=never_seen,
                dry=dry_run,
            )
            run = _begun(gate, wanted)
        else:
            run = _found(gate, job)
        if not no_wait:
            run = _through(invocation, gate, run)
        if as_json:
            say_json(_as_json(gate, run))
        else:
            _say(gate, run, as_begun=no_wait)
    troubled = sum(run.counts.get(outcome, 0) for outcome in _WANTED)
    if not no_wait and (run.is_open or (run.total or 0) > run.done or (troubled and not run.dry)):
        raise SystemExit(1)


def _begun(gate: Opened, wanted: "Wanted") -> ReminderRun:
    from mfa_gate.flows.results import Busy, NotAllowed

    match gate.reminders.begin_from_shell(os_user(), wanted, gate.now):
        case ReminderRun() as run:
            return run
        case NotAllowed():
            raise click.ClickException(
                "The settings name no way for mail that works here. Write [mail] smtp and sender; if they are there, "
                "set the variable that [mail] password names."
            )
        case Busy():
            raise click.ClickException("Enough reminders are under way. Wait until some are through.")


def _found(gate: Opened, job: str) -> ReminderRun:
    from mfa_gate.flows.results import NotFound

    found = gate.reminders.run(job)
    if isinstance(found, NotFound):
        raise click.ClickException(f'There are no reminders "{job}", or not any more.')
    return found


def _through(invocation: Invocation, gate: Opened, run: ReminderRun) -> ReminderRun:
    """Send, or see another process send, until all is done or the mail server wants to be asked later."""
    from mfa_gate.background import reminder_jobs

    jobs = reminder_jobs(gate.settings, gate.store, invocation.sources)
    with progress("reminders") as show:
        try:
            while run.is_open and run.not_before <= invocation.now:
                if not jobs.turn(invocation.now):
                    # Another process sends: where it is stands in the store, and nothing tells us when that changes.
                    time.sleep(LOOK_SECONDS)
                run = _found(gate, run.id)
                show(run.done, run.total)
        finally:
            jobs.let_go(invocation.now)
    return run


def _say(gate: Opened, run: ReminderRun, *, as_begun: bool) -> None:
    if as_begun:
        click.echo(f"Reminders {run.id} wait for a gate that runs.")
        return
    wanted = _WANTED_DRY if run.dry else _WANTED
    if any(run.counts.get(outcome) for outcome in wanted):
        say_table(("USER", "NAME", "E-MAIL", "OUTCOME", "WHY"), _rows(gate, run, wanted), empty="")
        click.echo()
    counts = [
        f"{run.counts[outcome]} {words}" for outcome, words in _WORDS.items() if run.counts.get(outcome)
    ]
    would = "Would have been: " if run.dry else ""
    people = "person" if run.total == 1 else "people"
    click.echo(f"{would}{', '.join(counts) or 'nobody'}; of {run.total or 0} {people}.")
    if run.is_open:
        click.echo(
            f"{plural((run.total or 0) - run.done, 'reminder')} will be tried again at {moment(run.not_before)} UTC "
            f"by a gate that runs. `mfa-gate users remind --job {run.id}` says how far it is."
        )
    if run.trouble:
        click.echo(run.trouble, err=True)


def _rows(gate: Opened, run: ReminderRun, wanted: tuple[Outcome, ...]) -> Iterator[list[tuple[str, ...]]]:
    for outcome in wanted:
        after = 0
        while page := gate.reminders.results(run.id, outcome, after, PAGE):
            after += len(page)
            yield [
                (
                    each.account.subject if each.account else each.result.account_id,
                    each.account.name if each.account else "",
                    each.account.email if each.account else "",
                    _WORDS[outcome],
                    each.result.why,
                )
                for each in page
            ]


def _as_json(gate: Opened, run: ReminderRun) -> dict[str, object]:
    wanted = _WANTED_DRY if run.dry else _WANTED
    return {
        "job": run.id,
        "dry_run": run.dry,
        "total": run.total,
        "done": run.done,
        "counts": run.counts,
        "finished_at": run.finished_at or None,
        "next_try_at": run.not_before if run.is_open and run.not_before else None,
        "trouble": run.trouble,
        "results": [
            {"user": user, "name": name, "email": email, "outcome": outcome, "why": why}
            for page in _rows(gate, run, wanted)
            for user, name, email, outcome, why in page
        ],
    }
