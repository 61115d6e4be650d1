"""A roster of 50,000 people, each in two groups, is read from CSV, compared, put in force and told to every account:
for each that is a record with its event in the trail and its place in the lists. It is in force, and decides at every
door, from the moment the pointer moves; lists and counters follow as the accounts are told. Beside it the same roster
again with one name in a hundred changed. By the clock, in a process of its own, whose greatest memory is what is said.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.rows import Row, at_least, at_most
from benchmarks.servers import redis_server
from tests.edges.holdings import SQLITE
from tests.edges.town import Town

PLACE = 70
TITLE = "Importing a roster"
PARTS = ("redis",)

PEOPLE = 50_000


def measure() -> Iterator[Row]:
    """SQLite, then Redis."""
    for name in ("SQLite", "Redis"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = SQLITE if name == "SQLite" else stack.enter_context(redis_server(folder)).url
            Town.found(folder, time.time(), url).close()
            yield from _rows(name, folder)


def _rows(name: str, folder: Path) -> Iterator[Row]:
    words = [sys.executable, "-m", "benchmarks.importer", str(folder), str(PEOPLE)]
    top = Path(__file__).parents[2]
    told = json.loads(subprocess.run(words, cwd=top, stdout=subprocess.PIPE, check=True).stdout)
    first, second = told["first"], told["second"]
    for what, seconds, target in (
        ("in force", first["in force"], None),
        ("in force and told to every account", first["told"], at_least(5_000)),
        ("again, one in a hundred changed", second["told"], None),
    ):
        yield Row(what=f"{name}: {what}", figure=PEOPLE / seconds, unit="people/s", target=target)
    yield Row(what=f"{name}: memory", figure=told["mebibytes"], unit="MiB", target=at_most(256), drawn=False)
