"""`keys`: which keys there are, and how one is exchanged without anybody noticing."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from mfa_gate.cli.output import counting, moment, plural, say_json, say_table
from mfa_gate.core.errors import KeysError
from mfa_gate.keys import VARIABLE, KeyRing, Purpose
from mfa_gate.keys import files as key_files
from mfa_gate.keys.ring import PURPOSES

if TYPE_CHECKING:
    from mfa_gate.keys.rotation import Rotated

WAIT_SECONDS = 5
"""Five times as long as a running process needs to notice a new key file."""


@click.group()
def keys() -> None:
    """The gate's own keys, which are never in the store nor in a backup."""


@keys.command()
@click.option(
    "--public", is_flag=True, help="Only what others need to verify checkpoints: id and public key."
)
@json_option
@settings_option
@pass_invocation
def show(invocation: Invocation, *, public: bool, as_json: bool) -> None:
    """List the keys, never what they are."""
    from mfa_gate.keys.rotation import checkpoint_publics
    from mfa_gate.keys.signatures import public_line

    ring = KeyRing.find(invocation.settings().keys.file, os.environ)
    if public:
        publics = list(checkpoint_publics(ring).values())
        if as_json:
            say_json(publics)
        else:
            for each in publics:
                click.echo(public_line(each))
        return
    rows = [
        (
            purpose,
            key.id,
            "writes" if key is ring.writing(purpose) else "standby" if key.standby else "reads",
            key,
        )
        for purpose in PURPOSES
        for key in ring.reading(purpose)
    ]
    if as_json:
        say_json(
            [
                {
                    "purpose": purpose,
                    "id": name,
                    "state": state,
                    "made_at": key.made_at,
                    "stopped_at": key.stopped_at,
                }
                for purpose, name, state, key in rows
            ]
        )
        return
    say_table(
        ("PURPOSE", "ID", "STATE", "MADE (UTC)", "GAVE WAY (UTC)"),
        [
            [
                (purpose, name, state, moment(key.made_at), moment(key.stopped_at))
                for purpose, name, state, key in rows
            ]
        ],
        empty="",
    )


@keys.command()
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    type=click.Choice(PURPOSES),
    help="Exchange only the key of this purpose; may be given several times.  [default: all]",
)
@click.option(
    "--prepare", is_flag=True, help="Only the first phase: every process learns to read the new keys."
)
@click.option("--finish", is_flag=True, help="Only the second phase: what was prepared writes from now on.")
@reason_option
@json_option
@settings_option
@pass_invocation
def rotate(
    invocation: Invocation,
    purposes: tuple[Purpose, ...],
    reason: str,
    *,
    prepare: bool,
    finish: bool,
    as_json: bool,
) -> None:
    """Exchange keys in two phases; nobody is signed out.

    Between the phases every process must have read the key file. On one machine that takes seconds, and the command
    waits for it. Where several machines use one store, run it with --prepare, copy the key file to all of them, and
    run it with --finish.
    """
    given = reason_of(reason)
    if prepare and finish:
        raise click.UsageError(
            "--prepare and --finish are the two phases: without both, the command does both."
        )
    with invocation.opened() as gate:
        if gate.settings.store.redis and not (prepare or finish):
            raise click.UsageError(
                "Other machines may use the same store with a copy of the key file. Run this with --prepare, copy the "
                "key file to all of them, and then with --finish."
            )
    done = _exchange(invocation, _file(gate), purposes or PURPOSES, prepare=not finish, finish=not prepare)
    if finish and not done:
        raise click.ClickException("Nothing was prepared. Run `mfa-gate keys rotate --prepare` first.")
    if not prepare:
        _record(invocation, done, given)
    if as_json:
        say_json({"phase": "prepared" if prepare else "finished", "keys": done})
        return
    for each in done:
        verb = "is read beside" if prepare else "took the place of"
        click.echo(f"{each.purpose}: {each.new} {verb} {each.old}.")
    if prepare:
        click.echo("Next: copy the key file to every machine that uses the store, then run it with --finish.")
    else:
        click.echo(
            "Keep a copy of the key file elsewhere. Next: `mfa-gate keys reseal`, and later `keys retire ID`."
        )


@keys.command()
@json_option
@settings_option
@pass_invocation
def reseal(invocation: Invocation, *, as_json: bool) -> None:
    """Seal every record with the newest key, while the gate is in use. May be stopped and run again."""
    from mfa_gate.flows.key_keeping import reseal as reseal_all

    with invocation.opened() as gate, counting("records sealed anew") as progress:
        done = reseal_all(gate.store.seals, progress)
    if as_json:
        say_json({"changed": done.changed, "broken": done.broken})
    else:
        click.echo(f"{plural(done.changed, 'record')} sealed anew.")
        for text in done.broken:
            click.echo(text, err=True)
    if done.broken:
        raise SystemExit(1)


@keys.command()
@click.argument("key_id", metavar="ID")
@reason_option
@json_option
@settings_option
@pass_invocation
def retire(invocation: Invocation, key_id: str, reason: str, *, as_json: bool) -> None:
    """Remove a key that nothing depends on any more. Refused as long as something does."""
    from mfa_gate.flows.acting import shell
    from mfa_gate.flows.key_keeping import retired_event, why_kept
    from mfa_gate.keys.rotation import found, retired

    given = reason_of(reason)
    with invocation.opened() as gate, counting("looked at") as progress:
        ring = KeyRing.find(gate.settings.keys.file, os.environ)
        retired(ring, key_id)
        purpose, key = found(ring, key_id)
        why = why_kept(gate.store, purpose, key, gate.now, progress) or _why_granted(gate, key_id)
        if why is not None:
            raise click.ClickException(f"{purpose} key {key_id} is still needed: {why}.")
        gate.store.record((retired_event(shell(os_user()), purpose, key_id, given, gate.now),), gate.now)
        _change(_file(gate), lambda before: retired(before, key_id)[0])
    if as_json:
        say_json({"purpose": purpose, "retired": key_id})
    else:
        click.echo(
            f"{purpose} key {key_id} is gone. Backups from before still need it: keep your copy with them."
        )


def _why_granted(gate: Opened, key_id: str) -> str | None:
    from mfa_gate.opening import grant_file

    file = grant_file(gate.settings)
    for signed in () if file is None else file.read():
        grant = signed.read()
        if signed.key == key_id and grant is not None and gate.now < grant.until:
            return f"a break-glass grant that it signed is good until {moment(grant.until)} UTC. Wait, or revoke it"
    return None


def _exchange(
    invocation: Invocation, file: Path, purposes: tuple[Purpose, ...], *, prepare: bool, finish: bool
) -> "tuple[Rotated, ...]":
    from mfa_gate.keys.rotation import finished, prepared

    done: list[tuple[Rotated, ...]] = []

    def first(ring: KeyRing) -> KeyRing:
        after, rotated = prepared(ring, purposes, invocation.sources.random, invocation.now)
        done.append(rotated)
        return after

    def second(ring: KeyRing) -> KeyRing:
        after, rotated = finished(ring, purposes, invocation.now)
        done.append(rotated)
        return after

    if prepare:
        _change(file, first)
    if prepare and finish:
        time.sleep(WAIT_SECONDS)
    if finish:
        _change(file, second)
    return done[-1]


def _record(invocation: Invocation, done: "tuple[Rotated, ...]", reason: str) -> None:
    from mfa_gate.flows.acting import shell
    from mfa_gate.flows.key_keeping import rotated_event

    with invocation.opened() as gate:
        gate.store.record((rotated_event(shell(os_user()), done, reason, gate.now),), gate.now)


def _file(gate: Opened) -> Path:
    file = gate.settings.keys.file
    if os.environ.get(VARIABLE) or file is None:
        raise KeysError(
            f"the keys are in the environment variable {VARIABLE}, which this command cannot change. Keep them in a "
            "file that [keys] file names."
        )
    return file


def _change(file: Path, plan: Callable[[KeyRing], KeyRing]) -> None:
    key_files.change(file, lambda text: plan(KeyRing.parse(text, f'key file "{file}"')).text())
