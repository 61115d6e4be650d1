"""Acts for one person by somebody on the server's own shell: `users reset`, `sign-out`, `remove-device`, `exempt` …"""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import click

from mfa_gate.cli.invocation import (
    Invocation,
    json_option,
    os_user,
    pass_invocation,
    realm_in,
    realm_option,
    settings_option,
    subject_in,
)
from mfa_gate.cli.output import moment, say_json
from mfa_gate.core.accounts import Account, account_id

if TYPE_CHECKING:
    from mfa_gate.flows.assistance import Act

_WHY_NOT: Mapping[str, str] = {
    "nothing_set_up": "they have no two-step: there is nothing to reset.",
    "already_set_up": "they have set up two-step. Reset it first: an exemption is for who has none.",
    "nothing_remembered": "no browser of theirs is remembered.",
    "no_device": "no mobile or desktop client of theirs is registered.",
    "not_exempt": "they have no exemption that could be ended.",
    "inactive": "this account is not active.",
}
reason_option = click.option("--reason", required=True, help="Why; it stands in the audit trail.")


@click.command()
@click.argument("user")
@reason_option
@realm_option
@json_option
@settings_option
@pass_invocation
def reset(invocation: Invocation, user: str, reason: str, realm: str | None, *, as_json: bool) -> None:
    """Remove somebody's factors, recovery codes and sessions; they set up two-step anew."""
    from mfa_gate.flows.assistance import Reset

    account = _assist(invocation, user, realm, reason, lambda _: Reset())
    if as_json:
        say_json(_named(account) | {"reset_at": account.reset_at})
    else:
        click.echo(f"Two-step of {account.subject} is reset, and all their sessions are ended.")


@click.command("sign-out")
@click.argument("user")
@reason_option
@realm_option
@json_option
@settings_option
@pass_invocation
def sign_out(invocation: Invocation, user: str, reason: str, realm: str | None, *, as_json: bool) -> None:
    """End all sessions of somebody; their two-step stays as it is."""
    from mfa_gate.flows.assistance import SignOut

    account = _assist(invocation, user, realm, reason, lambda _: SignOut())
    if as_json:
        say_json(_named(account))
    else:
        click.echo(f"All sessions of {account.subject} are ended, and no browser of theirs is remembered.")


@click.command("forget-browsers")
@click.argument("user")
@click.option("--browser", metavar="ID", help="Only this one, by its id in `users show --json`.")
@reason_option
@realm_option
@json_option
@settings_option
@pass_invocation
def forget_browsers(
    invocation: Invocation,
    user: str,
    *,
    browser: str | None,
    reason: str,
    realm: str | None,
    as_json: bool,
) -> None:
    """Forget somebody's remembered browsers; sessions opened in them end."""
    from mfa_gate.flows.assistance import ForgetBrowser

    account = _assist(invocation, user, realm, reason, lambda _: ForgetBrowser(browser))
    if as_json:
        say_json(_named(account))
    else:
        click.echo(f"{'That browser' if browser else 'Every browser'} of {account.subject} is forgotten.")


@click.command("remove-device")
@click.argument("user")
@click.option("--device", metavar="ID", required=True, help="Which one; `users show` names them.")
@reason_option
@realm_option
@json_option
@settings_option
@pass_invocation
def remove_device(
    invocation: Invocation, user: str, *, device: str, reason: str, realm: str | None, as_json: bool
) -> None:
    """Remove a mobile or desktop client of somebody; it is asked for a code again."""
    from mfa_gate.flows.assistance import RemoveDevice

    account = _assist(invocation, user, realm, reason, lambda _: RemoveDevice(device))
    if as_json:
        say_json(_named(account))
    else:
        click.echo(f"That client of {account.subject} is removed.")


@click.command()
@click.argument("user")
@click.option("--until", metavar="DAY", help="The last day, as 2026-03-14; or a moment, as 2026-03-14T18:00.")
@click.option("--end", is_flag=True, help="End the exemption before its time.")
@reason_option
@realm_option
@json_option
@settings_option
@pass_invocation
def exempt(
    invocation: Invocation,
    user: str,
    *,
    until: str | None,
    end: bool,
    reason: str,
    realm: str | None,
    as_json: bool,
) -> None:
    """Ask somebody who has no two-step for none until a day; change that day; or end it before."""
    from mfa_gate.flows.assistance import EndExemption, Exempt

    if (until is None) != end:
        raise click.UsageError("Say --until DAY, or --end.")
    account = _assist(
        invocation,
        user,
        realm,
        reason,
        lambda zone: EndExemption() if until is None else Exempt(_moment(until, zone)),
    )
    if as_json:
        say_json(_named(account) | {"exempt_until": account.exempt_until or None})
    elif end:
        click.echo(f"The exemption of {account.subject} is ended.")
    else:
        click.echo(f"{account.subject} is exempt until {moment(account.exempt_until)} UTC.")


def unknown(user: str, realm: str) -> click.ClickException:
    """The gate has no record of somebody."""
    return click.ClickException(f'The gate has never seen "{user}" (realm {realm}).')


def _assist(
    invocation: Invocation, user: str, realm: str | None, reason: str, act_in: "Callable[[tzinfo], Act]"
) -> Account:
    """Do an act, and say in words where it was not done. `act_in(zone)` is the act, with days as meant there."""
    from mfa_gate.flows.assistance import ForgetBrowser, RemoveDevice
    from mfa_gate.flows.results import Done, EndRefused, NotAllowed, NotFound, Overtaken, ReasonMissing
    from mfa_gate.web.dates import zone_named

    with invocation.opened() as gate:
        named, subject = realm_in(gate.settings, realm), subject_in(user)
        act = act_in(zone_named(gate.settings.time_zone))
        answer = gate.assistance.assist_from_shell(
            os_user(), act, account_id(named, subject), reason, gate.now
        )
    match answer:
        case Done(account=account):
            return account
        case NotFound() if isinstance(act, ForgetBrowser) and act.browser:
            raise click.ClickException(f'"{user}": the gate remembers no such browser of theirs.')
        case NotFound() if isinstance(act, RemoveDevice):
            raise click.ClickException(f'"{user}": no such client of theirs is registered.')
        case NotFound():
            raise unknown(user, named)
        case NotAllowed(reason=why):
            raise click.ClickException(f'"{user}": {_WHY_NOT.get(why, "this cannot be done for them.")}')
        case ReasonMissing():
            raise click.UsageError("--reason wants 3 to 500 characters.")
        case EndRefused(latest=latest):
            raise click.UsageError(
                f"--until wants a day ahead, at the latest what is over by {moment(latest)} UTC."
            )
        case Overtaken():
            raise click.ClickException(f'"{user}" has changed meanwhile. Look at them again.')


def _moment(text: str, zone: tzinfo) -> int:
    from mfa_gate.web.dates import end_of_day

    until = end_of_day(text, zone)
    if until is not None:
        return until
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        raise click.UsageError(f'--until "{text}" is no day. Write it as 2026-03-14.') from None


def _named(account: Account) -> dict[str, object]:
    return {"id": account.id, "user": account.subject, "realm": account.realm}
