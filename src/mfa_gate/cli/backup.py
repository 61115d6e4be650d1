"""`backup` and `restore`: a copy of the store, and going on from one; keys are in neither."""

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

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
from mfa_gate.cli.output import moment, say_json
from mfa_gate.core.errors import RolledBack, StoreUnavailable
from mfa_gate.settings import Settings

if TYPE_CHECKING:
    from mfa_gate.core.checkpoints import Anchor
    from mfa_gate.keyed import Keyed
    from mfa_gate.ports import Store

NO_KEYS = "The keys are not in it: without the key file of this time nobody can read it. Keep them apart."


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@settings_option
@pass_invocation
def backup(invocation: Invocation, path: Path, *, as_json: bool) -> None:
    """Write a whole copy of the store into a new file, while it is in use. Keys are never in it."""
    with invocation.opened() as gate:
        back_up = getattr(gate.store, "back_up", None)
        if back_up is None:
            raise click.ClickException(
                "A store on a Redis server is backed up there: copy its RDB or append-only files, or add a replica. "
                "The keys are not in it."
            )
        target = path.absolute()
        back_up(target)
        size = target.stat().st_size
    if as_json:
        say_json({"path": str(target), "bytes": size})
        return
    click.echo(f"Copied to {target} ({size:,} bytes).")
    click.echo(NO_KEYS)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on although the store is older than its anchor, or the anchor is unusable.",
)
@reason_option
@json_option
@settings_option
@pass_invocation
def restore(
    invocation: Invocation, path: Path | None, reason: str, *, accept_loss: bool, as_json: bool
) -> None:
    """Put a copy in the store's place, or accept a store that was put back by other means.

    Everybody is signed out, and no code of until now counts. What was changed since the copy is lost: recovery codes
    that were used since are good again, and factors that were removed are back. Without PATH the store stays as it is,
    and only what its anchor knows is corrected (--accept-loss).
    """
    from mfa_gate.keyed import Keyed
    from mfa_gate.keys import LiveKeys
    from mfa_gate.opening import open_unjudged

    given = reason_of(reason)
    if path is None and not accept_loss:
        raise click.UsageError("Name the copy to put back, or accept the store as it is with --accept-loss.")
    settings = invocation.settings()
    keyed = Keyed(LiveKeys(settings.keys.file, os.environ), invocation.sources.random)
    known = _known(settings, accept_loss=accept_loss)
    kept = None
    if path is not None:
        kept = _put_back(invocation, settings, keyed, path, known, accept_loss=accept_loss)
    with closing(open_unjudged(settings, keyed, invocation.sources)) as store:
        _begin_afresh(invocation, settings, store, known, given)
        newest = store.stream.reached().checkpoint
    if as_json:
        say_json({"restored": str(path or settings.store), "kept": str(kept) if kept else None})
        return
    signed = (
        f"checkpoint {newest.number} ({moment(newest.read().at)} UTC)"
        if newest
        else "before the first checkpoint"
    )
    click.echo(f"The store goes on from {signed}. Everybody is signed out.")
    if kept is not None:
        click.echo(f"What was there before is kept as {kept}.")
    click.echo(
        "Recovery codes that were used since then are good again, and factors that were removed are back."
    )


def _known(settings: Settings, *, accept_loss: bool) -> "Anchor | None":
    """What the anchor knows. One that cannot be read may be passed over by whoever accepts a loss."""
    from mfa_gate.opening import anchor_file

    file = anchor_file(settings)
    try:
        return None if file is None else file.read()
    except StoreUnavailable as error:
        if not accept_loss:
            raise
        click.echo(str(error), err=True)
        return None


def _put_back(
    invocation: Invocation,
    settings: Settings,
    keyed: "Keyed",
    path: Path,
    known: "Anchor | None",
    *,
    accept_loss: bool,
) -> Path | None:
    from mfa_gate.flows.anchoring import judge
    from mfa_gate.stores.sqlite import SqliteStore
    from mfa_gate.stores.sqlite_backup import put_in_place, stage, whole
    from mfa_gate.stores.sqlite_schema import take_away

    if settings.store.redis:
        raise click.ClickException(
            "A store on a Redis server is put back there. Then run this without PATH, with --accept-loss."
        )
    staged = stage(path, settings.store.path)
    try:
        broken = whole(staged)
        if broken is not None:
            raise click.ClickException(f"{path} is damaged ({broken}). Take another copy.")
        with closing(SqliteStore.open(staged, sealer=keyed.sealer, audit_key=keyed.audit_keys)) as store:
            if known is not None and not accept_loss:
                judge(store.stream, known)
            broken = store.broken_chain()
        if broken is not None and not accept_loss:
            raise click.ClickException(f"{path} was tampered with. {broken} Take another copy.")
        return put_in_place(staged, settings.store.path, invocation.now)
    except RolledBack as error:
        raise click.ClickException(
            f"{path} is older than what the anchor knows, and was not put back. {error}"
        ) from error
    finally:
        take_away(staged)
        staged.with_name(f"{staged.name}.lock").unlink(missing_ok=True)


def _begin_afresh(
    invocation: Invocation, settings: Settings, store: "Store", known: "Anchor | None", reason: str
) -> None:
    from mfa_gate.flows.acting import shell
    from mfa_gate.flows.anchoring import first_anchor
    from mfa_gate.flows.restoring import begin_afresh
    from mfa_gate.opening import anchor_file

    begin_afresh(store, known, shell(os_user()), reason, invocation.now)
    file = anchor_file(settings)
    if file is not None:
        file.accept(first_anchor(store.stream.reached(), invocation.now))
