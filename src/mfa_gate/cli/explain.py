"""`explain`: what the gate would do with a request, and why; it changes nothing, and records nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

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
from mfa_gate.cli.output import plural, say_facts, say_json
from mfa_gate.core.accounts import Account, Identity, account_id
from mfa_gate.core.decision import Visit
from mfa_gate.core.messages import GateRequest, printable
from mfa_gate.core.paths import OddPath

if TYPE_CHECKING:
    from mfa_gate.cli.explaining import Answer, Case, Explanation, UserShown


@click.command()
@click.argument("method")
@click.argument("url")
@click.option("--user", help="Who is signed in to the portal; otherwise nobody.")
@realm_option
@json_option
@settings_option
@pass_invocation
def explain(
    invocation: Invocation, method: str, url: str, user: str | None, realm: str | None, *, as_json: bool
) -> None:
    """Say which rule fits a request, what would be decided, and why.

    URL is a path of the portal or a whole address. Also shown is what a verified user and a stranger would get.
    """
    with invocation.opened() as gate:
        request = _request(gate, method, url)
        if isinstance(request, str):
            said: str | Explanation = request
        else:
            person = None if user is None else _person(gate, realm_in(gate.settings, realm), subject_in(user))
            said = _explained(gate, request, person)
    if as_json:
        say_json({"method": method, "answer": said} if isinstance(said, str) else said)
    elif isinstance(said, str):
        click.echo(said)
    else:
        _say(said)


_SAME_WITH_POLICY_ON = "Turning Require Two-Step Authentication on would change nothing here."

Person = tuple[Identity, Account, bool]
"""Who the first step names, their account as it would be found, and whether it is in the store already."""


def _request(gate: Opened, method: str, url: str) -> GateRequest | str:
    """The request, or a sentence where no rule is looked at."""
    from mfa_gate.cli.explaining import request_of
    from mfa_gate.core.responses import NEVER_SERVED
    from mfa_gate.settings.values import is_token

    if not is_token(method):
        raise click.UsageError(f'"{printable(method)}" is no method. Write GET, POST, …')
    if not url.startswith(("/", "http://", "https://")):
        raise click.UsageError(f'"{printable(url)}" is no path and no address. Write /path or https://….')
    if method.upper() in NEVER_SERVED:
        return f"Refused with 405, whoever asks: {method} is never served."
    request = request_of(method, url, gate.settings.public_url)
    if isinstance(request, OddPath):
        return f"Refused with {request.status}, whoever asks: the path cannot be judged ({request.reason})."
    if gate.door.is_ours(request.path):
        return "This is one of the gate's own pages: no rule applies, and the portal never sees the request."
    return request


def _person(gate: Opened, realm: str, user: str) -> Person:
    from mfa_gate.core.transitions import same_spelling, seen
    from mfa_gate.identity import build_sources

    kinds = {source.realm: source for source in gate.settings.identity}
    source = next(each for each in build_sources(gate.settings) if each.realm == realm)
    identity = Identity(
        source=source.name,
        realm=realm,
        subject=user,
        session_id="explained" if source.stable_session_id else None,
        case_insensitive=kinds[realm].case_insensitive,
    )
    found = gate.store.account(account_id(realm, user))
    if found is not None and not same_spelling(found, identity):
        return identity, found, True
    # A person who comes for the first time is recorded; here it is only worked out.
    return identity, found or seen(None, identity, gate.now)[0], found is not None


def _explained(gate: Opened, request: GateRequest, person: Person | None) -> "Explanation":
    from mfa_gate.cli.explaining import Explanation, cases, changes, shown_rule
    from mfa_gate.flows.checking import foreign_host

    settings, policy = gate.settings, gate.store.policy()
    visit = Visit(
        rule=gate.door.checker.rule(request),
        method=request.method,
        identity=person and person[0],
        foreign_host=foreign_host(request, settings.public_url),
    )
    account = person and person[1]
    return Explanation(
        method=request.method,
        path=request.path,
        rule=shown_rule(settings.portal.rules, visit.rule),
        user=person and _user(gate, person),
        require_two_step=policy.require_two_step,
        policy_version=policy.version,
        mode=settings.mode,
        cases=tuple(cases(visit, account, policy, request=request, places=gate.door.places, now=gate.now)),
        with_policy_on=tuple(
            changes(visit, account, policy, request=request, places=gate.door.places, now=gate.now)
        ),
        notes=tuple(_notes(gate, visit, person)),
    )


def _user(gate: Opened, person: Person) -> "UserShown":
    from mfa_gate.cli.explaining import UserShown
    from mfa_gate.core.policy import standing

    identity, account, seen_before = person
    stands = standing(account, gate.store.policy(), gate.now)
    return UserShown(
        user=identity.subject,
        realm=identity.realm,
        seen=seen_before,
        status=stands.status,
        required=stands.required,
    )


def _notes(gate: Opened, visit: Visit, person: Person | None) -> Iterator[str]:
    from mfa_gate.core.decision import SAFE_METHODS

    rule = visit.rule
    if gate.settings.mode == "observe":
        yield 'mode = "observe": nothing of this is enforced; whatever would be refused passes, and is logged.'
    if rule.kind == "sign_in" and (visit.method in rule.methods or visit.method not in SAFE_METHODS):
        yield "The request ends the gate's session that comes with it: a new portal sign-in is asked for a code again."
    if person is None:
        yield "With --user NAME it is explained for somebody who is signed in."
        return
    _, account, seen_before = person
    if not seen_before:
        yield f"The gate has never seen {account.subject}; they would be recorded."
    if not account.has_factor:
        yield f"{account.subject} has not set up two-step, so nobody can be verified as {account.subject}."
    elif sessions := gate.store.sessions(account.id, gate.now):
        yield f"{account.subject} has {plural(len(sessions), 'session')} of the gate that may count."


def _say(explanation: "Explanation") -> None:
    user = explanation.user
    switch = "on" if explanation.require_two_step else "off"
    facts = [
        ("request", f"{explanation.method} {explanation.path}"),
        ("rule", explanation.rule.text),
        ("policy", f"Require Two-Step Authentication is {switch} (version {explanation.policy_version})"),
    ]
    if user is not None:
        required = "required" if user.required else "not required"
        facts.append(("user", f"{user.user} (realm {user.realm}): {user.status}, two-step {required}"))
    say_facts(facts)
    _say_cases(explanation.cases)
    if not explanation.require_two_step:
        click.echo()
        click.echo(
            "With Require Two-Step Authentication on:" if explanation.with_policy_on else _SAME_WITH_POLICY_ON
        )
        _say_cases(explanation.with_policy_on)
    if explanation.notes:
        click.echo()
    for note in explanation.notes:
        click.echo(printable(note, 400))


def _say_cases(cases: "tuple[Case, ...]") -> None:
    for case in cases:
        click.echo()
        click.secho(printable(f"{case.visitor}: {case.decision}"), bold=True)
        click.echo(f"  {printable(case.why, 400)}")
        click.echo(f"  {_told(case.browser, case.program, case.decision)}")


def _told(browser: "Answer", program: "Answer", decision: str) -> str:
    if browser.status is None:
        stranger = " as a stranger's" if decision == "AllowStranger" else ""
        return f"The request goes on to the portal{stranger}."
    return f"A browser gets {_answer(browser)}; a program gets {_answer(program)}."


def _answer(answer: "Answer") -> str:
    if answer.location is not None:
        return f"{answer.status} to {printable(answer.location, 400)}"
    return f"{answer.status} {answer.code or ''}".rstrip()
