"""The line of coverage: full is at the top, time runs evenly, and nothing is drawn of a single day."""

from mfa_gate.web.charts import CoverageDay, chart_of


def day(at: int, covered: int, people: int) -> CoverageDay:
    return CoverageDay(at=at, covered=covered, people=people)


def test_full_is_at_the_top_and_days_that_are_missing_leave_their_room() -> None:
    chart = chart_of([day(0, 0, 10), day(10, 5, 10), day(40, 10, 10)])
    assert chart is not None
    assert chart.line == "0,100 250,50 1000,0"
    assert chart.area == "0,100 0,100 250,50 1000,0 1000,100"
    assert [each.at for each in chart.newest_first] == [40, 10, 0]


def test_nobody_is_no_share() -> None:
    chart = chart_of([day(7, 0, 0), day(7, 3, 3)])
    assert chart is not None
    assert chart.line == "0,100 0,0"


def test_one_day_is_no_course() -> None:
    assert chart_of([]) is None
    assert chart_of([day(1, 1, 1)]) is None
