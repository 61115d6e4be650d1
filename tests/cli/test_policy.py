"""`policy`: the switch from the shell, with a reason, and never where nobody could turn it off again."""

import getpass
import os
from pathlib import Path

import pytest

from tests.cli.shell import NOW, Shell

ON = ("policy", "set", "require_two_step=true", "--reason", "go live")


def lines(output: str) -> list[list[str]]:
    """Each line in words, however wide the first column is."""
    return [line.split() for line in output.splitlines()]


def test_it_shows_what_stands(shell: Shell) -> None:
    policy = shell.json("policy", "show")
    assert policy["require_two_step"] is False
    assert policy["mode"] == "enforce"
    assert ["require_two_step", "false"] in lines(shell("policy", "show").output)


def test_turning_on_wants_an_administrator_who_is_enrolled(shell: Shell) -> None:
    shell.enrolls("alice")
    assert "No administrator has set up two-step yet" in shell(*ON, code=1).stderr
    assert shell.json("policy", "show")["require_two_step"] is False
    shell.enrolls("admin")
    assert "is on (version 2)" in shell(*ON).output
    assert shell.json("policy", "show")["require_two_step"] is True


def test_it_stands_in_the_trail_with_who_and_why(shell: Shell) -> None:
    shell.enrolls("admin")
    shell(*ON)
    (event,) = shell.json("audit", "list", "--kind", "policy_changed")
    assert event["at"] == NOW
    assert event["actor"]["surface"] == "shell"
    assert event["actor"]["subject"].startswith(getpass.getuser() if os.getuid() else "root")
    assert (event["details"]["require_two_step"], event["details"]["reason"]) == ("on", "go live")


def test_what_stands_already_writes_nothing(shell: Shell) -> None:
    shell.enrolls("admin")
    shell(*ON)
    assert "was already on (version 2)" in shell(*ON).output
    assert shell.json(*ON) == {"changed": False, "policy": shell.json(*ON)["policy"]}
    assert len(shell.json("audit", "list", "--kind", "policy_changed")) == 1


def test_turning_off_from_the_shell_needs_no_code(shell: Shell) -> None:
    shell.enrolls("admin")
    shell(*ON)
    off = shell.json("policy", "set", "require_two_step=false", "--reason", "maintenance")
    assert off["changed"]
    assert off["policy"]["version"] == 3


@pytest.mark.parametrize("reason", ["", "x", "   ", "x" * 501])
def test_a_reason_is_wanted(shell: Shell, reason: str) -> None:
    shell.enrolls("admin")
    assert "3 to 500" in shell("policy", "set", "require_two_step=true", "--reason", reason, code=2).stderr


@pytest.mark.parametrize(
    "change", ["require_two_step", "require_two_step=maybe", "require_two_step=", "mode=observe", "=true"]
)
def test_nothing_else_can_be_set(shell: Shell, change: str) -> None:
    shell("policy", "set", change, "--reason", "go live", code=2)
    assert shell("policy", "set", "require_two_step=true", code=2).stderr.count("--reason")


def test_observing_is_said_beside_it(shell: Shell) -> None:
    shell.edit('mode = "enforce"', 'mode = "observe"')
    assert "nothing is enforced" in shell("policy", "show").output
    assert shell.json("policy", "show")["mode"] == "observe"


def test_more_than_the_switch_can_be_set_at_once(shell: Shell) -> None:
    shell.enrolls("admin")
    said = shell(
        "policy", "set", "grace_seconds=14d", "required_groups=staff, lab", "--reason", "Two weeks"
    ).output
    assert "grace_seconds: 0 → 1209600" in said
    assert "required_groups: none → staff, lab" in said
    again = shell("policy", "set", "grace_seconds=14d", "--reason", "Two weeks")
    assert "Nothing was changed (version 2)" in again.output
    assert "1 to" not in shell("policy", "show").output
    assert ["grace_seconds", "1209600"] in lines(shell("policy", "show").output)
    error = shell("policy", "set", "session_ttl_seconds=9d", "--reason", "Too long", code=2).stderr
    assert "session_ttl_seconds: Give 300 to 86400 seconds." in error


def test_the_history_says_who_changed_what_when_and_why(shell: Shell) -> None:
    shell.enrolls("admin")
    shell(*ON)
    newest, first = shell.json("policy", "history")
    assert newest["changes"] == [{"field": "require_two_step", "before": "off", "after": "on"}]
    assert (newest["version"], newest["changed_at"], newest["changed_why"]) == (2, NOW, "go live")
    assert (first["version"], first["changes"]) == (1, None)
    assert "require_two_step: off → on" in shell("policy", "history").output


def test_the_impact_is_told_and_its_lists_are_exported(shell: Shell, tmp_path: Path) -> None:
    shell.enrolls("admin")
    shell.visits("bob")
    told = shell.json("policy", "impact")
    assert (told["stopped"], told["has_time"], told["complete"], told["traffic"]) == (1, 0, True, [])
    assert "stopped        1" in shell("policy", "impact").output
    file = tmp_path / "stopped.csv"
    shell("policy", "impact", "--export", "stopped", "--to", str(file), code=2)
    shell("policy", "impact", "--export", "stopped", "--to", str(file), "--reason", "Roll-out")
    assert [line.split(",")[0] for line in file.read_text().splitlines()] == ["user", "bob"]
    shell("policy", "impact", "--export", "stopped", code=2)
