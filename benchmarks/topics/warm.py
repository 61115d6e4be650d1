"""A verified visitor's request, seconds after another: nearly all requests are of this kind. The request is that of a
browser, with 14 headers and 5 cookies, and the gate does all that it always does. What it adds is the time of the
wrapped application less that of the bare one. Beside it: one signature check (`TimestampSigner` with SHA-256 of a
60-byte cookie), and what Starlette's `SessionMiddleware` adds to the same application. All candidates take turns in
150 rounds of 300 calls; what counts is CPU time of the one thread, and of the rounds the median.
"""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from itsdangerous import TimestampSigner
from starlette.middleware.sessions import SessionMiddleware

from benchmarks import browser
from benchmarks.rounds import Times, in_turns
from benchmarks.rows import Row, at_most
from mfa_gate import Gate
from tests.edges.town import SECRET, Town, starlette_cookie

PLACE = 10
TITLE = "A verified request, warm"
PARTS = ()


def measure() -> Iterator[Row]:
    """Both doors, wrapped less bare."""
    with tempfile.TemporaryDirectory() as folder:
        town = Town.found(Path(folder), time.time())
        try:
            times = asyncio.run(_times(town))
        finally:
            town.close()
    yield Row(what="One signature check", figure=times.of("unsign"), unit="µs")
    sessions = times.added("sessions", "bare ASGI")
    yield Row(
        what="SessionMiddleware adds",
        figure=sessions,
        unit="µs",
        ratio=sessions / times.of("unsign"),
        of="of a check",
    )
    for door in ("ASGI", "WSGI"):
        yield Row(
            what=f"The gate adds in {door}",
            figure=times.added(f"gated {door}", f"bare {door}"),
            unit="µs",
            ratio=times.share(f"gated {door}", f"bare {door}", "unsign"),
            of="of a check",
            target=at_most(0.4),
        )
    yield Row(
        what="The gate adds in ASGI, to headers that are new objects",
        figure=times.added("gated anew", "bare anew"),
        unit="µs",
        ratio=times.share("gated anew", "bare anew", "unsign"),
        of="of a check",
        drawn=False,
    )
    yield Row(
        what="The gate adds in ASGI, beside SessionMiddleware",
        figure=times.added("gated ASGI", "bare ASGI"),
        unit="µs",
        ratio=times.share("gated ASGI", "bare ASGI", "sessions", "bare ASGI"),
        of="of what that adds",
        target=at_most(0.2),
        drawn=False,
    )


async def _times(town: Town) -> Times:
    now = time.time()
    town.enroll("alice", now)
    town.require_two_step(now=now)
    cookies = browser.cookie_line(starlette_cookie({"user": "alice"}, now), town.session("alice", now))
    gate = Gate(town.settings())
    scope, environ = browser.scope(cookies), browser.environ(cookies)
    gated, gated_wsgi = gate.asgi(browser.asgi_app), gate.wsgi(browser.wsgi_app)
    sessions = SessionMiddleware(browser.asgi_app, secret_key=SECRET)
    check = TimestampSigner("k" * 32, digest_method=hashlib.sha256)
    token = check.sign("a" * 10)
    receive, send = browser.receive, browser.send

    def start_response(*_: object) -> Callable[[bytes], object]:
        return len

    try:
        return await in_turns(
            {
                "unsign": lambda: check.unsign(token),
                "bare WSGI": lambda: browser.wsgi_app(dict(environ), start_response),
                "gated WSGI": lambda: gated_wsgi(dict(environ), start_response),
            },
            {
                "bare ASGI": lambda: browser.asgi_app(scope, receive, send),
                "gated ASGI": lambda: gated(scope, receive, send),
                "sessions": lambda: sessions({**scope}, receive, send),
                "bare anew": lambda: browser.asgi_app(browser.parsed_anew(scope), receive, send),
                "gated anew": lambda: gated(browser.parsed_anew(scope), receive, send),
            },
        )
    finally:
        gate.parts.close()
