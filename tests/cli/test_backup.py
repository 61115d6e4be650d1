"""A copy of the store, and what going back to one costs: nobody stays signed in, nothing is forgotten silently."""

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.core.errors import RolledBack
from mfa_gate.core.listing import EVERYBODY
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing
from mfa_gate.opening import checkpointer
from tests.cli.shell import NOW, Shell

WHY = ("--reason", "the disk died")


def anchor(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shell.folder / "anchor" / "mfa-gate.anchor").read_bytes())
    return found


def sign(shell: Shell) -> None:
    """A minute goes by, and the checkpointer does its work."""
    shell.now += 60
    with shell.gate() as gate:
        keyed = Keyed.of(KeyRing.load(shell.folder / "mfa-gate.keys"), lambda _: b"")
        job = checkpointer(gate.settings, keyed, gate.store, shell.sources())
        assert job.tick(shell.now) is not None


def store(shell: Shell) -> Path:
    return shell.folder / "store" / "mfa-gate.db"


def copied(shell: Shell, name: str = "copy") -> Path:
    target = shell.folder.parent / name
    shell("backup", str(target))
    return target


def aside(shell: Shell) -> list[str]:
    return sorted(path.name for path in store(shell).parent.iterdir() if ".before-" in path.name)


class TestBackup:
    def test_it_is_whole_and_for_nobody_else(self, shell: Shell) -> None:
        shell.enrolls("alice")
        target = copied(shell)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        with closing(sqlite3.connect(target)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("SELECT COUNT(*) FROM account WHERE stands = 'enrolled'").fetchone() == (1,)

    def test_it_holds_no_key_and_says_so(self, shell: Shell) -> None:
        shell.enrolls("alice")
        said = shell("backup", str(shell.folder / "copy")).output
        assert "keys are not in it" in said
        content = (shell.folder / "copy").read_bytes()
        ring = KeyRing.load(shell.folder / "mfa-gate.keys")
        keys = [
            key.secret for purpose in ("seal", "cookie", "pepper", "audit") for key in getattr(ring, purpose)
        ]
        assert not any(secret in content for secret in keys)

    def test_nothing_is_written_over(self, shell: Shell) -> None:
        copied(shell)
        shell("backup", str(shell.folder.parent / "copy"), code=1)
        shell("backup", str(shell.folder / "none" / "copy"), code=1)


class TestRestore:
    def test_a_copy_takes_the_place_of_a_store_that_is_gone(self, shell: Shell) -> None:
        shell.enrolls("alice")
        sign(shell)
        target = copied(shell)
        shutil.rmtree(store(shell).parent)
        store(shell).parent.mkdir()
        shell("check", code=1)
        said = shell("restore", str(target), *WHY).output
        assert "Everybody is signed out" in said
        assert "Recovery codes" in said
        assert shell.account("alice").has_factor
        assert shell.json("check")["ok"]
        (event,) = shell.json("audit", "list", "--kind", "store_restored")
        assert event["details"]["reason"] == "the disk died"

    def test_everybody_is_signed_out(self, shell: Shell) -> None:
        before = shell.json("policy", "show")
        target = copied(shell)
        shell.now += 10
        shell("restore", str(target), *WHY)
        after = shell.json("policy", "show")
        assert after["fresh_start_at"] == shell.now
        assert after["version"] > before["version"]

    def test_what_was_there_is_kept(self, shell: Shell) -> None:
        target = copied(shell)
        shell.enrolls("alice")
        kept = shell.json("restore", str(target), *WHY)["kept"]
        shell("restore", str(target), *WHY, code=1)  # by now the anchor knows more
        shell.json("restore", str(target), "--accept-loss", *WHY)
        assert len([name for name in aside(shell) if not name.endswith(("-wal", "-shm"))]) == 2
        with closing(sqlite3.connect(kept)) as db:
            assert db.execute("SELECT COUNT(*) FROM account WHERE stands = 'enrolled'").fetchone() == (1,)
        with closing(sqlite3.connect(store(shell))) as db:
            assert db.execute("SELECT COUNT(*) FROM account WHERE stands = 'enrolled'").fetchone() == (0,)
        assert not list(store(shell).parent.glob(".*"))

    def test_j16_an_older_copy_is_refused_unless_the_loss_is_accepted(self, shell: Shell) -> None:
        target = copied(shell)
        shell.enrolls("alice")
        shell("policy", "set", "require_two_step=true", "--reason", "x y z", code=1)
        sign(shell)
        known = anchor(shell)
        said = shell("restore", str(target), *WHY, code=1).output
        assert "older than what the anchor knows" in said
        assert anchor(shell) == known
        assert shell.account("alice").has_factor
        shell("restore", str(target), "--accept-loss", *WHY)
        assert anchor(shell)["number"] == 0
        assert shell.json("policy", "show")["version"] > known["policy_version"]
        assert shell.json("check")["ok"]
        (event,) = shell.json("audit", "list", "--kind", "store_restored")
        assert (event["details"]["known"], event["details"]["checkpoint"]) == ("1", "0")
        sign(shell)
        assert shell.json("audit", "verify")["whole"]

    def test_a_store_put_back_by_hand_is_refused_until_the_loss_is_accepted(self, shell: Shell) -> None:
        target = copied(shell)
        shell.enrolls("alice")
        sign(shell)
        for path in store(shell).parent.glob("mfa-gate.db*"):
            path.unlink()
        shutil.copy(target, store(shell))
        ((severity, where, text),) = [
            (each["severity"], each["setting"], each["text"])
            for each in shell.json("check", code=1)["problems"]
            if each["severity"] == "error"
        ]
        assert (severity, where) == ("error", "store")
        assert "Rollback detected" in text
        with pytest.raises(RolledBack), shell.gate():
            pass
        shell("restore", *WHY, code=2)
        shell("restore", "--accept-loss", *WHY)
        assert shell.json("check")["ok"]

    def test_a_damaged_anchor_is_passed_over_only_by_who_accepts_a_loss(self, shell: Shell) -> None:
        target = copied(shell)
        (shell.folder / "anchor" / "mfa-gate.anchor").write_text("junk")
        assert "damaged" in shell("check", code=1).output
        shell("restore", str(target), *WHY, code=1)
        shell("restore", "--accept-loss", *WHY)
        assert anchor(shell)["policy_version"] == 2
        assert shell.json("check")["ok"]

    def test_without_an_anchor_any_copy_does(self, shell: Shell) -> None:
        shell.edit('path = "anchor/mfa-gate.anchor"', "")
        target = copied(shell)
        shell.enrolls("alice")
        shell("restore", str(target), *WHY)
        with shell.gate() as gate:
            assert (gate.store.counts(EVERYBODY, NOW) or {})["enrolled"] == 0

    @pytest.mark.parametrize("fault", ["no database", "cut off", "another store", "other keys", "tampered"])
    def test_a_copy_that_is_not_this_store_stays_out(self, shell: Shell, fault: str) -> None:
        shell.enrolls("alice")
        target = copied(shell)
        match fault:
            case "no database":
                target.write_bytes(b"junk" * 1000)
            case "cut off":
                target.write_bytes(target.read_bytes()[: 4096 * 5])
            case "another store" | "other keys":
                other = Shell(shell.folder.parent / "other")
                other("init")
                target.unlink()
                shutil.copy(copied(other, "theirs"), target)
                if fault == "another store":
                    shutil.copy(other.folder / "mfa-gate.keys", shell.folder / "mfa-gate.keys")
            case _:
                with closing(sqlite3.connect(target, isolation_level=None)) as db:
                    db.execute("UPDATE audit SET record = record || ' ' WHERE position = 1")
        before = store(shell).read_bytes()
        shell("restore", str(target), *WHY, code=1)
        assert store(shell).read_bytes() == before
        assert not list(store(shell).parent.glob(".*"))
        assert aside(shell) == []

    def test_a_reason_is_asked_for(self, shell: Shell) -> None:
        shell("restore", str(copied(shell)), "--reason", "x", code=2)
        shell("restore", str(copied(shell, "2")), code=2)
