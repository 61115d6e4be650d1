"""What happens when the quick way is not open. Either the portal has signed its cookie anew: then that is read, and the
facts are remembered. Or the facts are a second old, and nothing tells whether they still hold: then they are read
from the store, Redis on this machine, in a thread. Beside the second stands the least that any such gate would do:
one `GET` of the same server in a thread (`anyio.to_thread`). The server counts the scripts that it runs; a few of
them are the change feed's own. All take turns; CPU time of the thread for the first, the clock for the second, which
waits; median.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import anyio.to_thread
import redis

from benchmarks import browser
from benchmarks.rounds import in_turns
from benchmarks.rows import Row, at_most
from benchmarks.servers import redis_server, scripts_run
from mfa_gate import Gate
from tests.edges.town import Town, starlette_cookie

PLACE = 20
TITLE = "A verified request that the quick way does not know"
PARTS = ("redis",)

ROUNDS, CALLS = 60, 100
READS = 1_500


def measure() -> Iterator[Row]:
    """New cookies first, then new facts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_server(folder))
        town = Town.found(folder, time.time(), server.url)
        stack.callback(town.close)
        yield from asyncio.run(_measure(town, server.client()))


async def _measure(town: Town, client: "redis.Redis") -> list[Row]:
    now = time.time()
    alice = town.enroll("alice", now)
    town.require_two_step(now=now)
    session = town.session("alice", now)
    gate = Gate(town.settings())
    gated = gate.asgi(browser.asgi_app)
    try:
        return [
            *await _new_cookies(gated, session, now, client),
            *await _new_facts(gate, gated, session, alice.id, client),
        ]
    finally:
        gate.parts.close()


async def _new_cookies(gated: browser.App, session: str, now: float, client: "redis.Redis") -> list[Row]:
    made = [
        browser.scope(browser.cookie_line(starlette_cookie({"user": "alice"}, now), session))
        for _ in range(ROUNDS * (CALLS + 1) + 1)
    ]
    fresh = iter(made)
    await gated(next(fresh), browser.receive, browser.send)
    before = scripts_run(client)
    times = await in_turns(
        {},
        {
            "bare": lambda: browser.asgi_app(made[0], browser.receive, browser.send),
            "gated": lambda: gated(next(fresh), browser.receive, browser.send),
        },
        rounds=ROUNDS,
        calls=CALLS,
    )
    asked = (scripts_run(client) - before) / len(made)
    return [
        Row(
            what="A cookie that the portal has signed anew",
            figure=times.added("gated", "bare"),
            unit="µs",
            target=at_most(100),
        ),
        Row(
            what="… and what the store is asked",
            figure=round(asked, 2),
            unit="scripts",
            drawn=False,
            target=at_most(0.05),
        ),
    ]


async def _new_facts(
    gate: Gate, gated: browser.App, session: str, account: str, client: "redis.Redis"
) -> list[Row]:
    scope = browser.scope(browser.cookie_line(starlette_cookie({"user": "alice"}, time.time()), session))
    door = gate.parts.door()
    client.set("beside", "x" * 600)
    limiter = anyio.CapacityLimiter(door.threads)
    hop = partial(anyio.to_thread.run_sync, partial(client.get, "beside"), limiter=limiter)
    gets, reads = [], []
    await gated(scope, browser.receive, browser.send)
    before = scripts_run(client)
    for _ in range(READS):
        begun = time.perf_counter()
        await hop()
        between = time.perf_counter()
        door.cache.drop(account)
        await gated(scope, browser.receive, browser.send)
        gets.append(between - begun)
        reads.append(time.perf_counter() - between)
    asked = (scripts_run(client) - before) / READS
    ratio = median(read / get for read, get in zip(reads, gets, strict=True))
    return [
        Row(what="One GET in a thread", figure=median(gets) * 1e6, unit="µs"),
        Row(
            what="Facts are read anew",
            figure=median(reads) * 1e6,
            unit="µs",
            ratio=ratio,
            of="of that",
            target=at_most(2.5),
        ),
        Row(
            what="… and what the store is asked",
            figure=round(asked, 2),
            unit="scripts",
            drawn=False,
            target=at_most(1.05),
        ),
    ]
