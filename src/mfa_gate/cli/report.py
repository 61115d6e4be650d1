"""`report`: what was true at a date, for whoever has to prove it: the policy in force, coverage, and what was done."""

from typing import TYPE_CHECKING

import click
import msgspec

from mfa_gate.cli.invocation import Invocation, json_option, pass_invocation, settings_option
from mfa_gate.cli.output import moment, say_facts, say_json, say_table

if TYPE_CHECKING:
    from mfa_gate.core.coverage import Coverage
    from mfa_gate.flows.statement import Statement

_ACTS = {
    "reset": "resets",
    "exemption_given": "exemptions given",
    "exemption_ended": "exemptions ended",
    "break_glass_granted": "emergency access granted",
    "break_glass_used": "emergency access used",
    "roster_imported": "rosters imported",
}


@click.command()
@click.option("--at", "day", metavar="DAY", help="The last moment of that day, as 2026-03-31; otherwise now.")
@json_option
@settings_option
@pass_invocation
def report(invocation: Invocation, day: str | None, *, as_json: bool) -> None:
    """Say what was true at a date: the policy in force, coverage by status and group, and what was done before.

    It is read from what was written down at that time. `mfa-gate audit verify` says whether that is whole.
    """
    from mfa_gate.flows.statement import state
    from mfa_gate.web.dates import end_of_day, zone_named

    with invocation.opened() as gate:
        at = gate.now
        if day is not None:
            end = end_of_day(day, zone_named(gate.settings.time_zone))
            if end is None:
                raise click.UsageError(f'--at "{day}" is no day. Write it as 2026-03-31.')
            at = min(end - 1, gate.now)
        found = state(gate.store, gate.store, at)
        name, store_id = gate.settings.name, gate.store.store_id
    if as_json:
        say_json({"portal": name, "store": store_id} | _as_json(found))
        return
    say_facts(_facts(found, name, store_id))
    if found.coverage is not None and found.coverage.groups:
        click.echo()
        rows = [
            (group, f"{each.covered:,}", f"{each.people:,}", share(each.covered, each.people))
            for group, each in found.coverage.groups.items()
        ]
        say_table(("GROUP", "WITH TWO-STEP", "PEOPLE", "SHARE"), [rows], empty="")


def share(part: int, whole: int) -> str:
    """A percentage, rounded down: 100 % stands there only when nobody is missing."""
    return f"{1000 * part // whole / 10:g} %" if whole else "-"


def _facts(found: "Statement", name: str, store_id: str) -> list[tuple[str, str]]:
    facts = [("portal", name), ("store", store_id), ("at", f"{moment(found.at)} UTC")]
    policy, coverage = found.policy, found.coverage
    if policy is None:
        facts.append(("policy", "not kept for that time"))
    else:
        words = "two-step required" if policy.require_two_step else "two-step not required"
        since = f"since {moment(policy.changed_at)} UTC by {policy.changed_by}"
        facts.append(("policy", f"version {policy.version}: {words}, {since}"))
    if coverage is None:
        facts.append(("coverage", "had not been counted by then; it is counted once a day"))
    else:
        facts += _coverage(coverage)
    facts += [(f"{_ACTS[kind]}, 90 days", f"{count:,}") for kind, count in found.acts.items()]
    return facts


def _coverage(coverage: "Coverage") -> list[tuple[str, str]]:
    covered, people = coverage.covered, coverage.people
    return [
        ("coverage", f"{covered:,} of {people:,} people, {share(covered, people)}"),
        ("counted", f"{moment(coverage.at)} UTC, under policy version {coverage.policy_version}"),
        *((status, f"{count:,}") for status, count in coverage.counts.items()),
        ("never signed in", f"{coverage.never_seen:,}"),
    ]


def _as_json(found: "Statement") -> dict[str, object]:
    coverage = found.coverage
    told: dict[str, object] = msgspec.to_builtins(found)
    if coverage is not None:
        told["coverage"] = msgspec.to_builtins(coverage) | {
            "covered": coverage.covered,
            "people": coverage.people,
        }
    return told
