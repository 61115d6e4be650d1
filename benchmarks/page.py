"""Makes `docs/benchmarks.md` and its charts out of the kept results and of what the topics say about themselves."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

from benchmarks.charts import chart
from benchmarks.results import Result, kept
from benchmarks.rows import Row, Topic
from benchmarks.table import table
from benchmarks.topics import topics

DOCS = Path(__file__).parent.parent / "docs"
HEAD = """\
# Benchmarks

<!-- Written by scripts/docs out of benchmarks/results and benchmarks/topics; what you change here is lost. -->

Every figure on this page was measured by `scripts/bench --write`, on the machine and with the versions that stand
below its table. Machines differ: what passes or fails is the ratio to a baseline that was measured in the same run.
`scripts/bench` prints the same for the machine in front of you, `scripts/bench NAME` one topic alone.
"""


def files() -> dict[str, str]:
    """The page and its charts: file below `docs` to what is in it."""
    results = kept()
    known = [(name, topic, results[name]) for name, topic in topics().items() if name in results]
    charts = {
        _picture(name, unit): chart(f"{topic.TITLE}, {unit}", rows)
        for name, topic, result in known
        for unit, rows in _drawn(result)
    }
    return {"benchmarks.md": "\n".join((HEAD, *(_section(*each) for each in known))), **charts}


def write() -> None:
    """Put the page and its charts where readers find them."""
    for name, made in files().items():
        (DOCS / name).write_text(made, "utf-8")


def _section(name: str, topic: Topic, result: Result) -> str:
    images = (f"![{topic.TITLE}, {unit}]({_picture(name, unit)})\n" for unit, _ in _drawn(result))
    return "\n".join(
        (
            f"## {topic.TITLE}\n",
            f"{cleandoc(topic.__doc__ or '')}\n",
            *images,
            f"{table(result.rows)}\n",
            f"`scripts/bench --write {name}`, {result.day}: {result.machine}.\n",
        )
    )


def _drawn(result: Result) -> Iterator[tuple[str, list[Row]]]:
    """The rows that make a picture, by unit; one alone makes none."""
    units = dict.fromkeys(row.unit for row in result.rows if row.drawn)
    for unit in units:
        rows = [row for row in result.rows if row.drawn and row.unit == unit]
        if len(rows) > 1:
            yield unit, rows


def _picture(name: str, unit: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", unit.replace("µ", "u").lower()).strip("-")
    return f"pictures/bench-{name}-{plain}.svg"
