"""A canary portal behind one of the two doors, in this process, under the test's own clock; and people's clients."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from bs4 import BeautifulSoup, Tag

from mfa_gate.gate import Gate
from mfa_gate.wiring import Sources
from tests.edges.asking import NAVIGATION, Ask, DoorName, Got, Headers, ask_wsgi, asking
from tests.edges.holdings import SQLITE
from tests.edges.portal import Canary, Seen
from tests.edges.town import NOW, Person, Town, flask_cookie, starlette_cookie
from tests.forms import untouched

HOME = "http://localhost:8000"
COOKIE = "mfa_gate"


class Clock:
    """Wall clock and monotonic clock in one; it stands until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Rig:
    """One gate around a canary. `town` is the same store, written to from outside."""

    def __init__(self, door: DoorName, town: Town, **settings: Any) -> None:  # noqa: ANN401
        self.door = door
        self.town = town
        self.clock = Clock()
        self.canary = Canary()
        self.settings = town.settings(**settings)
        self.gate = Gate(
            self.settings, sources=Sources(clock=self.clock, monotonic=self.clock, random=os.urandom)
        )
        self.asgi = self.gate.asgi(self.canary.asgi)
        self.wsgi = self.gate.wsgi(self.canary.wsgi)
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Release what is open."""
        self._runner.close()
        self.gate.parts.close()
        self.town.close()

    @property
    def source(self) -> str:
        """The name of the first identity source."""
        return self.settings.identity[0].source

    @property
    def seen(self) -> list[Seen]:
        """What reached the portal."""
        return self.canary.seen

    def ask(self, ask: Ask, *, may_read: bool = True) -> Got:
        """Put a request to the door."""
        if self.door == "wsgi":
            return ask_wsgi(self.wsgi, ask, may_read=may_read)
        return self._runner.run(asking(self.asgi, ask, may_read=may_read))

    def get(self, target: str, *headers: tuple[str, str], cookies: Iterable[str] = (), **more: Any) -> Got:  # noqa: ANN401
        """Put a request with these cookies to the door; a GET, if nothing else is said."""
        line = "; ".join(cookies)
        sent = (*headers, *((("Cookie", line),) if line else ()))
        return self.ask(Ask(target=target, headers=sent, **more))

    def portal_cookie(self, user: str, **session: Any) -> str:  # noqa: ANN401
        """A new sign-in of somebody to the portal, as a cookie."""
        make = flask_cookie if self.source == "flask_session" else starlette_cookie
        return f"session={make({'user': user, **session}, self.clock())}"

    def gate_cookie(self, user: str, **more: Any) -> str:  # noqa: ANN401
        """A new session of somebody with the gate, as a cookie."""
        source = more.pop("source", self.source)
        value = self.town.session(user, self.clock(), source=source, **more)
        return f"{self.settings.cookie_name}={value}"

    def browser_cookie(self, user: str) -> str:
        """What a browser of somebody's holds that was remembered now."""
        return f"{self.settings.cookie_name}_browser={self.town.remembered(user, self.clock())}"

    def person(self, user: str) -> Person:
        """Somebody who has two-step."""
        return self.town.people[user]

    def client(self, user: str | None, *, verified: bool = False, **more: Any) -> "Client":  # noqa: ANN401
        """A client in which somebody is signed in to the portal, and perhaps verified."""
        return Client(self, user, verified=verified, **more)

    def requires(self, *, on: bool = True, **changes: Any) -> None:  # noqa: ANN401
        """Turn the policy on or off, from another process, and wait until it is seen."""
        self.town.require_two_step(on=on, now=self.clock(), **changes)
        self.clock.go(5)


class Client:
    """A browser or program with cookies. `ask` sends what it is told; `api`, `page` and `submit` use our pages."""

    def __init__(
        self, rig: Rig, user: str | None, *, verified: bool = False, peer: str = "192.0.2.7"
    ) -> None:
        self.rig = rig
        self.user = user
        self.peer = peer
        self.jar: dict[str, str] = {}
        self.last: Got | None = None
        if user is not None:
            self.sign_in(user)
        if user is not None and verified:
            name, _, value = rig.gate_cookie(user).partition("=")
            self.jar[name] = value

    def sign_in(self, user: str, **session: Any) -> None:  # noqa: ANN401
        """Another sign-in to the portal in the same browser."""
        self.user = user
        name, _, value = self.rig.portal_cookie(user, **session).partition("=")
        self.jar[name] = value

    @property
    def session(self) -> str:
        """The value of the gate's own cookie; empty if there is none."""
        return self.jar.get(self.rig.settings.cookie_name, "")

    @property
    def cookies(self) -> Headers:
        """The `Cookie` line, if there is one."""
        line = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return (("Cookie", line),) if line else ()

    def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"", **more: Any) -> Got:  # noqa: ANN401
        """Send a request as it is, with the cookies."""
        sent = Ask(
            method=method, target=target, headers=(*headers, *self.cookies), body=body, peer=self.peer, **more
        )
        got = self.rig.ask(sent)
        self._keep(got)
        self.last = got
        return got

    def get(self, target: str = "/files", *headers: tuple[str, str]) -> Got:
        """A program's GET."""
        return self.ask("GET", target, headers)

    def visit(self, target: str = "/files", *headers: tuple[str, str]) -> Got:
        """A browser that follows a link; it follows no redirect."""
        return self.ask("GET", target, (*NAVIGATION, *headers))

    def api(self, method: str, path: str, body: object = None, *headers: tuple[str, str]) -> Got:
        """A call of the JSON API, by a program that sends no Origin."""
        sent = b"" if body is None and method == "GET" else msgspec.json.encode({} if body is None else body)
        more: Headers = (("MFA-Gate-Request", "1"), ("Content-Type", "application/json")) if sent else ()
        return self.ask(method, f"/mfa/api/v1/{path}", (*headers, *more), sent)

    def verify(self, code: str, factor: str = "totp", *headers: tuple[str, str]) -> Got:
        """Give a code through the API."""
        return self.api("POST", "verify", {"factor": factor, "code": code}, *headers)

    def page(self, path: str, *, follow: bool = True) -> Got:
        """Open a page, and follow where it leads."""
        got = self.visit(path)
        for _ in range(6):
            if not follow or got.status not in {302, 303, 307}:
                break
            got = self.visit(got.header("location"))
        return got

    @property
    def soup(self) -> BeautifulSoup:
        """The page that was last shown."""
        assert self.last is not None
        return BeautifulSoup(self.last.text, "html.parser")

    def form(self, action: str) -> dict[str, str]:
        """The fields with which the page's form for `action` (below the mount) comes."""
        form = self.soup.find("form", action=f"/mfa/{action}")
        assert isinstance(form, Tag), f"no form for {action}: {self.soup.get_text(' ', strip=True)[:300]}"
        return untouched(form)

    def post(self, path: str, fields: dict[str, str], *headers: tuple[str, str]) -> Got:
        """Send a form as it is given, from a page of the portal's own origin."""
        sent = (
            *NAVIGATION[:2],
            ("Sec-Fetch-Site", "same-origin"),
            ("Origin", HOME),
            ("Content-Type", "application/x-www-form-urlencoded"),
            *headers,
        )
        return self.ask("POST", path, sent, urlencode(fields).encode())

    def submit(self, action: str, **fields: str) -> Got:
        """Fill in the page's form for `action` and send it."""
        return self.post(f"/mfa/{action}", self.form(action) | fields)

    def _keep(self, got: Got) -> None:
        for line in got.values("set-cookie"):
            pair, _, attributes = line.partition(";")
            name, _, value = pair.partition("=")
            if "max-age=0" in attributes.lower():
                self.jar.pop(name.strip(), None)
            else:
                self.jar[name.strip()] = value


def found(place: Path, now: float = NOW, url: str = SQLITE) -> Town:
    """A town: root and help administer, alice and bob have two-step, carol has none, dave is exempt."""
    town = Town.found(place, now, url)
    for name in ("root", "help", "alice", "bob"):
        town.enroll(name, now)
    town.meet("carol", now)
    town.exempt("dave", now)
    return town
