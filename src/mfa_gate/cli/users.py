"""`users`: who has two-step and who does not, and one person's record."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from mfa_gate.cli.assisting import exempt, forget_browsers, remove_device, reset, sign_out, unknown
from mfa_gate.cli.importing import import_
from mfa_gate.cli.invocation import (
    Invocation,
    Opened,
    json_option,
    pass_invocation,
    realm_in,
    realm_option,
    settings_option,
    subject_in,
)
from mfa_gate.cli.output import moment, say_facts, say_json, say_list, say_table
from mfa_gate.cli.people import choosing_people, export
from mfa_gate.cli.reminding import remind
from mfa_gate.cli.trail import COLUMNS, event_as_json, event_row
from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.listing import ACTIVE, Filter, Sort
from mfa_gate.core.policy import is_exempt
from mfa_gate.core.throttle import FOREVER

if TYPE_CHECKING:
    from mfa_gate.flows.reporting import Profile
    from mfa_gate.ports import Row

PAGE = 200


@click.group()
def users() -> None:
    """Who has two-step, and who does not."""


for _act in (exempt, export, forget_browsers, import_, remind, remove_device, reset, sign_out):
    users.add_command(_act)


@users.command("list")
@choosing_people
@click.option(
    "--unlisted",
    is_flag=True,
    help="Only those who signed in and whom no roster names. Looks at everybody who fits, page by page, since "
    "no list is kept of them.",
)
@json_option
@settings_option
@pass_invocation
def list_(invocation: Invocation, who: Filter, sort: Sort, *, unlisted: bool, as_json: bool) -> None:
    """List everybody whom the gate has seen or a roster names."""
    with invocation.opened() as gate:
        pages = _pages(gate, who, sort)
        if unlisted:
            pages = (tuple(row for row in page if row.account.listing is None) for page in pages)
        if as_json:
            say_list(_row_as_json(row) for page in pages for row in page)
            return
        say_table(
            ("USER", "NAME", "E-MAIL", "REALM", "STATUS", "FACTORS", "LAST VERIFIED"),
            ([_row(row) for row in page] for page in pages),
            empty="Nobody."
            if unlisted or who != Filter(statuses=ACTIVE)
            else "The gate has seen nobody yet.",
        )


@users.command()
@click.argument("user")
@realm_option
@json_option
@settings_option
@pass_invocation
def show(invocation: Invocation, user: str, realm: str | None, *, as_json: bool) -> None:
    """Show one person: status, factors, sessions, history."""
    from mfa_gate.flows.results import NotFound

    with invocation.opened() as gate:
        named = realm_in(gate.settings, realm)
        profile = gate.reporting.profile(account_id(named, subject_in(user)), gate.now)
        if isinstance(profile, NotFound):
            raise unknown(user, named)
        role = gate.settings.is_admin(profile.account) or ""
    if as_json:
        say_json(_profile_as_json(profile, role, gate.now))
    else:
        _say_profile(profile, role, gate.now)


def _pages(gate: Opened, who: Filter, sort: Sort) -> "Iterator[tuple[Row, ...]]":
    rows = gate.reporting.everybody(who, sort=sort, now=gate.now)
    while page := tuple(islice(rows, PAGE)):
        yield page


def _factors(account: Account) -> list[str]:
    codes = account.recovery
    return [*("totp" for _ in account.totps), *(["recovery_code"] if codes and codes.hashes else [])]


def _row(row: "Row") -> tuple[str, ...]:
    account = row.account
    return (
        account.subject,
        account.name,
        account.email,
        account.realm,
        row.status,
        ", ".join(_factors(account)),
        moment(account.last_verified_at),
    )


def _row_as_json(row: "Row") -> dict[str, object]:
    account = row.account
    return {
        "id": account.id,
        "user": account.subject,
        "realm": account.realm,
        "name": account.name,
        "email": account.email,
        "groups": account.all_groups,
        "status": row.status,
        "factors": _factors(account),
        "last_verified_at": account.last_verified_at or None,
        "exempt_until": account.exempt_until if row.status == "exempt" else None,
    }


def _profile_as_json(profile: "Profile", role: str, now: int) -> dict[str, object]:
    """Security: field by field, since an account also holds secrets and hashes."""
    account, codes = profile.account, profile.account.recovery
    return {
        "id": account.id,
        "user": account.subject,
        "realm": account.realm,
        "name": account.name,
        "email": account.email,
        "groups": account.all_groups,
        "role": role or None,
        "status": profile.standing.status,
        "required": profile.standing.required,
        "because": profile.standing.because,
        "deadline": profile.standing.deadline,
        "paused_until": _paused_until(account),
        "exemption": _exemption_as_json(account, now),
        "listed": account.listing is not None,
        "first_seen_at": account.first_seen_at or None,
        "two_step_since": account.two_step_since or None,
        "last_verified_at": account.last_verified_at or None,
        "apps": [
            {"name": each.name, "added_at": each.added_at, "last_used_at": each.last_used_at or None}
            for each in account.totps
        ],
        "recovery_codes_left": len(codes.hashes) if codes else 0,
        "sessions": [
            {
                "factor": session.factor,
                "verified_at": session.verified_at,
                "expires_at": session.expires_at,
                "client": session.client,
                "address": session.address,
                "user_agent": session.user_agent,
            }
            for session in profile.sessions
        ],
        "browsers": [
            {
                "id": browser.handle,
                "name": browser.name,
                "address": browser.address,
                "remembered_at": browser.remembered_at,
                "used_at": browser.used_at,
                "until": browser.until,
            }
            for browser in profile.browsers
        ],
        "devices": [
            {
                "id": device.id,
                "kind": device.kind,
                "name": device.name,
                "address": device.address,
                "registered_at": device.registered_at,
                "used_at": device.used_at,
                "expires_at": device.expires_at,
            }
            for device in profile.devices
        ],
        "history": [event_as_json(recorded) for recorded in profile.history],
    }


def _say_profile(profile: "Profile", role: str, now: int) -> None:
    account = profile.account
    required = "required" if profile.standing.required else "not required"
    deadline = profile.standing.deadline
    until, exemption = _paused_until(account), _exemption_as_json(account, now)
    facts = [
        ("user", account.subject),
        ("realm", account.realm),
        ("name", account.name),
        ("e-mail", account.email),
        ("groups", ", ".join(account.all_groups)),
        ("role", role.replace("_", " ")),
        ("status", f"{profile.standing.status} ({required})"),
        ("paused until", until if isinstance(until, str) else f"{moment(until)} UTC" if until else ""),
        ("to set up by", f"{moment(deadline)} UTC" if deadline else ""),
        ("exempt until", f"{moment(account.exempt_until)} UTC" if exemption else ""),
        ("because", str(exemption["reason"]) if exemption else ""),
        ("approved by", str(exemption["approved_by"]) if exemption else ""),
        ("factors", ", ".join(_factors(account))),
        ("codes left", str(len(account.recovery.hashes)) if account.recovery else ""),
        ("on the roster", "yes" if account.listing else ""),
        ("first seen", moment(account.first_seen_at)),
        ("two-step since", moment(account.two_step_since)),
        ("last verified", moment(account.last_verified_at)),
        ("sessions", str(len(profile.sessions))),
        ("browsers", f"{len(profile.browsers)} remembered" if profile.browsers else ""),
        ("devices", ", ".join(f"{each.name} ({each.kind}, {each.id})" for each in profile.devices)),
    ]
    say_facts((name, value) for name, value in facts if value)
    click.echo()
    say_table(COLUMNS, [[event_row(recorded) for recorded in profile.history]], empty="No events.")


def _paused_until(account: Account) -> int | str | None:
    if not account.opens_at:
        return None
    return "reset" if account.opens_at >= FOREVER else account.opens_at


def _exemption_as_json(account: Account, now: int) -> dict[str, object] | None:
    kept = account.exemption
    if kept is None or not is_exempt(account, now):
        return None
    return {
        "reason": kept.reason,
        "approved_by": kept.approved_by,
        "given_at": kept.given_at,
        "until": kept.until,
    }
