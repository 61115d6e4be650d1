"""A code from an authenticator app, given over HTTP: one account for each code, all of them right, sent to uvicorn over
16 connections. It is durable once it is answered: the code is spent, the session opened and the event chained in one
commit. Beside it stands an app of Starlette that reads the same form and makes one commit of the same durability in a
thread: one `SET` in Redis (append-only file, `everysec`), one `INSERT` in SQLite (`synchronous = FULL`). They take
turns in rounds; median. What one core bears is requests for each second of CPU that the server's process used. Redis
counts the scripts that it runs, a few of the change feed's own among them: one reads the facts upon which the request
is let in, with all that a commit needs, and one commits.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import browser
from benchmarks.rows import Row, at_least, at_most
from benchmarks.servers import DURABLE, AppServer, redis_server, scripts_run, uvicorn
from tests.edges.holdings import SQLITE
from tests.edges.town import PLAIN, SECRET, Town, starlette_cookie

PLACE = 50
TITLE = "Verifications"
PARTS = ("uvicorn", "uvloop", "httptools", "redis")

ROUNDS, CODES, CONNECTIONS = 3, 80, 16
PATH = "/mfa/api/v1/verify"


class Run(msgspec.Struct, frozen=True):
    """One round of one app."""

    per_second: float
    per_core: float


def measure() -> Iterator[Row]:
    """Redis, then SQLite."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_server(place, *DURABLE))
        os.environ["BENCH_REDIS"] = server.url_of(1)
        client = server.client()
        forms = _settle(place, server.url)
        before = scripts_run(client)
        bare, verified = _rounds(place, forms, "commits_to_redis")
        asked = (scripts_run(client) - before) / len(forms)
        yield from _rows("Redis", bare, verified)
        yield Row(
            what="… and what Redis is asked for each",
            figure=round(asked, 1),
            unit="scripts",
            target=at_most(2.5),
        )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        yield from _rows("SQLite", *_rounds(place, _settle(place, SQLITE), "commits_to_sqlite"))


def _rows(store: str, bare: list[Run], verified: list[Run]) -> Iterator[Row]:
    ratio = median(one.per_second / other.per_second for one, other in zip(verified, bare, strict=True))
    yield Row(
        what=f"A form and one commit, {store}",
        figure=median(run.per_second for run in bare),
        unit="requests/s",
    )
    yield Row(
        what=f"A verification, {store}",
        figure=median(run.per_second for run in verified),
        unit="requests/s",
        ratio=ratio,
        of="of that",
        target=at_least(0.5),
    )
    yield Row(
        what="… of which one core bears",
        figure=median(run.per_core for run in verified),
        unit="requests/s",
        drawn=False,
    )


def _settle(place: Path, url: str) -> list[bytes]:
    """As many people as codes will be given; the requests with which they give them."""
    begun = time.time()
    town = Town.found(place, begun - 600, url)
    people = [town.enroll(f"person{number}", begun - 600) for number in range(ROUNDS * CODES)]
    town.require_two_step(now=begun - 600)
    town.close()
    made = {"settings": PLAIN | {"store": {"url": url}}, "environ": {"PORTAL_SECRET": SECRET}}
    (place / "settings.json").write_text(json.dumps(made), "utf-8")
    return [
        _form(starlette_cookie({"user": person.subject}, begun), person.code(time.time() + 15))
        for person in people
    ]


def _form(portal: str, code: str) -> bytes:
    body = json.dumps({"factor": "totp", "code": code})
    named = {**dict(browser.HEADERS), "cookie": f"theme=dark; lang=en; session={portal}"}
    named |= {"mfa-gate-request": "1", "content-type": "application/json", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n{body}".encode()


def _rounds(place: Path, forms: list[bytes], bare: str) -> tuple[list[Run], list[Run]]:
    with uvicorn(place, bare) as committing, uvicorn(place, "gated") as verifying:
        for server in (committing, verifying):
            asyncio.run(
                _give(server.port, [b"GET /mfa/api/v1/status HTTP/1.1\r\nhost: localhost:8000\r\n\r\n"])
            )
        runs: tuple[list[Run], list[Run]] = ([], [])
        for number in range(ROUNDS):
            part = forms[number * CODES : (number + 1) * CODES]
            runs[0].append(_run(committing, part))
            runs[1].append(_run(verifying, part))
        return runs


def _run(server: AppServer, forms: list[bytes]) -> Run:
    used, begun = server.cpu_seconds(), time.perf_counter()
    statuses = asyncio.run(_give(server.port, forms))
    took, used = time.perf_counter() - begun, server.cpu_seconds() - used
    if set(statuses) != {200}:
        raise RuntimeError(f"not every form was taken: {statuses}")
    return Run(per_second=len(forms) / took, per_core=len(forms) / max(used, 0.01))


async def _give(port: int, forms: Iterable[bytes]) -> list[int]:
    """Send all of them, each connection one after the other; the statuses of the answers."""
    waiting, statuses = iter(forms), list[int]()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for form in waiting:
            writer.write(form)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = head.partition("content-length: ")[2].partition("\r\n")[0]
            await reader.readexactly(int(length or 0))
            statuses.append(int(head.split()[1]))
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return statuses
