"""`break-glass`: who may pass without the second step for a while, also without the store; alarmed at once."""

import os
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from mfa_gate.cli.invocation import (
    Invocation,
    json_option,
    os_user,
    pass_invocation,
    realm_in,
    realm_option,
    reason_of,
    reason_option,
    settings_option,
    subject_in,
)
from mfa_gate.cli.output import moment, plural, say_json, say_table
from mfa_gate.core.errors import KeysError, StoreUnavailable
from mfa_gate.core.grants import MAX_SECONDS
from mfa_gate.keys import KeyRing

if TYPE_CHECKING:
    from mfa_gate.break_glass import GrantFile
    from mfa_gate.core.events import Event
    from mfa_gate.core.grants import Grant, SignedGrant
    from mfa_gate.settings import Settings


@click.group("break-glass")
def break_glass() -> None:
    """Emergency access: lets one account pass without the second step for at most an hour."""


@break_glass.command()
@click.option("--user", required=True, help="Account name, spelled as the portal spells it.")
@realm_option
@click.option(
    "--minutes", type=click.IntRange(1, MAX_SECONDS // 60), required=True, help="For how long; at most 60."
)
@reason_option
@json_option
@settings_option
@pass_invocation
def grant(
    invocation: Invocation, user: str, realm: str | None, minutes: int, reason: str, *, as_json: bool
) -> None:
    """Let an account pass without the second step, also while the store is down.

    The portal's own sign-in is still asked for. Every use is recorded and told to the administrators.
    """
    from mfa_gate.flows.acting import shell
    from mfa_gate.flows.granting import made, made_event, signed

    given = reason_of(reason)
    desk = _Desk(invocation)
    new = made(
        invocation.sources.random(8).hex(),
        realm_in(desk.settings, realm),
        subject_in(user),
        desk.settings.public_url,
        seconds=60 * minutes,
        reason=given,
        by=os_user(),
        now=invocation.now,
    )
    # Written down before it counts: a grant of which nobody hears is none.
    desk.write_down(made_event(new, shell(os_user())))
    desk.file.change(lambda kept: (*desk.living(kept), signed(new, desk.keyed.sign_grant)))
    joined = desk.join()
    if as_json:
        say_json(_as_json(new))
        return
    click.echo(
        f"{new.subject} passes without the second step until {moment(new.until)} UTC (grant {new.id})."
    )
    click.echo("The gate honors it within a second. Every use is logged and told to the administrators.")
    if not joined:
        click.echo(f"The store does not answer; the event waits in {desk.log.path}.", err=True)


@break_glass.command("list")
@json_option
@settings_option
@pass_invocation
def list_(invocation: Invocation, *, as_json: bool) -> None:
    """List the grants that are good now."""
    desk = _Desk(invocation)
    found = [each for one in desk.living(desk.file.read()) if (each := one.read()) is not None]
    if as_json:
        say_json([_as_json(each) for each in found])
        return
    rows = [(each.id, each.subject, moment(each.until), each.by, each.reason) for each in found]
    say_table(("GRANT", "USER", "UNTIL (UTC)", "BY", "REASON"), [rows], empty="No grants.")


@break_glass.command()
@click.argument("grant_id", metavar="[GRANT]", required=False)
@click.option("--user", help="All grants of this account instead.")
@reason_option
@json_option
@settings_option
@pass_invocation
def revoke(
    invocation: Invocation, grant_id: str | None, user: str | None, reason: str, *, as_json: bool
) -> None:
    """Take back a grant, or all of an account; it ends within a second."""
    from mfa_gate.flows.acting import shell
    from mfa_gate.flows.granting import revoked_event

    given = reason_of(reason)
    if (grant_id is None) == (user is None):
        raise click.UsageError("Name one grant, or an account by --user.")
    desk = _Desk(invocation)
    gone: list[Grant] = []

    def plan(kept: "tuple[SignedGrant, ...]") -> "tuple[SignedGrant, ...]":
        left = []
        for one in desk.living(kept):
            found = one.read()
            if found is not None and (found.id == grant_id or found.subject == user):
                gone.append(found)
            else:
                left.append(one)
        return tuple(left)

    desk.file.change(plan)
    for each in gone:
        desk.write_down(revoked_event(each, shell(os_user()), given, invocation.now))
    desk.join()
    if as_json:
        say_json({"revoked": [each.id for each in gone]})
    else:
        click.echo(f"{plural(len(gone), 'grant')} taken back.")
    if not gone:
        raise SystemExit(1)


class _Desk:
    """Grants and their log as a command uses them; the store is asked only if it answers."""

    def __init__(self, invocation: Invocation) -> None:
        from mfa_gate.keyed import Keyed
        from mfa_gate.opening import grant_file, grant_log

        self._invocation = invocation
        self.settings: Settings = invocation.settings()
        ring = KeyRing.find(self.settings.keys.file, os.environ)
        self.keyed: Keyed = Keyed.of(ring, invocation.sources.random)
        file = grant_file(self.settings)
        if file is None:
            raise KeysError(
                "there is no place for grants: the keys are in the environment. Name a file in [keys] grants."
            )
        self.file: GrantFile = file
        self.log = grant_log(file, self.settings)

    def living(self, kept: "tuple[SignedGrant, ...]") -> "tuple[SignedGrant, ...]":
        """Those that are ours and not over."""
        now = self._invocation.now
        return tuple(
            one
            for one in kept
            if (found := one.read()) is not None and now < found.until and self.keyed.is_our_grant(one)
        )

    def write_down(self, event: "Event") -> None:
        """Into the log; raises `KeysError` if that cannot be written."""
        try:
            self.log.append(event)
        except OSError as error:
            raise KeysError(
                f'"{self.log.path}": {error.strerror}. Nothing is granted that is not written down: make room.'
            ) from error

    def join(self) -> bool:
        """Into the trail, too; False if the store does not answer now, and the gate will do it later."""
        from mfa_gate.opening import open_store

        with suppress(StoreUnavailable, OSError):
            with closing(open_store(self.settings, self.keyed, self._invocation.sources)) as store:
                self.log.join(lambda events: store.record(events, self._invocation.now))
            return True
        return False


def _as_json(grant: "Grant") -> dict[str, object]:
    return {
        "id": grant.id,
        "user": grant.subject,
        "realm": grant.realm,
        "granted_at": grant.granted_at,
        "until": grant.until,
        "by": grant.by,
        "reason": grant.reason,
    }
