"""Measures topics and prints one table, the machine in its head; `--write` keeps the results and writes the page."""

import argparse
import sys

from benchmarks.page import write
from benchmarks.results import Result, keep, measured
from benchmarks.rows import Missing
from benchmarks.table import HEAD, line
from benchmarks.topics import topics


def main(arguments: list[str]) -> int:
    """1 if a target was missed, 2 if a part is missing."""
    known = topics()
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"all, or some of: {', '.join(known)}")
    parser.add_argument("--write", action="store_true", help="keep the results and write docs/benchmarks.md")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.topics if name not in known]
    if unknown:
        parser.error(f"no such topic: {', '.join(unknown)}; there are {', '.join(known)}")
    results = []
    for name in asked.topics or known:
        print(f"measuring: {known[name].TITLE} …", file=sys.stderr)
        try:
            result = measured(name, known[name])
        except Missing as missing:
            print(f"scripts/bench: {missing}", file=sys.stderr)
            return 2
        results.append(result)
        if asked.write:
            keep(result)
    _report(results)
    if asked.write:
        write()
    return int(any(row.met is False for result in results for row in result.rows))


def _report(results: list[Result]) -> None:
    for machine in dict.fromkeys(result.machine for result in results):
        print(machine)
    print(f"\n{HEAD}")
    for result in results:
        for row in result.rows:
            print(line(row))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
