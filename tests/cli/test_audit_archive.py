"""The trail archived to files: verified, chained, whole or not at all, and never instead of the store."""

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mfa_gate.core.accounts import account_id
from tests.cli.shell import REALM, Shell
from tests.cli.test_audit import run, sign

DAY = 86_400


@pytest.fixture
def kept(shell: Shell) -> Shell:
    """Three days of a gate that archives; the folder is beside it."""
    (shell.folder / "archive").mkdir()
    shell.edit("# [audit]", "[audit]")
    shell.edit('# archive = "/mnt/evidence/mfa-gate"', 'archive = "archive"')
    for number in range(3):
        for name in ("alice", "bob"):
            shell.visits(name, name=f"{name} {number}")
        sign(shell)
        shell.now += DAY
    return shell


def files(shell: Shell) -> list[Path]:
    return sorted((shell.folder / "archive").iterdir())


def archive(shell: Shell, days: int, code: int = 0) -> list[tuple[int, int]]:
    if code:
        shell("audit", "archive", "--older-than", str(days), code=code)
        return []
    return [
        (each["first"], each["last"])
        for each in shell.json("audit", "archive", "--older-than", str(days))["archived"]
    ]


def test_what_is_old_is_archived_once_and_goes_on_where_it_ended(kept: Shell) -> None:
    assert archive(kept, 4) == []
    assert "Nothing is old enough." in kept("audit", "archive").output
    assert archive(kept, 2) == [(1, 2)]
    assert archive(kept, 2) == []
    assert archive(kept, 1) == [(3, 3)]
    names = [path.name for path in files(kept)]
    assert all(re.fullmatch(r"audit-[0-9a-f]{32}-\d{10}-\d{10}\.jsonl\.gz", name) for name in names)
    assert len(names) == 2
    (recorded, *_) = kept.json("audit", "list", "--kind", "trail_archived")
    content = (kept.folder / "archive" / names[1]).read_bytes()
    assert recorded["details"] == {
        "from_checkpoint": "3",
        "to_checkpoint": "3",
        "events": "2",
        "file": names[1],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert recorded["actor"]["surface"] == "shell"


def test_all_files_are_one_trail_and_each_is_one(kept: Shell) -> None:
    archive(kept, 2)
    archive(kept, 1)
    folder, public = str(kept.folder / "archive"), kept("keys", "show", "--public").output.strip()
    for words in ((), ("--public-key", public)):
        found = kept.json("audit", "verify", folder, *words)
        assert (found["whole"], found["checkpoints"], found["signed"]) == (True, 3, 8)
        for path in files(kept):
            assert kept.json("audit", "verify", str(path), *words)["whole"]
    assert kept.json("audit", "verify")["whole"]


def test_j19_what_is_done_to_the_archive_is_found(kept: Shell, tmp_path: Path) -> None:
    archive(kept, 2)
    archive(kept, 1)
    folder = str(kept.folder / "archive")
    first, second = files(kept)
    content = first.read_bytes()
    lines = gzip.decompress(content).splitlines(keepends=True)
    tried = 0
    for number, line in enumerate(lines):
        changed = line.replace(b'subject\\":\\"alice', b'subject\\":\\"mallo')
        if changed == line:
            continue
        tried += 1
        first.write_bytes(gzip.compress(b"".join([*lines[:number], changed, *lines[number + 1 :]])))
        said = kept("audit", "verify", folder, code=1).output
        assert f"account {account_id(REALM, 'alice')} breaks at position" in said
        assert "In the archive" in kept("audit", "verify", code=1).output
    assert tried == 2
    first.write_bytes(content[:-9])
    kept("audit", "verify", folder, code=1)
    first.unlink()
    assert "a file is missing" in kept("audit", "verify", folder, code=1).output
    assert "a file is missing" in kept("audit", "verify", code=1).output
    archive(kept, 1, code=1)
    first.write_bytes(content)
    second.write_bytes(content)
    kept("audit", "verify", folder, code=1)
    first.unlink()
    second.unlink()
    assert "no segment" in kept("audit", "verify", folder, code=1).output


def test_what_was_tampered_with_in_the_store_is_not_archived(kept: Shell) -> None:
    run(kept, "UPDATE audit SET record = record || ' ' WHERE position = 3")
    said = kept("audit", "archive", "--older-than", "1", code=1).output
    assert "Nothing is archived: Between the beginning and checkpoint 1" in said
    assert files(kept) == []


def test_the_archive_of_another_past_is_found(kept: Shell) -> None:
    """The store was put back from an older copy, and went on otherwise."""
    archive(kept, 2)
    run(kept, "DELETE FROM checkpoint WHERE number > 1")
    kept.edit('path = "anchor/mfa-gate.anchor"', "")
    for name in ("carol", "dave"):
        kept.visits(name)
    sign(kept)
    assert "is not that of the store" in kept("audit", "verify", code=1).output


def test_where_nothing_can_be_written_nothing_is_and_it_is_told(kept: Shell) -> None:
    (kept.folder / "archive").rmdir()
    assert "Make the folder" in kept("audit", "archive", "--older-than", "1", code=1).output
    assert "[audit] archive" in kept("check", code=1).output
    kept.edit('archive = "archive"', "")
    assert "The settings name no archive" in kept("audit", "archive", code=2).output


FULL = """
import resource, signal
import mfa_gate.anchors.archive as archive
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
real = archive.gzip.GzipFile
def full(**more):
    # As on a file system where 200 bytes are left.
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    return real(**more)
archive.gzip.GzipFile = full
"""
KILLED = """
import os, signal
import mfa_gate.anchors.archive as archive
def die(*words, **more):
    os.kill(os.getpid(), signal.SIGKILL)
{where} = die
"""
RUN = """
from mfa_gate.cli import main
from mfa_gate.cli.invocation import Invocation
from mfa_gate.wiring import Sources
words = ["--settings", {settings!r}, "audit", "archive", "--older-than", "1"]
main(words, obj=Invocation(Sources(clock=lambda: {now})))
"""


def in_a_process(shell: Shell, before: str) -> tuple[int, str]:
    """How it ended, and what it said."""
    program = before + RUN.format(settings=str(shell.settings), now=shell.now)
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | shell.environ,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "where",
    [
        "archive.os.open",
        "archive.os.fsync",
        "archive.os.link",
        "archive.sync_folder",
        "archive.gzip.GzipFile",
    ],
)
def test_killed_anywhere_the_next_one_makes_it_whole(kept: Shell, where: str) -> None:
    assert in_a_process(kept, KILLED.format(where=where))[0] == -signal.SIGKILL
    archive(kept, 1)
    assert kept.json("audit", "verify", str(kept.folder / "archive"))["signed"] == 8
    assert kept.json("audit", "verify")["whole"]


def test_of_a_full_disk_nothing_is_left(kept: Shell) -> None:
    code, said = in_a_process(kept, FULL)
    assert code == 1
    assert "The archive" in said
    assert files(kept) == []
    assert archive(kept, 1) == [(1, 3)]
    assert json.loads(gzip.decompress(files(kept)[0].read_bytes()).splitlines()[-1])["is"] == "end"
