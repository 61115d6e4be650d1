"""Writes `reference/command-line.md` out of the commands themselves; it must not know a command by name."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Final

import click

from mfa_gate.cli import main

HEAD: Final = """\
# Command line

<!-- Written by scripts/docs out of the commands; what you change here is lost. -->

`mfa-gate` works on the gate that a settings file names: `--settings PATH`, else the variable `MFA_GATE_SETTINGS`, else
`mfa-gate.toml` in the folder where it is called. What is wrong is said in one sentence on standard error. Exit codes:
0 everything asked for was done, 1 it was not, 2 the command was not understood.

Who calls is recorded as the operating system knows them. With `--json` a list is an array, and times are UTC seconds.
Most commands need the keys and the store, so run them as the gate's own user. Only `check` needs the portal's secret.
"""


def page() -> str:
    """The whole page."""
    root = click.Context(main, info_name="mfa-gate")
    return "\n".join([HEAD, *(section for command in _commands(root) for section in _section(command))])


def _commands(ctx: click.Context) -> Iterator[click.Context]:
    if not isinstance(ctx.command, click.Group):
        yield ctx
        return
    if ctx.command.invoke_without_command:
        yield ctx
    for name in ctx.command.list_commands(ctx):
        command = ctx.command.get_command(ctx, name)
        if command is not None:
            yield from _commands(click.Context(command, info_name=name, parent=ctx))


def _section(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    yield f"## {ctx.command_path}\n"
    yield f"```text\n{' '.join([ctx.command_path, *command.collect_usage_pieces(ctx)])}\n```\n"
    yield f"{cleandoc(command.help or '')}\n"
    params = [param for param in command.params if param.name != "settings"]
    records = [record for param in params if (record := param.get_help_record(ctx)) and record[1]]
    if records:
        yield "\n".join(f"- `{names}`: {text}" for names, text in records) + "\n"
