"""`check`: whether this gate can do its work, each thing that is wrong in a sentence; it changes nothing."""

import os
from collections.abc import Iterator
from typing import Final

import click

from mfa_gate.background import how_jobs_stand
from mfa_gate.cli.invocation import Invocation, json_option, pass_invocation, settings_option
from mfa_gate.cli.output import moment, plural, say_json, say_table
from mfa_gate.cli.upkeep import (
    admin_mail_problems,
    anchor_problems,
    archive_problems,
    grant_problems,
    job_problems,
    key_problems,
)
from mfa_gate.core.errors import KeysError, MailUnavailable, SettingsError, StoreUnavailable
from mfa_gate.flows.jobs import Standing
from mfa_gate.keys import KeyRing
from mfa_gate.mailing import post
from mfa_gate.opening import open_store
from mfa_gate.settings import Problem, Settings, problems
from mfa_gate.settings.problems import Edge

MADE_AFTER: Final = 1_767_225_600
"""1 January 2026: no clock that is right shows an earlier time to this program."""
CLOCK_SKEW_SECONDS: Final = 60


@click.command()
@click.option(
    "--edge",
    type=click.Choice(("asgi", "wsgi")),
    help="The middleware that carries the gate: then also sources that it cannot serve are found.",
)
@json_option
@settings_option
@pass_invocation
def check(invocation: Invocation, edge: Edge | None, *, as_json: bool) -> None:
    """Say what is wrong with settings, keys, store, mail and clock, and when background jobs were last done.

    Ends with 1 if there is an error; warnings are what somebody should know.
    """
    jobs: list[Standing] = []
    found = sorted(_all(invocation, edge, jobs), key=lambda problem: problem.severity)
    errors = sum(problem.severity == "error" for problem in found)
    if as_json:
        path = str(invocation.settings_path.absolute())
        say_json({"ok": not errors, "settings": path, "problems": found, "jobs": jobs})
    else:
        _say(found, jobs, errors)
    if errors:
        raise SystemExit(1)


def _say(found: list[Problem], jobs: list[Standing], errors: int) -> None:
    if found:
        rows = [(each.severity, each.setting, each.text) for each in found]
        say_table(("SEVERITY", "WHERE", "WHAT"), [rows], empty="")
        click.echo()
    if jobs:
        done = [(each.name, moment(each.last_run_at) if each.last_run_at else "never") for each in jobs]
        say_table(("JOB", "LAST DONE (UTC)"), [done], empty="")
        click.echo()
    warnings = plural(len(found) - errors, "warning")
    if errors:
        click.echo(f"{plural(errors, 'error')}, {warnings}.")
    else:
        click.echo(f"Settings, keys, store, mail and clock are in order; {warnings}.")


def _all(invocation: Invocation, edge: Edge | None, jobs: list[Standing]) -> Iterator[Problem]:
    yield from _clock_problems(invocation.now)
    try:
        settings = Settings.from_toml(invocation.settings_path)
    except SettingsError as error:
        yield _error("settings", str(error))
        try:
            # If it is only the portal's secret that is missing here, there is more to look at.
            settings = invocation.settings()
        except SettingsError:
            return
    yield from problems(settings, edge=edge)
    yield from _mail_problems(settings)
    try:
        keys = KeyRing.find(settings.keys.file, os.environ)
    except KeysError as error:
        yield _error("keys", str(error))
        return
    yield from key_problems(settings, keys)
    yield from grant_problems(settings, keys, invocation.now)
    yield from _store_problems(invocation, settings, keys, jobs)


def _clock_problems(now: int) -> Iterator[Problem]:
    if now < MADE_AFTER:
        yield _error("clock", f"it says {moment(now)} UTC. Set it: codes of authenticator apps depend on it.")


def _mail_problems(settings: Settings) -> Iterator[Problem]:
    if not settings.mail.leaves:
        return
    try:
        with post(settings).line():
            pass
    except MailUnavailable as error:
        yield _error("mail", str(error))


def _store_problems(
    invocation: Invocation, settings: Settings, keys: KeyRing, jobs: list[Standing]
) -> Iterator[Problem]:
    try:
        store = open_store(settings, keys, invocation.sources)
        try:
            policy = store.policy()
            newest = store.events(account_id=None, kind=None, before=None, limit=1)
            concerns = store.health(invocation.sources.clock())
            last = max([policy.changed_at, *(recorded.event.at for recorded in newest)])
            jobs += how_jobs_stand(settings, store, invocation.now)
            upkeep = (
                *anchor_problems(settings, store, last),
                *archive_problems(settings, store),
                *admin_mail_problems(settings, store, invocation.now),
                *job_problems(jobs),
            )
        finally:
            store.close()
    except StoreUnavailable as error:
        yield _error("store", str(error))
        return
    if last > invocation.now + CLOCK_SKEW_SECONDS:
        yield _error(
            "clock",
            f"it says {moment(invocation.now)} UTC, but something was recorded at {moment(last)}. Set it: "
            "codes of authenticator apps depend on it, and sessions end early.",
        )
    yield from upkeep
    yield from (Problem(severity=each.severity, setting=each.about, text=each.text) for each in concerns)
    if policy.require_two_step and settings.mode == "observe":
        yield _warning("mode", "the policy requires two-step, and nobody is held to it.")


def _error(where: str, text: str) -> Problem:
    return Problem(severity="error", setting=where, text=text)


def _warning(where: str, text: str) -> Problem:
    return Problem(severity="warning", setting=where, text=text)
