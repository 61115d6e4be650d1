"""How the program is called: where the settings come from, and that a mistake costs a sentence, not a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mfa_gate.cli import main
from mfa_gate.cli.invocation import os_user
from tests.cli.shell import SECRET, Shell

PROGRAM = Path(sys.executable).with_name("mfa-gate")


def test_settings_before_or_after_the_command_or_in_the_environment(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(shell.settings)
    runner = CliRunner(env=shell.environ)
    monkeypatch.chdir(shell.folder.parent)
    assert runner.invoke(main, ["policy", "show"]).exit_code == 1
    assert runner.invoke(main, ["--settings", path, "policy", "show"]).exit_code == 0
    assert runner.invoke(main, ["policy", "show", "--settings", path]).exit_code == 0
    assert runner.invoke(main, ["policy", "show"], env={"MFA_GATE_SETTINGS": path}).exit_code == 0
    monkeypatch.chdir(shell.folder)
    assert runner.invoke(main, ["policy", "show"]).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("policy", "show"),
        ("users", "list"),
        ("users", "list", "--json"),
        ("audit", "list"),
        ("audit", "verify"),
        ("admin-code", "--user", "admin"),
        ("explain", "GET", "/files"),
    ],
)
def test_a_store_that_does_not_answer_ends_with_1_and_its_sentence(
    shell: Shell, words: tuple[str, ...]
) -> None:
    (shell.folder / "store" / "mfa-gate.db").write_bytes(b"no database")
    found = shell(*words, code=1)
    assert found.stderr.startswith("Error: The store ")
    assert found.stdout == ""


def test_without_settings_it_says_how_to_begin(bare: Shell) -> None:
    assert "mfa-gate init" in bare("users", "list", code=1).stderr


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("users",), ("users", "list", "--nonsense"), ("explain",)]
)
def test_what_is_not_understood_ends_with_2(shell: Shell, words: tuple[str, ...]) -> None:
    shell(*words, code=2)


def test_the_program_as_it_is_installed(shell: Shell) -> None:
    environ = {**os.environ, "PORTAL_SECRET": SECRET, "MFA_GATE_SETTINGS": str(shell.settings)}
    done = subprocess.run(
        [PROGRAM, "explain", "GET", "/files"], env=environ, capture_output=True, text=True, check=True
    )
    assert "none of [portal] rules fits" in done.stdout
    wrong = subprocess.run(
        [PROGRAM, "users", "show", "zoe"], env=environ, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert wrong.stderr == 'Error: The gate has never seen "zoe" (realm portal).\n'


def test_help_needs_neither_store_nor_servers() -> None:
    heavy = "sqlite3 starlette jinja2 uvicorn gunicorn flask mfa_gate.stores mfa_gate.web"
    code = (
        "import sys; from click.testing import CliRunner; from mfa_gate.cli import main; "
        f"CliRunner().invoke(main, ['--help']); print([n for n in {heavy.split()} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_who_calls_is_not_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "mallory")
    assert "mallory" not in os_user()
