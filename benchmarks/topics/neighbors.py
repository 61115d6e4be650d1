"""What others add to the same request (14 headers, 5 cookies, a session that has been verified) in WSGI:
`auth_required("session")` of Flask-Security on a page of Flask; sessions, `AuthenticationMiddleware` and `otp_required`
of django-otp on a page of Django; both as their documentation has it, their people in an SQLite file. They read the
person from the database each time and know more of them than the gate tells, which remembers for some seconds and
hears of changes. Each runs in a process of its own, held against a signature check that is measured there, in turns;
CPU time, median of 40 rounds of 100 calls.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import browser
from benchmarks.neighbors.wsgi import report
from benchmarks.rows import Missing, Row
from mfa_gate import Gate
from tests.edges.town import Town, starlette_cookie

PLACE = 30
TITLE = "Beside others"
PARTS = ()

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "neighbors.txt"
HOME = ROOT / "build" / "neighbors"
OTHERS = ("flask_security", "django_otp")


def measure() -> Iterator[Row]:
    """The gate and the others."""
    python = _installed()
    yield _row(_gate())
    for name in OTHERS:
        said = subprocess.run(
            [python, "-m", f"benchmarks.neighbors.{name}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        )
        yield _row(said.stdout)


def _row(said: str) -> Row:
    found = json.loads(said)
    return Row(what=found["what"], figure=found["added"], unit="µs", ratio=found["ratio"], of="of a check")


def _gate() -> str:
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        town = Town.found(Path(folder), now)
        town.enroll("alice", now)
        town.require_two_step(now=now)
        session = town.session("alice", now)
        gate = Gate(town.settings())
        try:
            cookies = browser.cookie_line(starlette_cookie({"user": "alice"}, now), session)
            return report(
                "The gate adds to any WSGI application",
                browser.wsgi_app,
                gate.wsgi(browser.wsgi_app),
                browser.environ(cookies),
            )
        finally:
            gate.parts.close()
            town.close()


def _installed() -> str:
    """The interpreter of an environment with what the lock names. Raises `Missing`."""
    python, stamp = HOME / "bin" / "python", HOME / "stamp"
    if not stamp.exists() or stamp.read_text("utf-8") != LOCK.read_text("utf-8"):
        uv = str(Path(sys.executable).with_name("uv"))
        try:
            subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, HOME], check=True)
            subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, LOCK], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(
                f"requirements/neighbors.txt cannot be installed into build/neighbors: {error}"
            ) from error
        stamp.write_text(LOCK.read_text("utf-8"), "utf-8")
    return str(python)
