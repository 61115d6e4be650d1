"""`report`: what was true at a date, from what was written down at that time."""

from mfa_gate.core.policy import DAY
from mfa_gate.flows.counting import Counting
from tests.cli.shell import NOW, Shell


def counts(shell: Shell) -> None:
    with shell.gate() as gate:
        assert Counting(gate.store, gate.store, gate.store).turn(shell.now)


def test_before_anything_was_counted(shell: Shell) -> None:
    out = shell("report").output
    assert "had not been counted by then" in out
    assert "two-step not required" in out


def test_a_day_that_is_over_stays_as_it_was(shell: Shell) -> None:
    shell.visits("bob")
    counts(shell)
    shell.now += DAY
    shell.enrolls("alice")
    counts(shell)
    now, then = shell.json("report"), shell.json("report", "--at", "2027-01-15")
    assert (now["at"], now["coverage"]["covered"], now["coverage"]["people"]) == (NOW + DAY, 1, 3)
    assert (then["coverage"]["at"], then["coverage"]["covered"], then["coverage"]["people"]) == (NOW, 0, 2)
    assert then["policy"]["version"] == 1
    assert now["acts"]["reset"] == 0
    out = shell("report").output
    assert "1 of 3 people, 33.3 %" in out
    assert "never signed in" in out


def test_what_is_no_day(shell: Shell) -> None:
    assert "2026-03-31" in shell("report", "--at", "yesterday", code=2).stderr
