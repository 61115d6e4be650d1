"""`policy`: what the organization requires, shown and set from the server's own shell."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec.structs import replace

from mfa_gate.cli.invocation import Invocation, json_option, os_user, pass_invocation, settings_option
from mfa_gate.cli.output import moment, say_facts, say_json, say_table
from mfa_gate.core.impact import LISTS, ListName
from mfa_gate.core.policy import Policy
from mfa_gate.core.policy_changes import FIELDS, differences, in_words

if TYPE_CHECKING:
    from mfa_gate.flows.impact import Preview
    from mfa_gate.flows.policy_history import PolicyVersion

_SAID_ELSEWHERE = ("require_two_step", "first_required_at")


@click.group()
def policy() -> None:
    """What the organization requires."""


@policy.command()
@json_option
@settings_option
@pass_invocation
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show the policy."""
    with invocation.opened() as gate:
        now = gate.store.policy()
    if as_json:
        say_json({**msgspec.to_builtins(now), "mode": gate.settings.mode})
        return
    say_facts(_facts(now))
    if gate.settings.mode == "observe":
        click.echo('The settings say mode = "observe": nothing is enforced.')


@policy.command("set")
@click.argument("change", metavar="NAME=VALUE...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it stands in the audit trail and the history.")
@json_option
@settings_option
@pass_invocation
def set_(invocation: Invocation, change: tuple[str, ...], reason: str, *, as_json: bool) -> None:
    """Change the policy, all that is named at once or nothing.

    require_two_step=true turns Require Two-Step Authentication on, which is refused unless an administrator has
    two-step. Groups and factors stand with commas between them or as a JSON list, spans as seconds, 30min, 12h or 14d.
    """
    from mfa_gate.cli.policy_values import read_changes
    from mfa_gate.core.policy_changes import Unfit
    from mfa_gate.flows.results import Conflict, NotAllowed, PolicyChanged, ReasonMissing

    changes = read_changes(change)
    with invocation.opened() as gate:
        answer = gate.administration.set_policy_from_shell(os_user(), reason, changes, now=gate.now)
    match answer:
        case PolicyChanged(policy=after, before=before):
            if as_json:
                say_json({"changed": after != before, "policy": after})
            else:
                _say_changed(before, after, asked=changes.require_two_step is not None)
        case Unfit(field=field, why=why):
            raise click.UsageError(f"{field}: {why}")
        case ReasonMissing():
            raise click.UsageError("--reason wants 3 to 500 characters.")
        case NotAllowed():
            raise click.ClickException(
                "No administrator has set up two-step yet, so nobody could turn it off again on the pages. "
                "Let one of [admin] admins sign in and set it up first."
            )
        case Conflict():
            raise click.ClickException("Somebody else changed the policy just now. Look at it and try again.")


@policy.command()
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many at most.")
@json_option
@settings_option
@pass_invocation
def history(invocation: Invocation, limit: int, *, as_json: bool) -> None:
    """Show how the policy was, newest first: who changed what, when and why."""
    from mfa_gate.flows.policy_history import PolicyHistory

    with invocation.opened() as gate:
        found = PolicyHistory(gate.store).versions(limit=limit)
    if as_json:
        say_json([{**msgspec.to_builtins(each.policy), "changes": each.changes} for each in found])
        return
    say_table(
        ("version", "time (UTC)", "by", "change", "reason"), ([_row(each) for each in found],), empty=""
    )


@policy.command()
@click.option(
    "--export", "which", type=click.Choice(LISTS), help="Write one list as a table for spreadsheets."
)
@click.option(
    "--to", "path", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help="A new file, or -."
)
@click.option("--reason", default="", help="Why a list is exported; it stands in the audit trail.")
@json_option
@settings_option
@pass_invocation
def impact(
    invocation: Invocation, which: ListName | None, path: Path | None, reason: str, *, as_json: bool
) -> None:
    """Show what turning the requirement on would do now, or export who and what it would stop."""
    from mfa_gate.cli.exports import new_file
    from mfa_gate.flows.results import ReasonMissing

    if (which is None) != (path is None):
        raise click.UsageError("--export LIST and --to FILE go together.")
    with invocation.opened() as gate:
        if which is None or path is None:
            found = gate.impacts.preview(gate.now, most=None)
            _say_impact(found, as_json=as_json)
            return
        answer = gate.impacts.export_from_shell(os_user(), which, reason, gate.now)
        if isinstance(answer, ReasonMissing):
            raise click.UsageError("--reason wants 3 to 500 characters.")
        with new_file(path) as out:
            out.writelines(answer.lines)


def _say_impact(found: "Preview", *, as_json: bool) -> None:
    traffic = sorted(found.traffic.items())
    if as_json:
        told = [
            {"route": route, "credential": credential, "requests": count}
            for (route, credential), count in traffic
        ]
        say_json({**msgspec.to_builtins(replace(found, traffic={})), "traffic": told})
        return
    say_facts((name.replace("_", " "), f"{getattr(found, name):,}") for name in LISTS if name != "traffic")
    rows = [(route, credential, f"{count:,}") for (route, credential), count in traffic]
    say_table(("unattributed route", "credential", "requests"), (rows,), empty="No unattributed traffic.")


def _row(version: "PolicyVersion") -> tuple[str, ...]:
    then, changes = version.policy, version.changes
    told = "; ".join(f"{each.field}: {each.before} → {each.after}" for each in changes or ())
    return str(then.version), moment(then.changed_at), then.changed_by, told, then.changed_why


def _say_changed(before: Policy, after: Policy, *, asked: bool) -> None:
    found = differences(before, after)
    if asked:
        state = "on" if after.require_two_step else "off"
        verb = "is" if after.require_two_step != before.require_two_step else "was already"
        click.echo(f"Require Two-Step Authentication {verb} {state} (version {after.version}).")
    elif not found:
        click.echo(f"Nothing was changed (version {after.version}).")
    for difference in found:
        if difference.field != "require_two_step":
            click.echo(
                f"{difference.field}: {difference.before} → {difference.after} (version {after.version})"
            )


def _facts(policy_now: Policy) -> list[tuple[str, str]]:
    changed = (
        f"{moment(policy_now.changed_at)} UTC by {policy_now.changed_by}"
        if policy_now.changed_at
        else "never"
    )
    since = policy_now.first_required_at
    return [
        ("require_two_step", "true" if policy_now.require_two_step else "false"),
        ("first required", f"{moment(since)} UTC" if since else "never"),
        *((field, in_words(policy_now, field)) for field in FIELDS if field not in _SAID_ELSEWHERE),
        ("version", str(policy_now.version)),
        ("changed", changed),
        ("reason", policy_now.changed_why),
    ]
