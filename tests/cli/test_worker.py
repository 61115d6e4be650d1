"""`worker` does what is due, so that the trail is signed and people are told although no portal runs."""

import signal
import subprocess
from email.parser import BytesParser
from email.policy import default

from tests.cli.demos import PROGRAM
from tests.cli.shell import Shell
from tests.waiting import until


def signed(shell: Shell) -> bool:
    with shell.gate() as gate:
        return gate.store.stream.reached().checkpoint is not None


def last_runs(shell: Shell) -> dict[str, int]:
    with shell.gate() as gate:
        return gate.store.last_runs()


def told(shell: Shell) -> set[str]:
    """Which mails have left, and to whom."""
    found = [
        BytesParser(policy=default).parsebytes(each.read_bytes()) for each in shell.folder.glob("mail/*.eml")
    ]
    return {f"{message['To'].addresses[0].addr_spec}: {message['Subject']}" for message in found}


def test_the_trail_is_signed_people_are_told_and_a_signal_ends_it(shell: Shell) -> None:
    shell.environ |= {
        "MFA_GATE_MAIL__DIR": "mail",
        "MFA_GATE_MAIL__DOMAIN": "example.org",
        "MFA_GATE_NAME": "Files",
    }
    shell.enrolls("alice")
    shell.enrolls("admin")
    shell("users", "reset", "alice", "--reason", "lost phone")
    with subprocess.Popen(
        [PROGRAM, "--settings", str(shell.settings), "worker"],
        stdout=subprocess.PIPE,
        text=True,
        env=shell.environ,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Working")
            until(lambda: signed(shell))
            until(
                lambda: {"checkpoints", "repair", "expiry", "reminders", "notices"} <= last_runs(shell).keys()
            )
            until(lambda: "alice@example.org: Two-step was reset for your account at Files" in told(shell))
            until(lambda: "admin@example.org: Files: Reset" in told(shell))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
