"""The command line: which commands there are; what each does stands in its own module, imported when asked for."""

from pathlib import Path

import click

from mfa_gate.cli.audit import audit
from mfa_gate.cli.backup import backup, restore
from mfa_gate.cli.break_glass import break_glass
from mfa_gate.cli.check import check
from mfa_gate.cli.demo import demo
from mfa_gate.cli.explain import explain
from mfa_gate.cli.init import admin_code, init
from mfa_gate.cli.invocation import DEFAULT_SETTINGS, VARIABLE, Group, Invocation
from mfa_gate.cli.keys import keys
from mfa_gate.cli.policy import policy
from mfa_gate.cli.report import report
from mfa_gate.cli.users import users
from mfa_gate.cli.worker import worker

__all__ = ["main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mfa-gate", prog_name="mfa-gate")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    envvar=VARIABLE,
    default=DEFAULT_SETTINGS,
    show_default=True,
    show_envvar=True,
    help="The settings file; also taken after a command's own name.",
)
@click.pass_context
def main(ctx: click.Context, settings: Path) -> None:
    """An organization-wide two-step requirement in front of a web portal.

    Exit codes: 0 everything asked for was done, 1 it was not, 2 the command was not understood.
    """
    if ctx.obj is None:
        ctx.obj = Invocation()
    ctx.obj.settings_path = settings


for command in (
    admin_code,
    audit,
    backup,
    break_glass,
    check,
    demo,
    explain,
    init,
    keys,
    policy,
    report,
    restore,
    users,
    worker,
):
    main.add_command(command)
