"""`init` and `admin-code`: what makes a gate usable, and lets its administrator in for the first time."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

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
from mfa_gate.cli.output import moment, say_facts, say_json
from mfa_gate.settings import FlaskSession, Settings, StarletteSession, default_toml
from mfa_gate.settings.template import SourceName

if TYPE_CHECKING:
    from mfa_gate.flows.results import MadeSetupCode


@click.command()
@click.option("--public-url", help="Where browsers reach the portal.  [default: http://localhost:8000]")
@click.option("--name", help="The portal's name, as people see it.  [default: Portal]")
@click.option(
    "--source",
    type=click.Choice(get_args(SourceName)),
    help="From where the gate learns who is signed in.  [default: flask_session]",
)
@click.option(
    "--secret", help="Where the portal's own secret is: env:NAME or file:PATH.  [default: env:PORTAL_SECRET]"
)
@click.option(
    "--store",
    metavar="URL",
    help="Where accounts are kept: redis://HOST:6379/0 for several processes or machines, env:NAME if there is a "
    "password in it.  [default: SQLite in a folder beside the settings]",
)
@click.option("--cookie", help="Name of the portal's session cookie.  [default: session]")
@click.option(
    "--field", help="Where in the portal's session the account name stands, such as user.id.  [default: user]"
)
@click.option("--admin", "admins", multiple=True, help="An administrator's account name.  [default: admin]")
@click.option("--help-desk", multiple=True, help="Account name of somebody at the help desk.")
@json_option
@settings_option
@pass_invocation
def init(invocation: Invocation, /, *, as_json: bool, **choices: str | tuple[str, ...] | None) -> None:
    """Make a usable gate: settings file, keys, store, and the administrator's one-time setup code.

    A settings file that is there already is used as it is, and only keys and store are made. Nothing is overwritten.
    """
    path = invocation.settings_path
    given = {key: value for key, value in choices.items() if value}
    text = None if path.exists() else _written(given)
    if text is None and given:
        names = ", ".join(f"--{key.replace('_', '-')}" for key in given)
        raise click.UsageError(
            f'"{path}" is there already and is not overwritten. Leave out {names}, or edit it.'
        )
    _refuse_unread(given)
    settings = invocation.settings() if text is None else invocation.settings_in(tomllib.loads(text))
    codes = _found(invocation, settings, text)
    if as_json:
        say_json({**_places(path, settings), "setup_codes": [_as_json(code) for code in codes]})
        return
    say_facts((key, value) for key, value in _places(path, settings).items() if value)
    for code in codes:
        click.echo()
        _say_code(code)
    click.echo()
    click.echo("Keep a copy of the keys elsewhere: without them nobody can read the store.")
    click.echo("Next: give the gate the portal's secret as the settings say, then run `mfa-gate check`.")
    if isinstance(settings.identity[0], FlaskSession | StarletteSession):
        click.echo(
            "Sign in to the portal once: if `cookie` or `field` is not as it has them, the log names them."
        )


@click.command()
@click.option("--user", required=True, help="The person's account name, spelled as the portal spells it.")
@realm_option
@json_option
@settings_option
@pass_invocation
def admin_code(invocation: Invocation, user: str, realm: str | None, *, as_json: bool) -> None:
    """Make the one-time code without which an administrator, or somebody of the help desk, cannot set up two-step.

    An earlier code of the same person is void.
    """
    with invocation.opened() as gate:
        made = _setup_code(gate, realm_in(gate.settings, realm), user)
    if as_json:
        say_json(_as_json(made))
    else:
        _say_code(made)


def _refuse_unread(given: Mapping[str, str | tuple[str, ...]]) -> None:
    """What only a session cookie has must not be given, and silently dropped, for another source."""
    source = given.get("source", "flask_session")
    names = ", ".join(f"--{name}" for name in ("secret", "cookie", "field") if name in given)
    if names and source in {"remote_user", "header"}:
        raise click.UsageError(f"--source {source} reads no session cookie. Leave out {names}.")


def _written(given: Mapping[str, str | tuple[str, ...]]) -> str:
    # click has seen to it that each value is of the kind that its option says.
    return default_toml(**cast("Any", given))


def _found(invocation: Invocation, settings: Settings, text: str | None) -> "list[MadeSetupCode]":
    from mfa_gate.cli.founding import found, make_folder, write_new

    path = invocation.settings_path
    if text is not None:
        make_folder(path.absolute().parent)
    keys, store = found(settings, invocation.sources, os_user())
    try:
        # Written last: where there is a settings file, there is what it names.
        if text is not None:
            write_new(path, text)
        gate = invocation.around(settings, keys, store)
        asked = settings.admin.setup_code
        return [_setup_code(gate, *person) for person in (_administrators(settings) if asked else ())]
    finally:
        store.close()


def _administrators(settings: Settings) -> Iterator[tuple[str, str]]:
    """(realm, account name) of those whom the settings name one by one."""
    for entry in settings.admin.admins:
        if entry.startswith("user:"):
            name, _, realm = entry.removeprefix("user:").rpartition("@")
            yield realm, name
        elif not entry.startswith("group:"):
            yield settings.identity[0].realm, entry


def _setup_code(gate: Opened, realm: str, user: str) -> "MadeSetupCode":
    from mfa_gate.flows.results import MadeSetupCode

    match gate.administration.make_setup_code(os_user(), realm, subject_in(user), gate.now):
        case MadeSetupCode() as made:
            return made
        case refused if refused.reason == "already_set_up":
            raise click.ClickException(
                f'"{user}" has two-step already and needs no code. '
                f"To let them begin anew: mfa-gate users reset {user} --reason …"
            )
        case _:
            raise click.ClickException(
                f'"{user}" (realm {realm}) is not in [admin] of the settings. Only who is needs a code.'
            )


def _say_code(made: "MadeSetupCode") -> None:
    click.echo(f"Setup code for {made.account.subject}: {made.code}")
    click.echo(f"Shown this once, good for one enrollment until {moment(made.expires_at)} UTC.")


def _as_json(made: "MadeSetupCode") -> dict[str, object]:
    account = made.account
    return {"user": account.subject, "realm": account.realm, "code": made.code, "expires_at": made.expires_at}


def _places(path: Path, settings: Settings) -> dict[str, str]:
    return {
        "settings": str(path.absolute()),
        "keys": str(settings.keys.file or ""),
        "store": str(settings.store),
        "anchor": str(settings.anchor.path or ""),
    }
