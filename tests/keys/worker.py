"""A process behind a gate in which people come back and give recovery codes, until its input ends.

`worker.py SETTINGS` reads people as JSON from its first line of input, and says at the end what went wrong.
"""

import json
import select
import sys
import time
from collections.abc import Iterable
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

from mfa_gate import Gate


def portal(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"portal"]


class Visitors:
    """People in front of one gate. `cookies` holds everybody's session cookie."""

    def __init__(self, settings: str, people: dict[str, dict[str, Any]]) -> None:
        self.app = Gate.from_toml(settings).wsgi(portal)
        self.people = people
        self.cookies = {name: person["cookie"] for name, person in people.items()}
        self.wrong: list[str] = []
        self.requests = self.verified = 0

    def ask(
        self, user: str, path: str, body: dict[str, str] | None = None
    ) -> tuple[str, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        environ: dict[str, Any] = {"REMOTE_USER": user, "PATH_INFO": path, "HTTP_HOST": "localhost:8000"}
        if self.cookies[user]:
            environ["HTTP_COOKIE"] = f"mfa_gate={self.cookies[user]}"
        if body is not None:
            raw = json.dumps(body).encode()
            environ |= {
                "REQUEST_METHOD": "POST",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(raw)),
                "HTTP_MFA_GATE_REQUEST": "1",
                "wsgi.input": BytesIO(raw),
            }
        setup_testing_defaults(environ)
        said: list[Any] = []

        def start(status: str, headers: Any, _: Any = None) -> Any:  # noqa: ANN401
            said.extend((status, headers))
            return len

        answer = self.app(environ, start)
        try:
            content = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        return said[0], {name.lower(): value for name, value in said[1]}, content

    def comes_back(self, user: str) -> None:
        """Somebody who is signed in asks for a page."""
        status, _, content = self.ask(user, "/files")
        self.requests += 1
        if not status.startswith("200") or content != b"portal":
            self.wrong.append(f"{user} was signed out: {status} {content[:200]!r}")

    def verifies(self, user: str) -> None:
        """Somebody gives their next recovery code, and goes on with the new session."""
        code = self.people[user]["codes"].pop()
        status, headers, content = self.ask(
            user, "/mfa/api/v1/verify", {"factor": "recovery_code", "code": code}
        )
        self.verified += 1
        if not status.startswith("200"):
            self.wrong.append(f"{user} could not verify: {status} {content[:200]!r}")
            return
        self.cookies[user] = headers["set-cookie"].partition("mfa_gate=")[2].partition(";")[0]


def main(settings: str) -> None:
    visitors = Visitors(settings, json.loads(sys.stdin.readline()))
    names = list(visitors.people)
    turn, next_code = 0, 0.0
    while not select.select([sys.stdin], [], [], 0)[0]:
        user = names[turn % len(names)]
        visitors.comes_back(user)
        if time.monotonic() > next_code and visitors.people[user]["codes"]:
            visitors.verifies(user)
            next_code = time.monotonic() + 0.05
        turn += 1
        if turn == len(names):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
    result = {
        "requests": visitors.requests,
        "verified": visitors.verified,
        "wrong": visitors.wrong[:20],
        "cookies": visitors.cookies,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
