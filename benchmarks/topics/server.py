"""The same request through uvicorn with uvloop and httptools, as `wrk` sends it over 32 connections to a small app of
Starlette: bare, bare once more, in a middleware that does nothing, and behind the gate with its store in Redis. The
four stand side by side, on one core of the processor, and `wrk` on another, and are loaded for a second each, in turns:
what slows the machine for longer than that slows all of them. Five times they are started anew. Each figure is held
against that of the bare app in the same turn; what counts is the median of each start, and of the starts again. How
much two runs of the bare app differ tells how far requests per second can be believed, and where that is too much, they
are held against nothing. CPU time of the server's process, its threads included, for each request is steadier.

The gate costs more here than where it is called again and again with one request, and how much more hangs on what else
the processor does. There, the names of the headers are the same objects each time, whose hashes Python has kept, and
everything stays in the nearest cache. Here, each request brings new objects, to be hashed and compared byte by byte
(what that alone costs is measured above), and between two requests the server, the event loop and the system's network
code go through the same cache: on a machine with nothing else to do, half as much again; where other processes take the
core after each request, and everything must be fetched from memory anew, several times as much, as for the server's own
code. A server that is busy all the time is the usual case.
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

import msgspec

from benchmarks import browser
from benchmarks.rows import Row, at_least, at_most
from benchmarks.servers import DURABLE, AppServer, need, on_core, redis_server, uvicorn
from tests.edges.town import PLAIN, SECRET, Town, starlette_cookie

PLACE = 40
TITLE = "Through a server"
PARTS = ("uvicorn", "uvloop", "httptools")

STARTS, TURNS, CONNECTIONS = 5, 6, 32
STEADY = 1.5
"""How many times faster than another a start of the same app may be, for rates to be held against anything."""
APPS = {"bare": "bare", "bare again": "bare", "nothing": "nothing", "gated": "gated"}
FOR_SERVERS, FOR_LOAD = 0, 1
"""Cores."""


class Turn(msgspec.Struct, frozen=True):
    """What one app bore in one turn."""

    per_second: float
    cpu_us: float


Start = dict[str, list[Turn]]
"""By app, turn for turn."""


def measure() -> Iterator[Row]:
    """Rates and CPU time."""
    need("wrk", "apt-get install wrk")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cookies = _settle(place, stack.enter_context(redis_server(place, *DURABLE)).url)
        starts = [_start(place, cookies) for _ in range(STARTS)]
    yield from _rates(starts)
    yield from _cpu(starts)


def _start(place: Path, cookies: str) -> Start:
    with ExitStack() as stack:
        with on_core(FOR_SERVERS):
            servers = {name: stack.enter_context(uvicorn(place, factory)) for name, factory in APPS.items()}
        script = _script(place, cookies)
        for server in servers.values():
            _warm(server, script)
        turns: Start = {name: [] for name in APPS}
        order = list(APPS)
        for _ in range(TURNS):
            for name in order:
                turns[name].append(_load(servers[name], script))
            order.append(order.pop(0))
        return turns


def _rates(starts: list[Start]) -> Iterator[Row]:
    def beside(name: str) -> list[float]:
        return [
            median(
                one.per_second / bare.per_second for one, bare in zip(start[name], start["bare"], strict=True)
            )
            for start in starts
        ]

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
            figure=median(turn.per_second for start in starts for turn in start[name]),
            unit="requests/s",
            ratio=None if name == "bare" else median(beside(name)),
            of=f"of bare ({min(beside(name)):.2f} to {max(beside(name)):.2f})" if name != "bare" else "",
            target=at_least(min(0.92, round(min(spread), 2))) if steady and name == "gated" else None,
        )


def _cpu(starts: list[Start]) -> Iterator[Row]:
    def added(start: Start, name: str) -> float:
        turns = zip(start[name], start["bare"], start["bare again"], strict=True)
        return median(one.cpu_us - (bare.cpu_us + again.cpu_us) / 2 for one, bare, again in turns)

    bare = median(turn.cpu_us for start in starts for turn in start["bare"] + start["bare again"])
    yield Row(what="CPU of a bare request", figure=bare, unit="µs")
    for name, what in (("nothing", "A middleware that does nothing adds"), ("gated", "The gate adds")):
        yield Row(
            what=what,
            figure=median(added(start, name) for start in starts),
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


def _script(place: Path, cookies: str) -> Path:
    """The request, for `wrk`."""
    script = place / "request.lua"
    lines = ", ".join(
        f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in _headers(cookies).items()
    )
    script.write_text(f"wrk.headers = {{{lines}}}\n", "utf-8")
    return script


def _headers(cookies: str) -> dict[str, str]:
    return {name.title(): value for name, value in (*browser.HEADERS, ("cookie", cookies))}


def _warm(server: AppServer, script: Path) -> None:
    """The first requests open the store, and the jobs of the process have their first turn."""
    for _ in range(2):
        _wrk(server, script)


def _load(server: AppServer, script: Path) -> Turn:
    before = server.cpu_seconds()
    said = _wrk(server, script)
    used = server.cpu_seconds() - before
    count = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if count is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk did not get through: {said}")
    return Turn(per_second=float(rate[1]), cpu_us=used / int(count[1]) * 1e6)


def _wrk(server: AppServer, script: Path) -> str:
    """One second."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", "-s", str(script)]
    with on_core(FOR_LOAD):
        return subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}/files"], capture_output=True, check=True, text=True
        ).stdout
