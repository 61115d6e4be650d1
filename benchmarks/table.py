"""Rows as a Markdown table, the same on the terminal and on the page."""

from collections.abc import Iterable

from benchmarks.rows import Row

HEAD = "| what | figure | ratio | target | |\n| --- | ---: | ---: | ---: | --- |"


def table(rows: Iterable[Row]) -> str:
    """Head and lines."""
    return "\n".join((HEAD, *map(line, rows)))


def line(row: Row) -> str:
    """One row."""
    ratio = "" if row.ratio is None else f"{figure(row.ratio)} {row.of}".strip()
    target, verdict = "", ""
    if row.target is not None:
        unit = f" {row.unit}" if row.ratio is None and row.unit else ""
        target = f"{'≥' if row.target.at_least else '≤'} {figure(row.target.value)}{unit}"
        verdict = "met" if row.met else "**missed**"
    return f"| {row.what} | {figure(row.figure)} {row.unit} | {ratio} | {target} | {verdict} |"


def figure(value: float) -> str:
    """Three digits, and the thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
