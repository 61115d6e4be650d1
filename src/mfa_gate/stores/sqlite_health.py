"""Decides what about an SQLite file endangers the gate: damage, and who else can read it."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from mfa_gate.ports import Concern


def concerns(db: sqlite3.Connection, path: Path) -> Iterator[Concern]:
    """What endangers the gate, each with its cure."""
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        text = f'"{path}" is damaged ({found}); restore it from a backup.'
        yield Concern(severity="error", about="store", text=text)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        text = f'others can read "{path}". Run `chmod 600 {path}`.'
        yield Concern(severity="warning", about="store", text=text)
