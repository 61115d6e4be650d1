"""`audit`: what happened, newest first, and whether the trail is whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mfa_gate.cli.choosing import Chosen, choosing
from mfa_gate.cli.invocation import (
    Invocation,
    Opened,
    json_option,
    os_user,
    pass_invocation,
    reason_of,
    reason_option,
    settings_option,
)
from mfa_gate.cli.output import counting, moment, plural, say_json, say_list, say_table
from mfa_gate.cli.trail import COLUMNS, event_as_json, event_row

if TYPE_CHECKING:
    from mfa_gate.flows.finding import Sought
    from mfa_gate.ports import Recorded

PAGE = 200


@click.group()
def audit() -> None:
    """What happened, by whom and when."""


@audit.command("list")
@choosing
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@json_option
@settings_option
@pass_invocation
def list_(invocation: Invocation, chosen: Chosen, limit: int, *, as_json: bool) -> None:
    """List events, newest first."""
    with invocation.opened() as gate:
        pages = _pages(gate, chosen.sought(gate.settings), limit)
        if as_json:
            say_list(event_as_json(recorded) for page in pages for recorded in page)
            return
        say_table(COLUMNS, ([event_row(recorded) for recorded in page] for page in pages), empty="No events.")


@audit.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@choosing
@click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets, which cannot be verified.")
@reason_option
@json_option
@settings_option
@pass_invocation
def export(
    invocation: Invocation, path: Path, chosen: Chosen, reason: str, *, as_csv: bool, as_json: bool
) -> None:
    """Write the trail, or what is chosen of it, into a new file (- for the terminal), oldest event first.

    It is one JSON object a line, with the checkpoints: who has it and the line of `mfa-gate keys show --public` can
    verify it without any secret. That it was exported, why and by whom stands in the trail, before anything is written.
    """
    from mfa_gate.cli.exports import new_file
    from mfa_gate.flows.results import ReasonMissing

    given = reason_of(reason)
    with invocation.opened() as gate, counting("lines") as progress, new_file(path) as out:
        exported = gate.exporting.export_from_shell(
            os_user(), chosen.sought(gate.settings), "csv" if as_csv else "jsonl", given, gate.now
        )
        if isinstance(exported, ReasonMissing):
            raise click.UsageError("--reason wants 3 to 500 characters.")
        count = 0
        for count, line in enumerate(exported.lines, 1):
            out.write(line)
            if count % 1000 == 0:
                progress(1000)
        progress(count % 1000)
        # What is exported goes on from there, and says so in its first line.
        _say_archived(gate.store.archived_before())
    if str(path) == "-":
        return
    if as_json:
        say_json({"path": str(path), "lines": count})
    else:
        click.echo(f"{plural(count, 'line')} written to {path}.")


@audit.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, allow_dash=True))
@click.option(
    "--public-key",
    metavar="KEY",
    help="What `mfa-gate keys show --public` prints, or a file with it: verifies without any key of the gate.",
)
@click.option(
    "--anchor",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An anchor to compare with.  [default: that of the settings]",
)
@json_option
@settings_option
@pass_invocation
def verify(
    invocation: Invocation, file: Path | None, public_key: str | None, anchor: Path | None, *, as_json: bool
) -> None:
    """Recompute the trail in the store and its archive, or in FILE: what `mfa-gate audit export` wrote (- reads what
    is piped in), or a folder with what `mfa-gate audit archive` wrote.

    Ends with 1 where chains, checkpoints or anchor do not fit. With the gate's keys the event is named that was
    changed; with a public key alone, the two checkpoints between which it was.
    """
    from mfa_gate.cli.auditing import verified

    with counting("events") as progress:
        found = verified(invocation, file, public_key, anchor, progress)
    if as_json:
        say_json(found)
    else:
        for line in found.told():
            click.echo(line)
        if found.broken is not None:
            click.echo(f"The audit trail is broken. {found.broken}", err=True)
    if found.broken is not None:
        raise SystemExit(1)


@audit.command()
@click.option(
    "--older-than", type=click.IntRange(min=0), metavar="DAYS", help="What to archive.  [default: as set]"
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="What stays in the store once it is archived; wants --reason.  [default: as set]",
)
@click.option(
    "--reason", default="", help="Why more leaves the store than is set; it stands in the audit trail."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@settings_option
@pass_invocation
def archive(
    invocation: Invocation,
    older_than: int | None,
    keep: int | None,
    reason: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write what is old into files in the folder that the settings name, and let leave the store what is older still.

    The gate does so by itself every six hours. Each file is verified while it is written and once more when it is read
    back; what does not verify is not archived, and what is not archived stays. What was signed within ten minutes, or
    is not anchored or sent to the sinks yet, stays, too.
    """
    from mfa_gate.cli.archiving import Archived, archive_now, would_archive

    given = reason_of(reason) if reason or keep is not None else None
    with invocation.opened() as gate:
        found: Archived = (
            would_archive(invocation, gate, older_than, keep)
            if dry_run
            else archive_now(invocation, gate, older_than, keep, given)
        )
    if as_json:
        say_json(found)
    else:
        for line in found.told():
            click.echo(line)


def _pages(gate: Opened, sought: "Sought", limit: int) -> "Iterator[list[Recorded]]":
    before: int | None = None
    while limit > 0:
        page = gate.reporting.audit(sought, before=before, limit=min(limit, PAGE))
        yield list(page.events)
        limit -= len(page.events)
        before = page.before
        if before is None:
            _say_archived(page.archived_before)
            return


def _say_archived(before: int | None) -> None:
    if before is not None:
        click.echo(
            f"What happened until {moment(before)} UTC is kept in the archive, and is not shown.", err=True
        )
