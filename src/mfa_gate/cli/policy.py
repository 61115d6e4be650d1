"""`policy`: what the organization requires, shown and set from the server's own shell."""

import click
import msgspec

from mfa_gate.cli.invocation import Invocation, json_option, os_user, pass_invocation, settings_option
from mfa_gate.cli.output import moment, say_facts, say_json
from mfa_gate.core.policy import Policy

_SWITCH = {"true": True, "on": True, "false": False, "off": False}


@click.group()
def policy() -> None:
    """What the organization requires."""


@policy.command()
@json_option
@settings_option
@pass_invocation
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show the policy."""
    with invocation.opened() as gate:
        now = gate.store.policy()
    if as_json:
        say_json({**msgspec.to_builtins(now), "mode": gate.settings.mode})
        return
    say_facts(_facts(now))
    if gate.settings.mode == "observe":
        click.echo('The settings say mode = "observe": nothing is enforced.')


@policy.command("set")
@click.argument("change", metavar="require_two_step=true|false")
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
@json_option
@settings_option
@pass_invocation
def set_(invocation: Invocation, change: str, reason: str, *, as_json: bool) -> None:
    """Turn Require Two-Step Authentication on or off.

    Turning on is refused unless an administrator has two-step.
    """
    from mfa_gate.flows.results import Conflict, NotAllowed, PolicyChanged, ReasonMissing

    wanted = _parsed(change)
    with invocation.opened() as gate:
        answer = gate.administration.set_policy_from_shell(
            os_user(), reason, require_two_step=wanted, now=gate.now
        )
    match answer:
        case PolicyChanged(policy=after, before=before):
            if as_json:
                say_json({"changed": after != before, "policy": after})
            else:
                state = "on" if after.require_two_step else "off"
                verb = "is" if after != before else "was already"
                click.echo(f"Require Two-Step Authentication {verb} {state} (version {after.version}).")
        case ReasonMissing():
            raise click.UsageError("--reason wants 3 to 500 characters.")
        case NotAllowed():
            raise click.ClickException(
                "No administrator has set up two-step yet, so nobody could turn it off again on the pages. "
                "Let one of [admin] admins sign in and set it up first."
            )
        case Conflict():
            raise click.ClickException("Somebody else changed the policy just now. Look at it and try again.")


def _parsed(change: str) -> bool:
    name, equals, value = change.partition("=")
    wanted = _SWITCH.get(value.strip().lower())
    if name.strip() != "require_two_step" or not equals:
        raise click.UsageError(
            f'"{change}" is nothing that can be set. Write require_two_step=true or =false.'
        )
    if wanted is None:
        raise click.UsageError(f'require_two_step = "{value}": write true or false.')
    return wanted


def _facts(policy_now: Policy) -> list[tuple[str, str]]:
    changed = (
        f"{moment(policy_now.changed_at)} UTC by {policy_now.changed_by}"
        if policy_now.changed_at
        else "never"
    )
    return [
        ("require_two_step", "true" if policy_now.require_two_step else "false"),
        ("allowed_factors", ", ".join(policy_now.allowed_factors)),
        ("session_ttl_seconds", str(policy_now.session_ttl_seconds)),
        ("idle_ttl_seconds", str(policy_now.idle_ttl_seconds)),
        ("version", str(policy_now.version)),
        ("changed", changed),
    ]
