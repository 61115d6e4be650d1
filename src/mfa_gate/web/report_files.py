"""A report as a file in each form that there is, signed in its last line; it must not know who gets it."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from markupsafe import Markup

from mfa_gate.core.attested import Form, attested, to_sign
from mfa_gate.core.reports import Report
from mfa_gate.flows.exporting import moment
from mfa_gate.flows.spreadsheets import csv_lines
from mfa_gate.web.assets import static_asset
from mfa_gate.web.rendering import Renderer
from mfa_gate.web.report_views import ReportFile, chart_in
from mfa_gate.web.views import PageContext

Sign = Callable[[bytes], tuple[str, bytes]]
"""Message → (key id, signature)."""
Cells = tuple[str | int, ...]

COLUMNS: Final = ("section", "item", "value", "people", "at", "until", "by", "why")


def file_of(report: Report, form: Form, sign: Sign, renderer: Renderer, page: PageContext) -> bytes:
    """The whole file. Its words are those of `page`'s language in HTML, and the same for everybody otherwise."""
    body = _body(report, form, renderer, page)
    key, signature = sign(to_sign(form, body))
    return attested(form, body, key, signature)


def name_of(report: Report) -> str:
    """What such a file is called, without its ending."""
    return f"two-step-report-{report.day or moment(report.at)[:10]}"


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON has it: everything that it says, and of coverage the sums, too."""
    told: dict[str, Any] = msgspec.to_builtins(report)
    if report.snapshot is not None:
        coverage = report.snapshot.coverage
        told["snapshot"]["coverage"] |= {"covered": coverage.covered, "people": coverage.people}
    return told


def _body(report: Report, form: Form, renderer: Renderer, page: PageContext) -> bytes:
    match form:
        case "html":
            return renderer.alone(_shown(report), page=page).strip().encode() + b"\n"
        case "csv":
            return b"".join(csv_lines(_rows(report)))
        case "json":
            return b'{"report": ' + msgspec.json.encode(as_json(report)) + b",\n"


def _shown(report: Report) -> ReportFile:
    style, _ = static_asset("report.css") or (b"", "")
    # Security: nothing but this very sheet; what is in the file can load nothing, run nothing and send nothing.
    digest = b64encode(hashlib.sha256(style).digest()).decode()
    return ReportFile(
        report=report,
        chart=chart_in(report),
        style=Markup(style.decode()),  # noqa: S704 - our own sheet, and nothing of anybody
        style_hash=digest,
    )


def _rows(report: Report) -> Iterator[Cells]:
    """One table for all: what stands where, `COLUMNS` say."""
    yield COLUMNS
    for cells in (*_about(report), *_policy(report), *_coverage(report), *_done(report), *_trail(report)):
        yield (*cells, *("",) * (len(COLUMNS) - len(cells)))


def _about(report: Report) -> Iterator[Cells]:
    yield "report", "portal", report.portal
    yield "report", "public_url", report.public_url
    yield "report", "store", report.store
    yield "report", "time_zone", report.time_zone
    yield "report", "day", report.day or "", "", moment(report.at)
    yield "report", "made", "", "", moment(report.made_at)
    if report.snapshot is not None:
        at = moment(report.snapshot.at)
        yield "report", "snapshot", report.snapshot.day, "", at, "", "", report.snapshot_sha256
    for day in report.unfit:
        yield "report", "snapshot_changed", day
    for day in report.torn:
        yield "report", "snapshot_missing_before", day


def _policy(report: Report) -> Iterator[Cells]:
    policy = report.policy
    if policy is None:
        return
    required = "required" if policy.require_two_step else "not required"
    yield (
        "policy",
        f"version {policy.version}",
        required,
        "",
        moment(policy.changed_at),
        "",
        policy.changed_by,
        (policy.changed_why),
    )
    for name in ("required_groups", "left_out_groups", "allowed_factors"):
        yield "policy", name, ", ".join(getattr(policy, name))
    for rule in policy.group_factors:
        yield "policy", f"factors of {rule.group}", ", ".join(rule.factors)
    for name in (
        "grace_seconds",
        "session_ttl_seconds",
        "idle_ttl_seconds",
        "remember_seconds",
        "longest_exemption_seconds",
    ):
        yield "policy", name, getattr(policy, name)


def _coverage(report: Report) -> Iterator[Cells]:
    snapshot = report.snapshot
    if snapshot is None:
        return
    coverage = snapshot.coverage
    yield "coverage", "everybody", coverage.covered, coverage.people
    for status, count in coverage.counts.items():
        yield "status", status, count
    yield "status", "never signed in", coverage.never_seen
    for group, found in coverage.groups.items():
        yield "group", group, found.covered, found.people
    for each in snapshot.exempt:
        who = f"{each.realm}: {each.subject}"
        yield (
            "exemption",
            who,
            "",
            "",
            moment(each.given_at),
            moment(each.until),
            each.approved_by,
            each.reason,
        )
    openings = snapshot.openings
    yield "opening", "mode", openings.mode
    for path in openings.open_paths:
        yield "opening", "path", path
    yield "opening", "exempt", openings.exempt
    yield "opening", "grace", openings.grace
    for group in openings.left_out_groups:
        yield "opening", "left out group", group
    yield "opening", "break-glass", "" if openings.break_glass is None else openings.break_glass
    yield "opening", "unattributed kinds of requests", openings.unattributed


def _done(report: Report) -> Iterator[Cells]:
    since = moment(report.acts_since) if report.acts_since else ""
    for kind, count in report.acts.items():
        yield "done", kind, count, "", since, moment(report.acts_until)
    for day in report.course:
        yield "day", day.day, day.covered, day.people, moment(day.at)


def _trail(report: Report) -> Iterator[Cells]:
    then = report.snapshot
    if then is not None:
        yield "trail", "found whole by then", "", "", _time(then.whole_at)
        yield "trail", "tampering noticed by then", "", "", _time(then.tampered_at)
    yield "trail", "found whole when made", "", "", _time(report.whole_at)
    yield "trail", "tampering noticed when made", "", "", _time(report.tampered_at)


def _time(at: int | None) -> str:
    return moment(at) if at else ""
