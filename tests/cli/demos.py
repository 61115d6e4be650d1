"""The demo as anybody starts it: a process of its own on a free port, and the program beside it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("mfa-gate")
GRACE = 5.0

App = Literal["flask", "starlette"]
both = pytest.mark.parametrize("app", ["flask", "starlette"])


class Running:
    """A demo that has said where it is."""

    def __init__(self, process: subprocess.Popen[str], said: str) -> None:
        self.process = process
        self.said = said
        found = re.search(r"http://localhost:(\d+)", said)
        assert found is not None, said
        self.url, self.port = found[0], int(found[1])

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]

    def ends(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; how it ended, with every child, within five seconds."""
        children = self.children()
        deadline = time.monotonic() + GRACE
        self.process.send_signal(number)
        code = self.process.wait(timeout=GRACE)
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, f"of {children} somebody lives"
            time.sleep(0.01)
        return code


@contextmanager
def demo(app: App, data: Path, *words: str) -> Iterator[Running]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MFA_GATE_")}
    process = subprocess.Popen(
        [PROGRAM, "demo", "--app", app, "--port", "0", "--data", str(data), *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        cwd=data.parent,
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl+C"):
                break
        yield Running(process, said)
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def command(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    settings = str(data / "mfa-gate.toml")
    return subprocess.run(
        [PROGRAM, "--settings", settings, *words], capture_output=True, text=True, check=True, env={}
    )
