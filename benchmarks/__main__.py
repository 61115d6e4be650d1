"""Runs what there is and prints one table, the machine in its head: `scripts/bench`."""

import os
import platform
from importlib.metadata import version

from benchmarks import warm


def main() -> None:
    """Print the table."""
    parts = ", ".join(f"{name} {version(name)}" for name in ("starlette", "itsdangerous", "msgspec"))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; {parts}\n")
    print("| what | µs | ratio |\n| --- | ---: | --- |")
    for what, microseconds, ratio in warm.measure():
        print(f"| {what} | {microseconds:.2f} | {ratio} |")


if __name__ == "__main__":
    main()
