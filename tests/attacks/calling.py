"""Calls over real connections to a running server, as programs and browsers make them."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.edges.servers import PATIENCE_SECONDS, Served, status_of

ORIGIN = {"MFA-Gate-Request": "1", "Content-Type": "application/json"}


@dataclass
class Said:
    """One answer of the API."""

    status: int
    body: Any
    cookie: str


def call(served: Served, cookies: str, method: str, path: str, body: object = None) -> Said:
    """One call of the API, on a connection of its own. Raises `OSError` or `HTTPException` if it breaks off."""
    with closing(
        http.client.HTTPConnection("localhost", served.port, timeout=PATIENCE_SECONDS)
    ) as connection:
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"/mfa/api/v1/{path}", sent, {"Cookie": cookies, **ORIGIN})
        answer = connection.getresponse()
        text = answer.read()
        lines = [line for line in answer.msg.get_all("set-cookie") or [] if line.startswith("mfa_gate=")]
        return Said(answer.status, json.loads(text), lines[0].partition(";")[0] if lines else "")


def get(served: Served, cookies: str, target: str = "/files") -> int:
    """The status of one request."""
    return status_of(served.say(f"GET {target} HTTP/1.1", f"Cookie: {cookies}"))
