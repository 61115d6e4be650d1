"""What a topic yields: one measured figure a row, perhaps a ratio to a baseline of the same run, perhaps a target."""

from collections.abc import Iterable
from typing import Protocol

import msgspec


class Target(msgspec.Struct, frozen=True):
    """What is held: of the ratio where there is one, else of the figure."""

    value: float
    at_least: bool = False

    def holds(self, measured: float) -> bool:
        """True if what was measured is on the right side."""
        return measured >= self.value if self.at_least else measured <= self.value


def at_most(value: float) -> Target:
    """The less, the better."""
    return Target(value)


def at_least(value: float) -> Target:
    """The more, the better."""
    return Target(value, at_least=True)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. Rows of one topic and `unit` stand beside each other in one chart, unless `drawn` is off.

    `ratio` is the figure divided by the baseline that `of` names in words ("of a signature check").
    """

    what: str
    figure: float
    unit: str
    ratio: float | None = None
    of: str = ""
    target: Target | None = None
    drawn: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the target holds; None if there is none."""
        if self.target is None:
            return None
        return self.target.holds(self.figure if self.ratio is None else self.ratio)

    @property
    def limit(self) -> float | None:
        """The target in the figure's own unit, for the chart."""
        if self.target is None:
            return None
        return self.target.value if not self.ratio else self.target.value * self.figure / self.ratio


class Topic(Protocol):
    """A module in `benchmarks/topics`: its docstring tells readers what is measured and how."""

    __doc__: str | None
    PLACE: int
    """Where on the page it stands; small numbers come first."""
    TITLE: str
    PARTS: tuple[str, ...]
    """Distributions whose versions matter here, beside the gate's own."""

    def measure(self) -> Iterable[Row]:
        """The rows, baselines included. Raises `Missing` if a program is not installed."""


class Missing(Exception):
    """A part is not there; the message says how to install it."""
