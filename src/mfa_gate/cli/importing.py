"""`users import`: reads a roster from a file, shows what it would change, and puts it in force as a whole."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from mfa_gate.cli.invocation import (
    Invocation,
    Opened,
    json_option,
    os_user,
    pass_invocation,
    reason_of,
    settings_option,
)
from mfa_gate.cli.output import counting, plural, progress, say_json, say_table
from mfa_gate.core.messages import printable
from mfa_gate.core.roster import RosterHead

if TYPE_CHECKING:
    from mfa_gate.flows.importing import Kind, Preview
    from mfa_gate.flows.roster_desk import Hashed
    from mfa_gate.roster.csv_file import BadLine, Numbered
    from mfa_gate.roster.draft import Draft

LOOK_SECONDS: Final = 0.5
_KINDS: Final[tuple["Kind", ...]] = ("added", "changed", "deactivated")


@click.command("import")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Do not ask, whatever it changes.")
@click.option("--reason", default="", help="Why; it stands in the audit trail. Not needed for a dry run.")
@json_option
@settings_option
@pass_invocation
def import_(
    invocation: Invocation, file: BinaryIO | None, *, dry_run: bool, yes: bool, reason: str, as_json: bool
) -> None:
    """Make the roster what a CSV FILE says: realm,subject,name,email,groups,active.

    Whoever was on the roster and is not in the file any more is deactivated. All of the file counts, or nothing.
    Without a file, people are read from where [roster] says.
    """
    from mfa_gate.flows.acting import shell
    from mfa_gate.roster.draft import Draft

    given = "" if dry_run else reason_of(reason)
    with invocation.opened() as gate:
        with closing(Draft()) as draft:
            digest = _read(gate, file, draft)
            preview = _compare(gate, draft, keep=not dry_run)
        if not as_json:
            _show(preview)
        if dry_run:
            if as_json:
                say_json(_as_json(preview) | {"dry_run": True})
            return
        if not (yes or _is_meant(preview)):
            gate.importing.forget(preview)
            raise click.ClickException("Nothing was imported. Say --yes if this is meant.")
        head = gate.importing.confirm(preview, shell(os_user()), given, invocation.now, digest=digest)
        if not isinstance(head, RosterHead):
            raise click.ClickException("Another import was quicker. Nothing was imported; run it again.")
        _settle(invocation, gate, preview)
    if as_json:
        say_json(_as_json(preview) | {"dry_run": False, "roster": head.number})
    else:
        click.echo(
            f"The roster is in force: {plural(preview.people, 'person').replace('persons', 'people')}."
        )


def _read(gate: Opened, file: BinaryIO | None, draft: "Draft") -> str:
    """Fill the draft; the hash of the file, if it is one. Ends the command if a line cannot be read."""
    from mfa_gate.flows.roster_desk import Hashed

    hashed = None if file is None else Hashed(file)
    with counting("people read") as more:
        draft.fill(_people(gate, hashed), more)
    if draft.bad_count:
        for bad in draft.bad:
            click.echo(f"{'Person' if file is None else 'Line'} {bad.line}: {bad.why}.", err=True)
        raise click.ClickException(
            f"{plural(draft.bad_count, 'line')} cannot be read. Nothing was imported; correct the roster."
        )
    if not draft.people:
        raise click.ClickException("The roster names nobody. Nothing was imported.")
    return "" if hashed is None else hashed.hexdigest()


def _people(gate: Opened, file: "Hashed | None") -> "Iterator[Numbered | BadLine]":
    """Everybody whom the file names, or the place that the settings name."""
    from mfa_gate.roster import csv_file, hooks

    realms = tuple(dict.fromkeys(source.realm for source in gate.settings.identity))
    roster = gate.settings.roster
    if file is not None:
        return csv_file.read(file, realms)
    if roster.callable:
        return hooks.from_callable(roster.callable, realms)
    if roster.url is not None:
        return hooks.from_query(roster.url.reveal().decode(), roster.query, realms)
    raise click.UsageError("Name a file, or write [roster] in the settings.")


def _compare(gate: Opened, draft: "Draft", *, keep: bool) -> "Preview":
    from mfa_gate.flows.importing import StillSettling

    with progress("people compared") as show:
        done = 0

        def more(number: int) -> None:
            nonlocal done
            done += number
            show(done, draft.people)

        preview = gate.importing.compare(draft, gate.now, keep=keep, progress=more)
    if isinstance(preview, StillSettling):
        raise click.ClickException(
            "The import before this one has not reached every account yet. Wait until it has, with a gate that runs."
        )
    return preview


def _show(preview: "Preview") -> None:
    words = {"added": "new", "changed": "changed", "deactivated": "deactivated"}
    rows = [
        (words[kind], row.subject, row.realm, row.name, row.email)
        for kind in _KINDS
        for row in preview.shown[kind]
    ]
    if rows:
        say_table(("WHAT", "USER", "REALM", "NAME", "E-MAIL"), [rows], empty="")
        click.echo()
    counts = preview.counts
    click.echo(
        f"{counts['added']:,} new, {counts['changed']:,} changed, {counts['deactivated']:,} deactivated, "
        f"{counts['unchanged']:,} as before."
    )
    if preview.wants_confirmation:
        click.echo(
            f"That deactivates {counts['deactivated']:,} of {preview.listed:,} people: is the file complete?",
            err=True,
        )
    if preview.administrators:
        click.echo(
            f"It deactivates who administers: {', '.join(printable(each, 60) for each in preview.administrators)}.",
            err=True,
        )


def _is_meant(preview: "Preview") -> bool:
    """Whether somebody says so; where nobody can be asked, whatever needs no confirmation is."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return click.confirm("Import it?", default=not preview.wants_confirmation)
    return not preview.wants_confirmation


def _settle(invocation: Invocation, gate: Opened, preview: "Preview") -> None:
    """Tell every account, or see another process tell them."""
    from mfa_gate.background import roster_jobs

    jobs = roster_jobs(gate.store, invocation.sources)
    with progress("accounts told") as show:
        try:
            while gate.store.roster.head().import_id == preview.import_id:
                if not jobs.turn(invocation.now):
                    # Another process does it: where it is stands in the store, and nothing tells us when that changes.
                    time.sleep(LOOK_SECONDS)
            show(preview.rows, preview.rows)
        finally:
            jobs.let_go(invocation.now)


def _as_json(preview: "Preview") -> dict[str, object]:
    return {
        "people": preview.people,
        "counts": preview.counts,
        "deactivates_many": preview.wants_confirmation,
        "administrators": preview.administrators,
        "shown": {
            kind: [
                {"user": row.subject, "realm": row.realm, "name": row.name, "email": row.email}
                for row in preview.shown[kind]
            ]
            for kind in _KINDS
        },
    }
