"""Options that choose people as the list on the pages does, and `users export`; it must not know how they are found."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from mfa_gate.cli.invocation import (
    Invocation,
    json_option,
    os_user,
    pass_invocation,
    reason_of,
    reason_option,
    settings_option,
)
from mfa_gate.cli.output import counting, say_json
from mfa_gate.core.listing import SORTS, Filter, Sort, asked
from mfa_gate.core.policy import Status

F = TypeVar("F", bound=Callable[..., Any])


_FILTERS = (
    click.option("--status", type=click.Choice(get_args(Status)), help="Only people with this status."),
    click.option(
        "--q", "prefix", default="", help="Only those whose name, e-mail or account name begins so."
    ),
    click.option("--group", help="Only those in this group, spelled as the portal spells it."),
    click.option("--never-seen", is_flag=True, help="Only those who never signed in."),
)


def filtering_people(command: F) -> F:
    """The same filters everywhere; the command gets them as `status`, `prefix`, `group` and `never_seen`."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def choosing_people(command: F) -> F:
    """Options that choose people; the command gets them as `who`, and as `sort` in which order."""

    @filtering_people
    @click.option(
        "--sort",
        type=click.Choice(SORTS),
        default="name",
        show_default=True,
        help="In which order; with - from the last to the first.",
    )
    @functools.wraps(command)
    def chosen(
        *args: Any,  # noqa: ANN401 -- what else the command takes
        status: Status | None,
        prefix: str,
        group: str | None,
        never_seen: bool,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        who = Filter(statuses=asked(status), prefix=prefix, group=group or None, never_seen=never_seen)
        return command(*args, who=who, **more)

    return chosen  # type: ignore[return-value]


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@choosing_people
@click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets.")
@reason_option
@json_option
@settings_option
@pass_invocation
def export(
    invocation: Invocation, path: Path, who: Filter, sort: Sort, reason: str, *, as_csv: bool, as_json: bool
) -> None:
    """Write everybody who is active, or who is chosen, into a new file (- for the terminal): one JSON object a line.

    That they were exported, why and by whom stands in the trail, before anything is written.
    """
    from mfa_gate.cli.exports import new_file
    from mfa_gate.flows.people_export import Extract
    from mfa_gate.flows.results import ReasonMissing

    given, count = reason_of(reason), 0
    with invocation.opened() as gate, counting("people") as progress, new_file(path) as out:
        wanted = Extract(who=who, sort=sort, form="csv" if as_csv else "jsonl")
        exported = gate.people_export.export_from_shell(os_user(), wanted, given, gate.now)
        if isinstance(exported, ReasonMissing):
            raise click.UsageError("--reason wants 3 to 500 characters.")
        for line in exported.lines:
            out.write(line)
            count += 1
            progress(1)
    count -= as_csv  # the heads of the columns
    if str(path) == "-":
        return
    if as_json:
        say_json({"path": str(path), "people": count})
    else:
        click.echo(f"{count} {'person' if count == 1 else 'people'} written to {path}.")
