"""`audit`: what happened, newest first, and whether the trail is whole."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

import click

from mfa_gate.cli.invocation import (
    Invocation,
    Opened,
    json_option,
    pass_invocation,
    realm_in,
    realm_option,
    settings_option,
    subject_in,
)
from mfa_gate.cli.output import say_json, say_list, say_table
from mfa_gate.cli.trail import COLUMNS, event_as_json, event_row
from mfa_gate.core.accounts import account_id
from mfa_gate.core.events import EventKind

if TYPE_CHECKING:
    from mfa_gate.ports import Recorded

PAGE = 200
NO_ANCHOR = "A store that was put back whole from an older copy is not found by this: no anchor is compared."


@click.group()
def audit() -> None:
    """What happened, by whom and when."""


@audit.command("list")
@click.option("--user", help="Only the events of this account.")
@realm_option
@click.option(
    "--kind", type=click.Choice(get_args(EventKind)), metavar="KIND", help="Only events of this kind."
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@json_option
@settings_option
@pass_invocation
def list_(
    invocation: Invocation,
    user: str | None,
    realm: str | None,
    kind: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """List events, newest first."""
    with invocation.opened() as gate:
        whose = None if user is None else account_id(realm_in(gate.settings, realm), subject_in(user))
        pages = _pages(gate, whose, kind, limit)
        if as_json:
            say_list(event_as_json(recorded) for page in pages for recorded in page)
            return
        say_table(COLUMNS, ([event_row(recorded) for recorded in page] for page in pages), empty="No events.")


@audit.command()
@json_option
@settings_option
@pass_invocation
def verify(invocation: Invocation, *, as_json: bool) -> None:
    """Recompute every chain of the trail; ends with 1 where it is broken."""
    with invocation.opened() as gate:
        broken = gate.store.broken_chain()
    if as_json:
        say_json({"whole": broken is None, "break": broken, "anchor": "not compared"})
    elif broken is None:
        click.echo(f"Every chain of the audit trail is whole. {NO_ANCHOR}")
    if broken is not None:
        if not as_json:
            click.echo(f"The audit trail is broken. {broken}", err=True)
        raise SystemExit(1)


def _pages(gate: Opened, whose: str | None, kind: str | None, limit: int) -> "Iterator[list[Recorded]]":
    before: int | None = None
    while limit > 0:
        page = gate.reporting.audit(account_id=whose, kind=kind, before=before, limit=min(limit, PAGE))
        yield list(page.events)
        limit -= len(page.events)
        before = page.before
        if before is None:
            return
