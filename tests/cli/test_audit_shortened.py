"""Archived events that have left the store: said, verified together with their files, and found where one helped."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.cli.test_audit import run, sign
from tests.cli.test_audit_archive import files, kept

__all__ = ["kept"]

DAY = 86_400
LEAVES = ("audit", "archive", "--older-than", "1", "--keep", "2", "--reason", "disk is full")


@pytest.fixture
def shortened(kept: Shell) -> Shell:
    """Of three days two have left, in two files; the third is archived and has not."""
    kept("audit", "archive", "--older-than", "3")
    kept("audit", "archive", "--older-than", "2")
    kept(*LEAVES)
    return kept


def test_what_would_leave_is_said_and_done_then(kept: Shell) -> None:
    kept("audit", "archive", "--older-than", "2")
    would = kept.json(*LEAVES, "--dry-run")
    assert [(each["first"], each["last"]) for each in would["left"]] == [(1, 2)]
    assert [(each["first"], each["last"]) for each in would["archived"]] == [(3, 3)]
    assert kept.json("audit", "verify")["begins"] == 0
    done = kept.json(*LEAVES)
    assert [each["first"] for each in done["left"]] == [1]
    assert done["left"][0]["file"] == files(kept)[0].name
    assert (done["dry_run"], done["waits"]) == (False, None)
    assert "Nothing is old enough" in kept(*LEAVES).output
    (told,) = kept.json("audit", "list", "--kind", "trail_shortened")
    assert told["details"]["reason"] == "disk is full"
    assert told["details"]["sha256"] == done["left"][0]["sha256"]


def test_more_than_is_set_leaves_only_for_a_reason(kept: Shell) -> None:
    assert "--reason" in kept("audit", "archive", "--keep", "1", code=2).output
    kept.edit("# keep_days = 2192", "keep_days = 29")
    assert "[audit] keep_days" in kept("check", code=1).output


def test_by_itself_what_is_older_than_is_set_leaves(kept: Shell) -> None:
    from mfa_gate.background import background
    from mfa_gate.keys import KeyRing
    from mfa_gate.settings import Settings

    kept.edit("# keep_days = 2192", "archive_after_days = 30\nkeep_days = 60")
    kept.now += 70 * DAY
    with kept.gate() as gate:
        settings: Settings = gate.settings
        keys = KeyRing.find(settings.keys.file, os.environ)
        jobs = background(settings, keys, gate.store, kept.sources())
        for each in jobs:
            each.turn(kept.now)
        kept.now += 1000
        assert any("audit archive" in each.turn(kept.now) for each in jobs)
        assert gate.store.stream.beginning().number == 3
        assert gate.store.broken_chain() is None


def test_store_and_archive_are_verified_as_one(shortened: Shell) -> None:
    found = shortened.json("audit", "verify")
    assert (found["whole"], found["begins"], found["archived"]) == (True, 2, 8)
    said = shortened("audit", "verify").output
    assert "Of the archive, 8 events match." in said
    public = shortened("keys", "show", "--public").output.strip()
    assert shortened.json("audit", "verify", "--public-key", public)["whole"]
    assert shortened.json("audit", "verify", str(shortened.folder / "archive"), "--public-key", public)[
        "whole"
    ]
    shortened.edit('archive = "archive"', "")
    assert "was not looked at" in shortened("audit", "verify").output.replace("\n", " ")
    assert "an archive that is not named here" in shortened("check").output


def test_whoever_looks_for_what_has_left_is_told(shortened: Shell, tmp_path: Path) -> None:
    told = "is kept in the archive, and is not shown."
    assert told in shortened("audit", "list", "--user", "alice").output
    assert told not in shortened("audit", "list", "--limit", "1").output
    assert told not in shortened("audit", "list", "--since", "2027-01-17").output
    exported = tmp_path / "trail"
    assert told in shortened("audit", "export", str(exported), "--reason", "yearly audit").output
    assert shortened.json("audit", "verify", str(exported))["whole"]
    assert '"begins":2' in exported.read_text().splitlines()[0]


def test_a_copy_of_the_store_is_put_back_and_goes_on(shortened: Shell, tmp_path: Path) -> None:
    shortened("backup", str(tmp_path / "copy"))
    shortened.visits("carol")
    sign(shortened)
    shortened("restore", str(tmp_path / "copy"), "--accept-loss", "--reason", "the disk broke")
    found = shortened.json("audit", "verify")
    assert (found["whole"], found["begins"]) == (True, 2)


def test_a_copy_from_before_is_put_back_and_the_same_leaves_again(kept: Shell, tmp_path: Path) -> None:
    kept("backup", str(tmp_path / "copy"))
    kept(*LEAVES, "--keep", "1")
    kept("restore", str(tmp_path / "copy"), "--accept-loss", "--reason", "the disk broke")
    assert kept.json("audit", "verify")["begins"] == 0
    kept(*LEAVES, "--keep", "1")
    found = kept.json("audit", "verify")
    assert (found["whole"], found["begins"]) == (True, 3)
    assert len(files(kept)) == 1


# By hand, in twelve ways and more (J19)

FILES: dict[str, Callable[[Path, Path, Path], object]] = {
    "the first file is gone": lambda first, _second, _third: first.unlink(),
    "all that are needed are gone": lambda *paths: deque(map(Path.unlink, paths)),
    "one in the middle is gone": lambda _first, second, _third: second.unlink(),
    "one was altered": lambda first, *_: first.write_bytes(
        first.read_bytes()[:60] + b"x" + first.read_bytes()[61:]
    ),
    "one was cut off": lambda _first, second, _third: second.write_bytes(second.read_bytes()[:-30]),
    "one is empty": lambda first, *_: first.write_bytes(b""),
    "two were exchanged": lambda first, second, _third: (
        first.rename(first.with_name("x")),
        second.rename(first),
        first.with_name("x").rename(second),
    ),
    "one was renamed": lambda _first, _second, third: third.rename(
        third.with_name(third.name.replace("0000000003.jsonl", "0000000004.jsonl"))
    ),
    "one is there twice": lambda first, *_: first.with_name(
        first.name.replace("0000000001.jsonl", "0000000002.jsonl")
    ).write_bytes(first.read_bytes()),
}
ROWS = {
    "the first event": "DELETE FROM audit WHERE position = (SELECT MIN(position) FROM audit)",
    "the checkpoint at which it begins": "DELETE FROM checkpoint WHERE number = 2",
    "a whole interval at the front": "DELETE FROM audit WHERE account <> 'org'",
    "what a chain goes on from": "DELETE FROM base WHERE account <> 'org'",
    "how much has left": "DELETE FROM removed",
    "the first event edited": (
        "UPDATE audit SET record = replace(record, 'alice', 'mallo') "
        "WHERE position = (SELECT MIN(position) FROM audit)"
    ),
    "an event put in before the beginning": (
        "INSERT INTO audit SELECT 1, account, kind, at, record, link FROM audit LIMIT 1"
    ),
    "somebody whose events have left": "DELETE FROM register WHERE account <> 'org'",
}


def test_j19_what_is_done_to_a_file_is_found(shortened: Shell) -> None:
    folder = shortened.folder / "archive"
    there = {path: path.read_bytes() for path in files(shortened)}
    for how, change in FILES.items():
        change(*there)
        assert shortened("audit", "verify", code=1).output, how
        for path in files(shortened):
            path.unlink()
        for path, content in there.items():
            path.write_bytes(content)
    assert shortened.json("audit", "verify")["whole"]
    assert len(list(folder.iterdir())) == 3


def test_j19_what_is_done_to_the_front_of_the_store_is_found(shortened: Shell) -> None:
    (file,) = shortened.folder.rglob("*.db")
    untouched = file.with_name("untouched")
    with closing(sqlite3.connect(file)) as db, closing(sqlite3.connect(untouched)) as copy:
        db.backup(copy)
    for how, statement in ROWS.items():
        run(shortened, statement)
        assert not shortened.json("audit", "verify", code=1)["whole"], how
        with closing(sqlite3.connect(untouched)) as copy, closing(sqlite3.connect(file)) as db:
            copy.backup(db)
        assert shortened.json("audit", "verify")["whole"]


# Whoever dies in between

KILLED = """
import os, signal
from mfa_gate.stores import sqlite_commits, sqlite_retention
def die(*words, **more):
    os.kill(os.getpid(), signal.SIGKILL)
{where} = die
"""
RUN = """
from mfa_gate.cli import main
from mfa_gate.cli.invocation import Invocation
from mfa_gate.wiring import Sources
words = ["--settings", {settings!r}, "audit", "archive", "--older-than", "1", "--keep", "2", "--reason", "disk is full"]
main(words, obj=Invocation(Sources(clock=lambda: {now})))
"""


@pytest.mark.parametrize(
    "where",
    [
        "sqlite_commits.Transaction.move_beginning",
        "sqlite_retention.whole_step",
        "sqlite_retention.ledger_of",
        "sqlite_retention.SqliteRetention.begin",
        "sqlite_retention.taken_over",
    ],
)
def test_killed_anywhere_nothing_is_lost_and_the_next_one_goes_on(kept: Shell, where: str) -> None:
    kept("audit", "archive", "--older-than", "2")
    program = KILLED.format(where=where) + RUN.format(settings=str(kept.settings), now=kept.now)
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, env=os.environ | kept.environ
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert kept.json("audit", "verify")["whole"]
    kept(*LEAVES)
    found = kept.json("audit", "verify")
    assert (found["whole"], found["begins"]) == (True, 2)
    assert len(kept.json("audit", "list", "--kind", "trail_shortened")) == 1
    assert len(kept.json("audit", "list", "--user", "alice")) == 1
