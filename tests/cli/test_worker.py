"""`worker` does what is due, so that the trail is signed although no portal runs, and ends when it is told to."""

import signal
import subprocess

from tests.cli.demos import PROGRAM
from tests.cli.shell import Shell
from tests.waiting import until


def signed(shell: Shell) -> bool:
    with shell.gate() as gate:
        return gate.store.stream.reached().checkpoint is not None


def last_runs(shell: Shell) -> dict[str, int]:
    with shell.gate() as gate:
        return gate.store.last_runs()


def test_the_trail_is_signed_and_a_signal_ends_it(shell: Shell) -> None:
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
            until(lambda: {"checkpoints", "repair", "expiry", "reminders"} <= last_runs(shell).keys())
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
