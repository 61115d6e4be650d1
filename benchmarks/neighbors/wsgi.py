"""One request to a WSGI application that must answer 200, and what two of them take beside a signature check."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from itsdangerous import TimestampSigner

from benchmarks.rounds import in_turns

App = Callable[..., Iterable[bytes]]


def ask(app: App, environ: dict[str, Any]) -> None:
    """As a server would: with an environment of its own, to the last byte."""

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            raise RuntimeError(f"{environ['PATH_INFO']} was answered with {status}")
        return len

    answer = app(dict(environ), start_response)
    b"".join(answer)
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def report(what: str, bare: App, protected: App, environ: dict[str, Any]) -> str:
    """Microseconds that protection adds, and their ratio to a signature check, as JSON."""
    check = TimestampSigner("k" * 32, digest_method=hashlib.sha256)
    token = check.sign("a" * 10)
    times = asyncio.run(
        in_turns(
            {
                "check": lambda: check.unsign(token),
                "bare": lambda: ask(bare, environ),
                "protected": lambda: ask(protected, environ),
            },
            {},
            rounds=40,
            calls=100,
        )
    )
    return json.dumps(
        {
            "what": what,
            "added": times.added("protected", "bare"),
            "ratio": times.share("protected", "bare", "check"),
        }
    )
