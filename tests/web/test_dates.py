"""Moments in words."""

from datetime import UTC

import pytest

from mfa_gate.web.dates import DateStyle, in_words, time_element, zone_named

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
