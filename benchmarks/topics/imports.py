"""What `import mfa_gate` costs a process at its start, beside what a portal imports anyway: the class `Starlette`. Each
runs in 21 processes of its own, in turns; CPU time of the process less that of one which imports nothing, median.
Clients of Redis and OpenID Connect, templates and passkeys are imported once they are used, which a test holds.
"""

import os
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.rows import Row, at_most

PLACE = 60
TITLE = "Importing it"
PARTS = ()

ROUNDS = 21
CODE = {
    "nothing": "pass",
    "starlette": "from starlette.applications import Starlette",
    "gate": "import mfa_gate",
    "asgi": "import mfa_gate.asgi",
    "wsgi": "import mfa_gate.wsgi",
}


def measure() -> Iterator[Row]:
    """The gate, and the gate with either door."""
    taken: dict[str, list[float]] = {name: [] for name in CODE}
    for _ in range(ROUNDS):
        for name, code in CODE.items():
            taken[name].append(_cpu_ms(code))
    least = {name: median(times) - median(taken["nothing"]) for name, times in taken.items()}
    yield Row(what="from starlette.applications import Starlette", figure=least["starlette"], unit="ms")
    for name in ("gate", "asgi", "wsgi"):
        yield Row(
            what=CODE[name],
            figure=least[name],
            unit="ms",
            ratio=least[name] / least["starlette"],
            of="of Starlette",
            target=at_most(1.9) if name == "gate" else None,
        )


def _cpu_ms(code: str) -> float:
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"`{code}` failed")
    return (used.ru_utime + used.ru_stime) * 1e3
