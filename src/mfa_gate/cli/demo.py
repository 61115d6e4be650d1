"""`demo`: an example portal behind the gate, with everything that belongs to it in one folder."""

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mfa_gate.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from mfa_gate.cli.demo_site import Site

ROOT = Path(__file__).resolve().parents[3]
"""The top of the repository, if this is a clone."""


@click.command()
@click.option(
    "--app",
    type=click.Choice(("flask", "starlette")),
    default="starlette",
    show_default=True,
    help="Which portal.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free port."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-data",
    show_default=True,
    help="Folder for settings, keys, anchor, mail and the SQLite store; a second start finds what the first one left.",
)
@click.option(
    "--store",
    "store_url",
    metavar="URL",
    help="Where accounts are kept, redis://localhost:6379/0 for example.  [default: SQLite in the folder]",
)
@pass_invocation
def demo(invocation: Invocation, app: str, port: int, data: Path, store_url: str | None) -> None:
    """Start the example portal behind the gate.

    It listens on this machine only, and ends with Ctrl+C or SIGTERM.
    """
    from mfa_gate.cli.demo_site import make_site
    from mfa_gate.cli.listening import listen
    from mfa_gate.cli.serving import end_on_signals, serve_asgi, serve_wsgi

    if not (ROOT / "pyproject.toml").is_file() or not (ROOT / "examples").is_dir():
        raise click.ClickException(
            "The example portals are not part of the installed package. Clone the repository and run scripts/demo."
        )
    end_on_signals()
    sockets = listen(port)
    found = sockets[0].getsockname()[1]
    site = make_site(
        data,
        "flask" if app == "flask" else "starlette",
        port=found,
        store_url=store_url,
        sources=invocation.sources,
        environ=os.environ,
    )
    portal = _portal(app, site)
    _say(site, data)
    if app == "flask":
        serve_wsgi(portal, sockets)
    else:
        serve_asgi(portal, sockets)


def _portal(app: str, site: "Site") -> Any:  # noqa: ANN401 - an ASGI or a WSGI application
    """The gated portal, as a deployment would load it: settings and secret come from the environment."""
    from mfa_gate.cli.invocation import VARIABLE

    os.environ[VARIABLE] = str(site.settings_path)
    os.environ["PORTAL_SECRET"] = site.secret
    sys.path.insert(0, str(ROOT))
    try:
        importlib.import_module("gunicorn" if app == "flask" else "uvicorn")
        return importlib.import_module(f"examples.{app}_app.gated").app
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f'The demo needs "{error.name}". Install the package with its extra: pip install "mfa-gate[demo]".'
        ) from None


def _say(site: "Site", data: Path) -> None:
    from examples.hospital.people import PASSWORD, PEOPLE

    roles = {"admin": " (administers)", "help": " (help desk)"}
    users = ", ".join(f"{name}{roles.get(name, '')}" for name in PEOPLE)
    click.echo(f"The example portal is behind the gate at {site.settings.public_url}")
    click.echo(f"  users   {users}; everybody's password is {PASSWORD}")
    click.echo(f"  mail    goes to {site.settings.mail.dir}/")
    click.echo(f"  data    {data}/: settings, keys and anchor, kept for the next start")
    click.echo(f"  store   {site.settings.store}")
    click.echo(f"  shell   {sys.argv[0]} --settings {site.settings_path} users list")
    click.echo(
        "The settings of the demo waive the administrator's setup code: whoever knows the password of admin"
    )
    click.echo("can set up two-step as admin. A gate made by `mfa-gate init` asks for it.")
    click.echo("Ctrl+C ends it.")
    sys.stdout.flush()
