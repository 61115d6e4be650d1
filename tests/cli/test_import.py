"""`users import`: a file counts as a whole or not at all, and whoever deactivates many has to mean it."""

import os
import pty
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mfa_gate.core.accounts import account_id
from mfa_gate.core.events import ORG
from tests.cli.shell import REALM, Shell

HEAD = "realm,subject,name,email,groups,active\n"
REASON = ("--reason", "Monthly roster")


def people(number: int, **cells: str) -> str:
    """Lines of so many people, some with an ending of their own."""
    return "".join(
        f"{REALM},user{each},User {each},user{each}@example.com,staff,{cells.get(f'user{each}', 'yes')}\n"
        for each in range(number)
    )


@pytest.fixture
def file(shell: Shell) -> Path:
    path = shell.folder / "roster.csv"
    path.write_text(HEAD + people(30), "utf-8")
    return path


def imported(shell: Shell, file: Path, text: str, *words: str, code: int = 0) -> str:
    file.write_text(HEAD + text, "utf-8")
    return shell("users", "import", str(file), *words, *REASON, code=code).output


def names(shell: Shell, *words: str) -> list[str]:
    return [row["user"] for row in shell.json("users", "list", *words)]


def kinds(shell: Shell, subject: str | None = None) -> list[str]:
    who = ORG if subject is None else account_id(REALM, subject)
    with shell.gate() as gate:
        found = gate.store.events(account_id=who, kind=None, before=None, limit=100)
    return [each.event.kind for each in reversed(found)]


def test_people_who_never_signed_in_are_people(shell: Shell, file: Path) -> None:
    shell.visits("user1", name="Known", email="own@example.org")
    out = shell("users", "import", str(file), *REASON).output
    assert "30 new, 0 changed, 0 deactivated, 0 as before." in out
    assert "The roster is in force: 30 people." in out
    assert len(names(shell, "--q", "user")) == 30
    shown = shell.json("users", "show", "user2")
    assert (shown["status"], shown["first_seen_at"], shown["email"]) == ("missing", None, "user2@example.com")
    assert shell.account("user1").email == "user1@example.com"
    assert kinds(shell)[-2:] == ["roster_imported", "roster_settled"]
    assert kinds(shell, "user2") == ["account_listed"]
    assert kinds(shell, "user1") == ["account_seen", "account_listed", "address_changed"]
    assert "whole" in shell("audit", "verify", code=0).output


def test_who_signed_in_and_is_on_no_roster(shell: Shell, file: Path) -> None:
    shell.visits("stranger")
    shell.visits("user7")
    shell("users", "import", str(file), *REASON)
    assert names(shell, "--unlisted") == ["admin", "stranger"]
    assert not shell.json("users", "show", "stranger")["listed"]
    shown = shell.json("users", "show", "user7")
    assert (shown["listed"], shown["groups"]) == (True, ["staff"])
    assert "on the roster" in shell("users", "show", "user7").output


def test_a_dry_run_changes_nothing(shell: Shell, file: Path) -> None:
    before = names(shell)
    out = shell("users", "import", str(file), "--dry-run").output
    assert "30 new" in out
    assert names(shell) == before
    assert "roster_imported" not in kinds(shell)
    with shell.gate() as gate:
        assert gate.store.roster.stagings() == {}


def test_the_second_import_says_what_differs(shell: Shell, file: Path) -> None:
    imported(shell, file, people(30))
    out = imported(shell, file, people(29).replace("User 3,", "Ursula Three,") + f"{REALM},new,,,,\n")
    assert "1 new, 1 changed, 1 deactivated, 28 as before." in out
    assert "Ursula Three" in out
    assert names(shell, "--status", "inactive") == ["user29"]
    assert shell.account("user3").name == "Ursula Three"
    out = imported(shell, file, people(30) + f"{REALM},new,,,,\n")
    assert "0 new, 2 changed" in out
    assert shell.account("user29").active


def test_many_who_would_be_deactivated_need_a_yes(shell: Shell, file: Path) -> None:
    imported(shell, file, people(40))
    out = imported(shell, file, people(37), code=1)
    assert "That deactivates 3 of 40 people: is the file complete?" in out
    assert "--yes" in out
    assert names(shell, "--status", "inactive") == []
    imported(shell, file, people(38))
    assert len(names(shell, "--status", "inactive")) == 2
    imported(shell, file, people(10), "--yes")
    assert len(names(shell, "--status", "inactive")) == 30


def test_whoever_administers_is_not_deactivated_unasked(shell: Shell, file: Path) -> None:
    crowd = people(50)
    imported(shell, file, crowd + f"{REALM},admin,,,,\n")
    out = imported(shell, file, crowd + f"{REALM},admin,,,,no\n", code=1)
    assert "It deactivates who administers: admin." in out
    assert shell.account("admin").active


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            people(3) + f"{REALM},user1,,,,\n{REALM},x,,no address,,\n",
            ("Line 5: the same person as on line 3", "Line 6:", "2 lines"),
        ),
        ("", ("names nobody",)),
    ],
)
def test_a_file_with_one_bad_line_counts_for_nothing(
    shell: Shell, file: Path, text: str, told: tuple[str, ...]
) -> None:
    before = names(shell)
    out = imported(shell, file, text, code=1)
    assert all(each in out for each in told), out
    assert names(shell) == before


def test_what_is_no_roster_is_refused_in_one_sentence(shell: Shell, file: Path) -> None:
    file.write_bytes((HEAD + people(2)).encode("utf-16"))
    found = shell("users", "import", str(file), *REASON, code=1)
    assert "UTF-16" in found.output
    assert "--reason" in shell("users", "import", str(file), code=2).output


def test_as_json(shell: Shell, file: Path) -> None:
    found = shell.json("users", "import", str(file), *REASON)
    assert found["counts"] == {"added": 30, "changed": 0, "deactivated": 0, "unchanged": 0}
    assert (found["dry_run"], found["roster"], found["people"]) == (False, 1, 30)
    assert len(found["shown"]["added"]) == 20
    assert shell.json("users", "import", str(file), "--dry-run")["counts"]["unchanged"] == 30


def test_from_the_portals_own_database(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "portal.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE users (login TEXT, full_name TEXT, mail TEXT, enabled INTEGER)")
    db.executemany(
        "INSERT INTO users VALUES (?, ?, ?, ?)",
        [("alice", "Alice Moreau", "alice@example.com", 1), ("bob", None, None, 0)],
    )
    db.commit()
    db.close()
    shell.environ["ROSTER_URL"] = f"sqlite:///{path}"
    columns = "login AS subject, full_name AS name, mail AS email, enabled AS active"
    with shell.settings.open("a", encoding="utf-8") as settings:
        settings.write(f'[roster]\nurl = "env:ROSTER_URL"\nquery = "SELECT {columns} FROM users"\n')
    shell("users", "import", *REASON)
    assert shell.json("users", "show", "alice")["email"] == "alice@example.com"
    assert names(shell, "--status", "inactive") == ["bob"]
    shell.edit("FROM users", "FROM nowhere")
    out = shell("users", "import", *REASON, code=1).output
    assert "no such table: nowhere" in out
    assert str(path) not in out


def test_without_a_file_and_without_a_place(shell: Shell) -> None:
    assert "write [roster]" in shell("users", "import", *REASON, code=2).output


def at_a_terminal(shell: Shell, file: Path, answer: bytes) -> tuple[int, str]:
    """What somebody at a terminal sees who answers the question so; nothing was said with `--yes`."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", "from mfa_gate.cli import main; main()", "--settings", str(shell.settings)]
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        child = subprocess.Popen(
            [*words, "users", "import", str(file), *REASON],
            env=os.environ | shell.environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b""
        # At the end of a terminal Linux says EIO.
        with suppress(OSError):
            while more := terminal.read(1024):
                seen += more
                if b"Import it?" in seen and answer:
                    terminal.write(answer)
                    answer = b""
        return child.wait(60), seen.decode()


@pytest.mark.parametrize(
    ("left", "answer", "code"), [(30, b"\n", 0), (30, b"n\n", 1), (20, b"\n", 1), (20, b"y\n", 0)]
)
def test_at_a_terminal_it_asks_and_what_is_dangerous_is_not_what_enter_does(
    shell: Shell, file: Path, left: int, answer: bytes, code: int
) -> None:
    shell.now = int(time.time())  # a process of its own has the clock of the machine
    imported(shell, file, people(30))
    file.write_text(HEAD + people(left).replace("User 3,", "Ursula Three,"), "utf-8")
    ended, seen = at_a_terminal(shell, file, answer)
    assert ("[Y/n]" if left == 30 else "[y/N]") in seen
    assert ended == code, seen
    assert ("The roster is in force" in seen) == (code == 0)
    assert (shell.account("user3").name == "Ursula Three") == (code == 0)
    assert len(names(shell, "--status", "inactive")) == (30 - left if code == 0 else 0)
