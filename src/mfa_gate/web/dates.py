"""Writes moments in words, in a given language and zone; it reads no clock."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

DateStyle = Literal["date", "clock", "moment"]
"""`3 May 2026`, `14:32`, and both; the year is left out in the current one, today and yesterday are named."""


def N_(message: str) -> str:  # noqa: N802 -- the name that gettext's tools look for
    """Mark a message for translation that is translated later."""
    return message


_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_YEAR, _LAST_YEAR = 1970, 9999
_MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)


def zone_named(name: str) -> tzinfo:
    """The zone with this IANA name; UTC needs no zone files."""
    return UTC if name == "UTC" else ZoneInfo(name)


def day_from(text: str) -> date | None:
    """The day that a date field sends (`2026-05-03`), or None for anything else."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return day if day is not None and _FIRST_YEAR <= day.year < _LAST_YEAR else None


def begin_of(day: date, zone: tzinfo) -> int:
    """When a day begins in a zone."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def in_words(at: int, style: DateStyle, *, now: int, zone: tzinfo, translate: Callable[[str], str]) -> str:
    """The moment `at` as people write it."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    clock = f"{then:%H:%M}" + (" UTC" if zone is UTC else "")
    if style == "clock":
        return clock
    day = _day(then, today, translate, named=style == "moment")
    if style == "date":
        return day
    return translate("{day}, {clock}").format(day=day, clock=clock)


def whole_moment(at: int, *, zone: tzinfo, translate: Callable[[str], str]) -> str:
    """The moment `at` with its day and year, for what may be read at any time later."""
    day = in_words(at, "date", now=0, zone=zone, translate=translate)
    clock = in_words(at, "clock", now=0, zone=zone, translate=translate)
    return translate("{day}, {clock}").format(day=day, clock=clock)


def whole_day(day: str, *, zone: tzinfo, translate: Callable[[str], str]) -> str:
    """A day written `2026-03-14` in words, with its year."""
    return in_words(begin_of(date.fromisoformat(day), zone), "date", now=0, zone=zone, translate=translate)


def end_of_day(day: str, zone: tzinfo) -> int | None:
    """The last second of a day written `2026-03-14`; None if it is no such day."""
    try:
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=zone)
        return int((begins + timedelta(days=1)).timestamp()) - 1
    except (ValueError, OverflowError):
        return None


def day_of(at: int, zone: tzinfo) -> str:
    """The day of a moment, written `2026-03-14`."""
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d}"


def time_element(at: int, style: DateStyle, words: str) -> Markup:
    """`<time>` with the exact moment; a script may rewrite `words` for the reader's own zone."""
    exact = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time datetime="{}" data-style="{}">{}</time>').format(exact, style, words)


def _day(then: datetime, today: datetime, translate: Callable[[str], str], *, named: bool) -> str:
    if named and then.date() == today.date():
        return translate("today")
    if named and then.date() == today.date() - timedelta(days=1):
        return translate("yesterday")
    month = translate(_MONTHS[then.month - 1])
    pattern = translate("{day} {month}") if then.year == today.year else translate("{day} {month} {year}")
    return pattern.format(day=then.day, month=month, year=then.year)
