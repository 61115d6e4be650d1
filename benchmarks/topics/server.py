"""The same request through uvicorn with uvloop and httptools, as `wrk` sends it over 32 connections to a small app of
Starlette: bare, bare once more, in a middleware that does nothing, and behind the gate with its store in Redis. Each
is started anew in five rounds, and of the rounds the median counts. How much two runs of the bare app differ tells how
far requests per second can be believed, and where that is too much, they are held against nothing: the machine had
other work. CPU time of the server's process for each request is steadier.

The gate costs several times more here than where it is called again and again with one request. There, the names of
the headers are the same objects each time, whose hashes Python has kept, and everything stays in the processor's
nearest cache. Here, each request brings new objects, to be hashed and compared byte by byte (what that alone costs is
measured above), and between two requests the server, the event loop and the system's network code go through the same
cache. To the middleware that does nothing, the same happens.
"""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import msgspec

from benchmarks import browser
from benchmarks.rows import Row, at_least, at_most
from benchmarks.servers import DURABLE, AppServer, need, redis_server, uvicorn
from tests.edges.town import PLAIN, SECRET, Town, starlette_cookie

PLACE = 40
TITLE = "Through a server"
PARTS = ("uvicorn", "uvloop", "httptools")

ROUNDS, SECONDS, CONNECTIONS = 5, 2, 32
STEADY = 1.5
"""How many times faster than another a round of the same app may be, for rates to be held against anything."""
APPS = {"bare": "bare", "bare again": "bare", "nothing": "nothing", "gated": "gated"}


class Run(msgspec.Struct, frozen=True):
    """What one start of one app bore."""

    per_second: float
    cpu_us: float


def measure() -> Iterator[Row]:
    """Rates and CPU time."""
    need("wrk", "apt-get install wrk")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cookies = _settle(place, stack.enter_context(redis_server(place, *DURABLE)).url)
        runs: dict[str, list[Run]] = {name: [] for name in APPS}
        for _ in range(ROUNDS):
            for name, factory in APPS.items():
                with uvicorn(place, factory) as server:
                    runs[name].append(_load(server, place, cookies))
    yield from _rates(runs)
    yield from _cpu(runs)


def _rates(runs: dict[str, list[Run]]) -> Iterator[Row]:
    def beside(name: str) -> list[float]:
        pairs = zip(runs[name], runs["bare"], strict=True)
        return [one.per_second / bare.per_second for one, bare in pairs]

    spread = beside("bare again")
    steady = max(spread) < STEADY * min(spread)
    said = {
        "bare": "Bare",
        "bare again": "Bare, once more",
        "nothing": "A middleware that does nothing",
        "gated": "The gate",
    }
    for name, what in said.items():
        yield Row(
            what=what,
            figure=median(run.per_second for run in runs[name]),
            unit="requests/s",
            ratio=None if name == "bare" else median(beside(name)),
            of=f"of bare ({min(beside(name)):.2f} to {max(beside(name)):.2f})" if name != "bare" else "",
            target=at_least(min(0.92, round(min(spread), 2))) if steady and name == "gated" else None,
        )


def _cpu(runs: dict[str, list[Run]]) -> Iterator[Row]:
    bare = median(run.cpu_us for run in runs["bare"] + runs["bare again"])
    yield Row(what="CPU of a bare request", figure=bare, unit="µs")
    for name, what in (("nothing", "A middleware that does nothing adds"), ("gated", "The gate adds")):
        pairs = zip(runs[name], runs["bare"], runs["bare again"], strict=True)
        yield Row(
            what=what,
            figure=median(one.cpu_us - (first.cpu_us + again.cpu_us) / 2 for one, first, again in pairs),
            unit="µs",
            target=at_most(10) if name == "gated" else None,
        )


def _settle(place: Path, url: str) -> str:
    """Make the gate's folder; the cookies of somebody who is verified."""
    now = time.time()
    town = Town.found(place, now, url)
    town.enroll("alice", now)
    town.require_two_step(now=now)
    cookies = browser.cookie_line(starlette_cookie({"user": "alice"}, now), town.session("alice", now))
    town.close()
    made = {"settings": PLAIN | {"store": {"url": url}}, "environ": {"PORTAL_SECRET": SECRET}}
    (place / "settings.json").write_text(json.dumps(made), "utf-8")
    return cookies


def _load(server: AppServer, place: Path, cookies: str) -> Run:
    script = place / "request.lua"
    named = [(name.title(), value) for name, value in (*browser.HEADERS, ("cookie", cookies))]
    lines = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in named)
    script.write_text(f"wrk.headers = {{{lines}}}\n", "utf-8")
    request = Request(f"http://127.0.0.1:{server.port}/files", headers=dict(named))
    with urlopen(request, timeout=30) as answer:  # the first one opens the store
        answer.read()
    _wrk(server.port, script, 1)
    before = server.cpu_seconds()
    said = _wrk(server.port, script, SECONDS)
    used = server.cpu_seconds() - before
    count = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if count is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk did not get through: {said}")
    return Run(per_second=float(rate[1]), cpu_us=used / int(count[1]) * 1e6)


def _wrk(port: int, script: Path, seconds: int) -> str:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
    return subprocess.run(
        [*command, f"http://127.0.0.1:{port}/files"], capture_output=True, check=True, text=True
    ).stdout
