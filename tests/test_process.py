"""A gate that runs notices what happens beside its store: a store that fell back, new keys, a fork."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate import Gate
from mfa_gate.core.messages import GateRequest
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing
from mfa_gate.opening import checkpointer
from tests.cli.conftest import bare, shell
from tests.cli.shell import Shell
from tests.waiting import until

__all__ = ["bare", "shell"]


def watches() -> int:
    """How many gates of this process are looked after; other tests may have left theirs."""
    return [thread.name for thread in threading.enumerate()].count("mfa-gate-watch")


class Running:
    """One process of a gate."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.watched_before = watches()
        self.gate = Gate.from_toml(shell.settings)

    def answers(self) -> bool:
        """Whether somebody would be judged, and not told to come back later."""
        request = GateRequest(method="GET", path="/files", headers=(("host", "localhost:8000"),))
        verdict = self.gate.parts.door().checker.check(request, look="fresh")
        return type(verdict.decision).__name__ != "Unavailable"

    def end(self) -> None:
        self.gate.parts.close()
        assert watches() == self.watched_before


@pytest.fixture
def running(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    for name, value in shell.environ.items():
        monkeypatch.setenv(name, value)
    shell.now = int(time.time())
    running = Running(shell)
    assert running.answers()
    yield running
    running.end()


def sign(shell: Shell) -> None:
    with shell.gate() as gate:
        keyed = Keyed.of(KeyRing.load(shell.folder / "mfa-gate.keys"), lambda _: b"")
        checkpointer(gate.settings, keyed, gate.store, shell.sources()).tick(shell.now)


def test_j16_a_store_put_back_while_it_runs_is_503_and_heals_once_the_loss_is_accepted(
    running: Running,
) -> None:
    shell = running.shell
    store, copy = shell.folder / "store" / "mfa-gate.db", shell.folder.parent / "copy"
    shell("backup", str(copy))
    shell.enrolls("alice")
    sign(shell)
    for path in store.parent.glob("mfa-gate.db*"):
        path.unlink()
    shutil.copy(copy, store)
    until(lambda: not running.answers())
    assert not running.answers()
    shell("restore", "--accept-loss", "--reason", "tested")
    until(running.answers)


def unattributed(shell: Shell) -> dict[tuple[str, str], int]:
    """What Settings, Policies says of traffic that nobody can be named for."""
    with shell.gate() as gate:
        return dict(gate.reporting.impact(shell.now).unattributed)


def test_one_request_of_nobody_is_counted_without_another_one(running: Running) -> None:
    until(lambda: unattributed(running.shell) == {("/files", "none"): 1})


def test_a_process_that_ends_brings_its_counters_to_the_store(running: Running) -> None:
    until(lambda: unattributed(running.shell) == {("/files", "none"): 1})
    assert running.answers()
    running.end()
    assert unattributed(running.shell) == {("/files", "none"): 2}


def test_an_emptied_store_is_503(running: Running) -> None:
    store = running.shell.folder / "store"
    store.rename(store.with_name("elsewhere"))
    assert not running.answers()
    store.with_name("elsewhere").rename(store)
    assert running.answers()


def test_the_anchor_is_carried_on_by_every_process(running: Running, shell: Shell) -> None:
    anchor = shell.folder / "anchor" / "mfa-gate.anchor"
    shell.now -= 60  # old enough to be durable, for whoever did not write it
    kept = anchor.read_bytes()
    sign(shell)
    anchor.write_bytes(kept)
    until(lambda: anchor.read_bytes() != kept)


def test_a_child_of_a_fork_has_a_watch_of_its_own(running: Running) -> None:
    child = os.fork()
    if not child:
        answered = running.answers()
        names = [thread.name for thread in threading.enumerate()]
        os._exit(0 if answered and names.count("mfa-gate-watch") == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_whoever_imports_the_package_pays_for_no_cryptography(tmp_path: Path) -> None:
    code = "import sys, mfa_gate; assert not any(name.startswith('cryptography') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
