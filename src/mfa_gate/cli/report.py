"""`report`: what was true at a date, for whoever has to prove it; and whether a report is as it was made."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from mfa_gate.cli.invocation import Invocation, Opened, json_option, pass_invocation, settings_option
from mfa_gate.cli.output import moment, say_facts, say_table
from mfa_gate.core.attested import Form

if TYPE_CHECKING:
    from mfa_gate.core.coverage import Coverage
    from mfa_gate.core.reports import Report
    from mfa_gate.core.snapshots import Openings

_ACTS: Final = {
    "reset": "resets",
    "exemption_given": "exemptions given",
    "exemption_ended": "exemptions ended",
    "break_glass_granted": "emergency access granted",
    "break_glass_used": "emergency access used",
    "roster_imported": "rosters imported",
}
LARGEST_FILE: Final = 64 * 1024 * 1024


@click.group(invoke_without_command=True)
@click.option("--at", "day", metavar="DAY", help="The end of that day, as 2026-03-31; otherwise now.")
@click.option(
    "--out",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it into a new file, signed; its ending says in which form: .html, .csv or .json. May be repeated.",
)
@json_option
@settings_option
@pass_invocation
@click.pass_context
def report(
    context: click.Context, invocation: Invocation, day: str | None, paths: tuple[Path, ...], *, as_json: bool
) -> None:
    """Say what was true at a date: policy in force, coverage by status and group, exemptions, openings, acts before.

    It is read from what was counted and signed on that day, not from the trail, which may long be archived. With --json
    it is the same signed document as with --out FILE.json.
    """
    if context.invoked_subcommand is not None:
        return
    forms = [(path, _form(path)) for path in paths]
    with invocation.opened() as gate:
        found = _found(gate, day)
        files = [(path, _file(gate, found, form)) for path, form in forms]
        signed = _file(gate, found, "json") if as_json else b""
    _write(files)
    if as_json:
        click.echo(signed, nl=False)
    elif files:
        for path, _ in files:
            click.echo(f"Written: {path}")
    else:
        _say(found)


@report.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--public-key",
    metavar="KEY",
    help="What `mfa-gate keys show --public` prints, or a file with it: verifies without any key of the gate.",
)
@settings_option
@pass_invocation
def verify(invocation: Invocation, file: Path, public_key: str | None) -> None:
    """Say whether FILE is a report of this gate, and as it was made; otherwise it ends with 1."""
    from mfa_gate.cli.auditing import signing_keys
    from mfa_gate.core.attested import read

    try:
        with file.open("rb") as source:
            content = source.read(LARGEST_FILE + 1)
    except OSError as error:
        raise click.ClickException(f'"{file}" cannot be read: {error.strerror}.') from error
    said = read(content) if len(content) <= LARGEST_FILE else None
    if said is None:
        raise click.ClickException(
            f'"{file}" has no signature in its last line: it is no report, or it was saved anew by another program.'
        )
    if not signing_keys(invocation, public_key)(said.key, said.message, said.signature):
        raise click.ClickException(
            f'"{file}" is not as it was made, or not by this gate: the signature (key {said.key}) does not fit.'
        )
    click.echo(f"The report is as it was made, signed with the key {said.key}.")


def share(part: int, whole: int) -> str:
    """A percentage, rounded down: 100 % stands there only when nobody is missing."""
    return f"{1000 * part // whole / 10:g} %" if whole else "-"


def _form(path: Path) -> Form:
    for form in get_args(Form):
        if path.suffix == f".{form}":
            found: Form = form
            return found
    raise click.UsageError(f'--out "{path}": its ending says in which form: .html, .csv or .json.')


def _found(gate: Opened, day: str | None) -> "Report":
    from mfa_gate.flows.reports import NotYet
    from mfa_gate.web.dates import day_from

    asked = None if day is None else day_from(day)
    if day is not None and asked is None:
        raise click.UsageError(f'--at "{day}" is no day. Write it as 2026-03-31.')
    found = gate.reports.at(asked, gate.now)
    if isinstance(found, NotYet):
        raise click.UsageError(
            f'--at "{day}" is to come: today is {found.today}. Choose today or a day before.'
        )
    return found


def _file(gate: Opened, found: "Report", form: Form) -> bytes:
    from mfa_gate.web.report_files import file_of
    from mfa_gate.web.translations import choose_language
    from mfa_gate.web.views import PageContext

    renderer = gate.services.renderer()
    language = choose_language(gate.settings.language, renderer.languages)
    page = PageContext(now=gate.now, mount=gate.settings.mount, language=language)
    return file_of(found, form, gate.services.sign, renderer, page)


def _write(files: list[tuple[Path, bytes]]) -> None:
    from mfa_gate.cli.exports import new_file

    for path, content in files:
        with new_file(path) as out:
            out.write(content)


def _say(found: "Report") -> None:
    say_facts(_facts(found))
    snapshot = found.snapshot
    if snapshot is None:
        return
    groups = snapshot.coverage.groups
    if groups:
        click.echo()
        rows = [
            (group, f"{each.covered:,}", f"{each.people:,}", share(each.covered, each.people))
            for group, each in groups.items()
        ]
        say_table(("GROUP", "WITH TWO-STEP", "PEOPLE", "SHARE"), [rows], empty="")
        if snapshot.coverage.more_groups > 0:
            click.echo(f"… and {snapshot.coverage.more_groups:,} smaller groups.")
    if snapshot.exempt:
        click.echo()
        lines = [
            (each.subject, moment(each.until), each.approved_by, each.reason) for each in snapshot.exempt
        ]
        say_table(("EXEMPT", "UNTIL (UTC)", "APPROVED BY", "WHY"), [lines], empty="")


def _facts(found: "Report") -> list[tuple[str, str]]:
    facts = [("portal", f"{found.portal}, {found.public_url}"), ("store", found.store)]
    facts.append(("time zone", f"days are those of {found.time_zone}, times here are UTC"))
    facts.append(("at", f"{moment(found.at)} UTC"))
    policy, snapshot = found.policy, found.snapshot
    if policy is None:
        facts.append(("policy", "not kept for that time"))
    else:
        words = "two-step required" if policy.require_two_step else "two-step not required"
        since = f"since {moment(policy.changed_at)} UTC by {policy.changed_by}"
        facts.append(("policy", f"version {policy.version}: {words}, {since}"))
    facts += [
        ("changed", f"what was counted on {day} is not as it was signed; it is in no number here")
        for day in (found.unfit)
    ]
    facts += [
        ("missing", f"what was counted before {day} has been taken out of the store") for day in found.torn
    ]
    if snapshot is None:
        facts.append(("coverage", _no_numbers(found)))
    else:
        if found.is_late:
            facts.append(("gap", f"nobody counted on {found.day}; the last day before is {snapshot.day}"))
        facts += _coverage(snapshot.coverage, moment(snapshot.at))
        facts += _openings(snapshot.openings)
    since = f"since {moment(found.acts_since)} UTC" if found.acts_since else "since the beginning"
    facts += [(f"{_ACTS[kind]}", f"{count:,} {since}") for kind, count in found.acts.items()]
    if snapshot is not None and found.day is not None:
        facts.append(("trail at that date", _whole(snapshot.whole_at, snapshot.tampered_at)))
    facts.append(("trail now", _whole(found.whole_at, found.tampered_at)))
    return facts


def _no_numbers(found: "Report") -> str:
    if found.unfit:
        return "no number that is as it was signed"
    if found.first_day:
        return f"not counted by then; the first day on which the gate counted is {found.first_day}"
    return "not counted yet; the gate counts once a day"


def _coverage(coverage: "Coverage", counted_at: str) -> list[tuple[str, str]]:
    covered, people = coverage.covered, coverage.people
    return [
        ("coverage", f"{covered:,} of {people:,} people, {share(covered, people)}"),
        ("counted", f"{counted_at} UTC"),
        *((status, f"{count:,}") for status, count in coverage.counts.items()),
        ("never signed in", f"{coverage.never_seen:,}"),
    ]


def _openings(openings: "Openings") -> list[tuple[str, str]]:
    grants = openings.break_glass
    return [
        ("mode", "nothing is enforced (observe)" if openings.mode == "observe" else "enforce"),
        *(("open path", path) for path in openings.open_paths),
        *(("left out", group) for group in openings.left_out_groups),
        ("emergency access", "no place for it in the settings" if grants is None else f"{grants:,} in force"),
        *(
            [("unattributed", f"{openings.unattributed:,} kinds of requests pass")]
            if openings.unattributed
            else []
        ),
    ]


def _whole(whole_at: int | None, tampered_at: int | None) -> str:
    if whole_at and whole_at > (tampered_at or 0):
        return f"recomputed as a whole and found whole, {moment(whole_at)} UTC"
    if tampered_at:
        return f"something was changed, and not by the gate; noticed {moment(tampered_at)} UTC"
    return "not recomputed as a whole yet"
