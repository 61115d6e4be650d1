"""Moments in words."""

from datetime import UTC, date

import pytest

from mfa_gate.web.dates import DateStyle, begin_of, day_from, in_words, time_element, zone_named

NOW = 1_773_498_720  # Saturday 14 March 2026, 14:32 UTC
DAY = 86_400


@pytest.mark.parametrize(
    ("at", "style", "words"),
    [
        (NOW, "clock", "14:32 UTC"),
        (NOW, "date", "14 March"),
        (NOW, "moment", "today, 14:32 UTC"),
        (NOW - DAY, "moment", "yesterday, 14:32 UTC"),
        (NOW - 2 * DAY, "moment", "12 March, 14:32 UTC"),
        (NOW + DAY, "moment", "15 March, 14:32 UTC"),
        (NOW - 365 * DAY, "date", "14 March 2025"),
        (NOW - 365 * DAY, "moment", "14 March 2025, 14:32 UTC"),
        (0, "date", "1 January 1970"),
    ],
)
def test_moments_in_words(at: int, style: DateStyle, words: str) -> None:
    assert in_words(at, style, now=NOW, zone=UTC, translate=str) == words


def test_another_zone_is_meant_without_saying_so() -> None:
    berlin = zone_named("Europe/Berlin")

    assert in_words(NOW, "moment", now=NOW, zone=berlin, translate=str) == "today, 15:32"


def test_utc_needs_no_zone_files() -> None:
    assert zone_named("UTC") is UTC


def test_the_exact_moment_stays_readable_for_machines() -> None:
    assert time_element(NOW, "date", "<b>") == (
        '<time datetime="2026-03-14T14:32:00Z" data-style="date">&lt;b&gt;</time>'
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-14", date(2026, 3, 14)),
        ("2026-3-14", None),
        ("20260314", None),
        ("2026-W11-6", None),
        ("2026-02-30", None),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("", None),
        ("٢٠٢٦-٠٣-١٤", None),
    ],
)
def test_a_day_is_read_as_date_fields_send_it(text: str, day: date | None) -> None:
    assert day_from(text) == day


def test_a_day_begins_in_its_zone() -> None:
    day = date(2026, 3, 14)
    assert begin_of(day, UTC) == NOW - (14 * 60 + 32) * 60
    assert begin_of(day, zone_named("Asia/Tokyo")) == begin_of(day, UTC) - 9 * 3600
