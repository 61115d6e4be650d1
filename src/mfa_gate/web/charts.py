"""Draws the course of coverage as a line; whoever sees no picture reads the table beside it."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

WIDTH: Final = 1000
HEIGHT: Final = 100


class CoverageDay(Struct, frozen=True, kw_only=True):
    """How many of how many people had two-step on a day."""

    at: int
    covered: int
    people: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.covered / self.people if self.people else 0.0


class CoverageChart(Struct, frozen=True, kw_only=True):
    """A line over days, oldest first; at least two of them."""

    days: tuple[CoverageDay, ...]

    @property
    def line(self) -> str:
        """Points for an SVG polyline, `WIDTH` wide and `HEIGHT` high; full coverage is at the top."""
        return " ".join(f"{x:g},{y:g}" for x, y in self._points())

    @property
    def area(self) -> str:
        """The same with what is below, for a polygon."""
        return f"0,{HEIGHT} {self.line} {WIDTH},{HEIGHT}"

    @property
    def newest_first(self) -> tuple[CoverageDay, ...]:
        """As the table has them."""
        return self.days[::-1]

    def _points(self) -> list[tuple[float, float]]:
        first, last = self.days[0].at, self.days[-1].at
        span = max(1, last - first)
        return [
            (round(WIDTH * (day.at - first) / span, 1), round(HEIGHT * (1 - day.share), 1))
            for day in self.days
        ]


def chart_of(days: Sequence[CoverageDay]) -> CoverageChart | None:
    """The chart; None while there is no course to show."""
    return CoverageChart(days=tuple(days)) if len(days) > 1 else None
