"""What the report shows, on its page and as a file by itself, as plain values; the companion of `admin_views.py`."""

from typing import Literal

from markupsafe import Markup
from msgspec import Struct

from mfa_gate.core.reports import Report
from mfa_gate.web.charts import CoverageChart, CoverageDay, chart_of


class ReportFile(Struct, frozen=True, kw_only=True):
    """A report that stands by itself: nothing is loaded, so `style` is in it, and named by its SHA-256 in base64."""

    report: Report
    chart: CoverageChart | None
    style: Markup
    style_hash: str


class AdminReport(Struct, frozen=True, kw_only=True):
    """Admin, Report. Sends `GET admin/report` with `day`.

    `report` is None where there is a `problem` with the day: it is to come, or none.
    """

    report: Report | None
    chart: CoverageChart | None = None
    day: str = ""
    """What stands in the date field."""
    today: str = ""
    problem: Literal["to_come", "no_day"] | None = None
    html_href: str = ""
    csv_href: str = ""
    json_href: str = ""
    never_seen_href: str = ""


def chart_in(report: Report) -> CoverageChart | None:
    """The course up to the day."""
    return chart_of([CoverageDay(at=day.at, covered=day.covered, people=day.people) for day in report.course])
