"""`check` finds what is wrong with settings, keys, store, mail and clock, all of it, and says how it ends."""

import shutil
import socket
import sqlite3
from typing import Any

import pytest

from tests.cli.shell import NOW, Shell
from tests.mail.servers import MailServer


@pytest.fixture
def bare(bare: Shell) -> Shell:
    """Mail goes to a folder."""
    bare.environ["MFA_GATE_MAIL__DIR"] = "mail"
    return bare


def found(shell: Shell, *words: str, code: int = 0) -> list[tuple[str, str, str]]:
    answer: Any = shell.json("check", *words, code=code)
    assert answer["ok"] is (code == 0)
    return [(each["severity"], each["setting"], each["text"]) for each in answer["problems"]]


def test_a_new_gate_is_in_order(shell: Shell) -> None:
    assert found(shell) == []
    assert "in order; 0 warnings." in shell("check").output


def test_an_anchor_that_nobody_has_written_protects_nobody(shell: Shell) -> None:
    (shell.folder / "anchor" / "mfa-gate.anchor").unlink()
    ((severity, where, text),) = found(shell)
    assert (severity, where) == ("warning", "[anchor] path")
    assert "rollback is not detected" in text


def test_warnings_end_with_0_and_errors_with_1(shell: Shell) -> None:
    shell.edit('path = "anchor/mfa-gate.anchor"', "")
    assert "0 warnings" not in shell("check").output
    shell.edit('kind = "sign_in"', 'kind = "public"')
    shell.edit('kind = "sign_out"', 'kind = "public"')
    assert "1 error, 1 warning." in shell("check", code=1).output


def test_without_an_anchor_it_says_so(shell: Shell) -> None:
    shell.edit('path = "anchor/mfa-gate.anchor"', "")
    ((severity, where, text),) = found(shell)
    assert (severity, where) == ("warning", "[anchor] path")
    assert "rollback is not detected" in text


def test_observing_is_said_aloud(shell: Shell) -> None:
    shell.edit('mode = "enforce"', 'mode = "observe"')
    assert [text for _, where, text in found(shell) if where == "mode"] == ['"observe": nothing is enforced.']
    shell.enrolls("admin")
    shell("policy", "set", "require_two_step=true", "--reason", "go live")
    assert any("nobody is held to it" in text for _, _, text in found(shell))


def test_a_sign_in_whose_end_nobody_sees_is_an_error(shell: Shell) -> None:
    shell.edit('kind = "sign_in"', 'kind = "public"')
    shell.edit('kind = "sign_out"', 'kind = "public"')
    errors = [text for severity, _, text in found(shell, code=1) if severity == "error"]
    assert len(errors) == 1
    assert "ever ends" in errors[0]


def test_a_source_that_can_never_fire_is_an_error(bare: Shell) -> None:
    bare("init", "--source", "remote_user")
    assert "error" not in [severity for severity, _, _ in found(bare, "--edge", "wsgi")]
    assert "can never fire" in found(bare, "--edge", "asgi", code=1)[0][2]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ('mount = "/mfa"', 'mount = "mfa"', "mount"),
        ('mode = "enforce"', 'mood = "enforce"', "mood"),
        ("[portal]", "[portal", "not TOML"),
        ('url = "sqlite:', 'url = "mysql:', "[store] url"),
    ],
)
def test_wrong_settings_are_named(shell: Shell, before: str, after: str, named: str) -> None:
    shell.edit(before, after)
    ((severity, _, text),) = found(shell, code=1)
    assert severity == "error"
    assert named in text


def test_no_settings_file_at_all(bare: Shell) -> None:
    assert "mfa-gate init" in found(bare, code=1)[0][2]


def test_a_missing_secret_does_not_hide_what_else_is_wrong(shell: Shell) -> None:
    del shell.environ["PORTAL_SECRET"]
    (shell.folder / "mfa-gate.keys").chmod(0o644)
    assert [where for _, where, _ in found(shell, code=1)] == ["settings", "keys"]


def test_keys_that_others_can_read_are_an_error(shell: Shell) -> None:
    (shell.folder / "mfa-gate.keys").chmod(0o640)
    ((severity, where, text),) = found(shell, code=1)
    assert (severity, where) == ("error", "keys")
    assert "0640" in text


def test_keys_of_another_gate_are_an_error(shell: Shell) -> None:
    other = Shell(shell.folder.parent / "other")
    other("init")
    shutil.copy(other.folder / "mfa-gate.keys", shell.folder / "mfa-gate.keys")
    assert found(shell, code=1)[0][1] == "store"


def test_a_store_that_is_gone_is_an_error_and_is_not_made_anew(shell: Shell) -> None:
    store = shell.folder / "store" / "mfa-gate.db"
    store.unlink()
    ((severity, where, text),) = found(shell, code=1)
    assert (severity, where) == ("error", "store")
    assert str(store) in text
    assert not store.exists()


def test_a_store_that_others_can_read_is_a_warning(shell: Shell) -> None:
    (shell.folder / "store" / "mfa-gate.db").chmod(0o644)
    assert [(severity, where) for severity, where, _ in found(shell)] == [("warning", "store")]


def test_a_clock_before_the_last_event_is_an_error(shell: Shell) -> None:
    shell.now = NOW - 3600
    ((severity, where, text),) = found(shell, code=1)
    assert (severity, where) == ("error", "clock")
    assert "2027-01-15 07:00:00" in text
    shell.now = NOW - 30
    assert found(shell) == []


def test_a_clock_that_was_never_set_is_an_error(shell: Shell) -> None:
    shell.now = 1_000
    assert found(shell, code=1)[0][1] == "clock"


class TestUpkeep:
    def test_keys_that_wait_are_told(self, shell: Shell) -> None:
        shell("keys", "rotate", "--prepare", "--purpose", "seal", "--reason", "yearly")
        ((severity, where, text),) = found(shell)
        assert (severity, where) == ("warning", "keys")
        assert "(seal)" in text

    def test_who_passes_by_a_grant_is_told_as_long_as_it_is_good(self, shell: Shell) -> None:
        shell("break-glass", "grant", "--user", "alice", "--minutes", "5", "--reason", "phone lost")
        ((severity, where, text),) = found(shell)
        assert (severity, where) == ("warning", "break-glass")
        assert "alice passes without the second step" in text
        shell.now += 300
        assert found(shell) == []

    def test_damaged_grants_are_an_error(self, shell: Shell) -> None:
        (shell.folder / "mfa-gate.grants").write_text("junk")
        ((severity, where, _),) = found(shell, code=1)
        assert (severity, where) == ("error", "break-glass")

    def test_a_trail_that_nobody_signs_is_told(self, shell: Shell) -> None:
        shell.now += 601
        shell.visits("alice")
        assert found(shell) == [("warning", "audit", found(shell)[0][2])]
        assert "nothing was signed yet" in found(shell)[0][2]

    def test_when_jobs_were_last_done_is_told(self, shell: Shell) -> None:
        with shell.gate() as gate:
            gate.store.note_run("checkpoints", NOW - 30)
        jobs = {each["name"]: each for each in shell.json("check")["jobs"]}
        assert jobs["checkpoints"] == {"name": "checkpoints", "last_run_at": NOW - 30, "late": False}
        assert jobs["examination"]["last_run_at"] is None
        assert found(shell) == []
        lines = [line.split("  ")[0] for line in shell("check").output.splitlines()]
        assert {"checkpoints", "repair", "expiry", "examination", "reminders"} <= set(lines)
        shell.now += 60
        ((severity, where, text),) = found(shell)
        assert (severity, where) == ("warning", "jobs")
        assert "checkpoints was last done at" in text

    def test_folders_that_others_can_write_are_told(self, shell: Shell) -> None:
        (shell.folder / "anchor").chmod(0o777)
        shell.folder.chmod(0o770)
        assert [where for _, where, _ in found(shell)] == ["[keys] file", "[anchor] path"]
        (shell.folder / "anchor").chmod(0o1777)
        shell.folder.chmod(0o700)
        assert found(shell) == []

    def test_a_checkpoint_that_cannot_be_read_is_an_error(self, shell: Shell) -> None:
        with sqlite3.connect(shell.folder / "store" / "mfa-gate.db") as db:
            db.execute("INSERT INTO checkpoint VALUES (1, x'00', 'k', x'00')")
        db.close()
        ((severity, where, text),) = found(shell, code=1)
        assert (severity, where) == ("error", "store")
        assert "audit verify" in text


class TestMail:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, shell: Shell) -> None:
        del shell.environ["MFA_GATE_MAIL__DIR"]

    def test_none_at_all_is_told(self, shell: Shell) -> None:
        ((severity, where, text),) = found(shell)
        assert (severity, where) == ("warning", "[mail] smtp")
        assert "nobody is reminded" in text

    def test_a_server_that_answers_is_in_order(self, shell: Shell) -> None:
        with MailServer() as server:
            uses(shell, server.port)
            assert found(shell) == []

    def test_one_that_does_not_answer_is_an_error(self, shell: Shell) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        uses(shell, port)
        ((severity, where, text),) = found(shell, code=1)
        assert (severity, where) == ("error", "mail")
        assert f"127.0.0.1:{port} cannot be used: Connection refused" in text

    def test_a_folder_that_cannot_be_written_is_an_error(self, shell: Shell) -> None:
        shell.environ["MFA_GATE_MAIL__DIR"] = "/proc"
        assert [where for _, where, _ in found(shell, code=1)] == ["mail"]

    def test_a_password_that_is_not_here_keeps_nobody_from_working(self, shell: Shell) -> None:
        mail = 'smtp = "smtps://mail.example.org"\nsender = "a@example.org"\nuser = "gate"\npassword = "env:MAIL_PW"'
        shell.edit("[mail]", f"[mail]\n{mail}")
        shell("users", "list")
        assert "MAIL_PW" in found(shell, code=1)[0][2]


def uses(shell: Shell, port: int) -> None:
    """The settings name a mail server of this machine."""
    shell.edit("[mail]", f'[mail]\nsmtp = "smtp+plain://127.0.0.1:{port}"\nsender = "two-step@example.org"')


def test_administrators_by_group_of_whom_nobody_is_known_are_said(shell: Shell) -> None:
    shell.edit("admins = [", 'admins = ["group:it@portal"]\n# [')
    shell.environ["MFA_GATE_MAIL__DIR"] = "mail"
    assert any(
        "no administrator is told" in text for _, where, text in found(shell) if where == "[mail] admins"
    )
    shell.visits("anna", groups=("it",))
    assert "[mail] admins" not in [where for _, where, _ in found(shell)]
