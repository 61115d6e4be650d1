"""What a run of one topic gave, with machine, versions and day; kept as a file, out of which the page is made."""

import datetime as dt
import os
import platform
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.rows import Row, Topic

FOLDER = Path(__file__).parent / "results"
ALWAYS = ("starlette", "itsdangerous", "msgspec")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One topic, measured."""

    topic: str
    day: str
    machine: str
    rows: tuple[Row, ...]


def measured(name: str, topic: Topic) -> Result:
    """Measure one topic now."""
    return Result(
        topic=name,
        day=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=machine(topic.PARTS),
        rows=tuple(topic.measure()),
    )


def machine(parts: tuple[str, ...] = ()) -> str:
    """The machine and the versions, in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in dict.fromkeys((*ALWAYS, *parts)))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}; {versions}"
    )


def kept() -> dict[str, Result]:
    """The results of the last runs with `--write`, by topic."""
    found = (msgspec.json.decode(file.read_bytes(), type=Result) for file in sorted(FOLDER.glob("*.json")))
    return {result.topic: result for result in found}


def keep(result: Result) -> None:
    """Put a result in the place of the former one."""
    FOLDER.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(_rounded(result)), indent=2)
    (FOLDER / f"{result.topic}.json").write_bytes(text + b"\n")


def _rounded(result: Result) -> Result:
    """Four digits are more than any of them is sure of."""
    return msgspec.structs.replace(
        result,
        rows=tuple(
            msgspec.structs.replace(
                row,
                figure=float(f"{row.figure:.4g}"),
                ratio=None if row.ratio is None else float(f"{row.ratio:.4g}"),
            )
            for row in result.rows
        ),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")
