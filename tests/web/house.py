"""A portal behind the real gate, real store and real pages, under the test's own clock, and browsers that visit it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

import pyotp
from bs4 import BeautifulSoup, Tag
from httpx2 import Response
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.responses import Response as PortalResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.gate import Gate
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Change, Store
from mfa_gate.settings import Settings
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from mfa_gate.wiring import Sources, build_door
from tests.forms import untouched
from tests.offices import offices_of

NOW = 1_800_000_000 - 1_800_000_000 % 30
HOME = "http://localhost:8000"
PEOPLE = {"root": "Robin Root", "help": "Harper Help", "alice": "Alice Moreau", "bob": "Bob Tanaka"}
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
RULES = [
    {"kind": "sign_in", "path": "/login"},
    {"kind": "sign_out", "path": "/logout"},
    {"kind": "public", "path": "/static/"},
    {"kind": "step_up", "path": "/archive/", "max_age": 300},
    {"kind": "step_up", "path": "/password", "methods": ["POST"], "max_age": 300},
]


@dataclass
class Clock:
    """Wall clock and monotonic clock in one; it stands until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Faulty:
    """A store that fails where it is told to: `failures` maps names of its verbs to errors, `*` means all of them."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.store_id = store.store_id
        self.failures: dict[str, Exception] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name in _PARTS:
            return _FaultyPart(self, getattr(self._store, name))
        self.fail(name)
        return getattr(self._store, name)

    def fail(self, verb: str) -> None:
        """Raise what this verb is to fail with, if it is."""
        error = self.failures.get(verb) or self.failures.get("*")
        if error is not None:
            raise error


_PARTS = ("notices", "snapshots", "roster", "seals", "stream")
"""What a store has verbs in, and is handed out before anybody asks for something."""


class _FaultyPart:
    """A part of a store whose verbs fail with the others."""

    def __init__(self, whole: Faulty, part: Any) -> None:  # noqa: ANN401
        self._whole = whole
        self._part = part

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        self._whole.fail(name)
        return getattr(self._part, name)


class House:
    """One gate around a canary portal that remembers what reached it; `store` is a door of the test's own."""

    def __init__(self, place: Path, *, home: str = HOME, **settings: Any) -> None:  # noqa: ANN401
        self.home = home
        self.clock = Clock()
        self.reached: list[str] = []
        self.settings = _settings(place, home, settings)
        keys = KeyRing.generate(os.urandom)
        keys.write(place / "keys.json")
        self.store = SqliteStore.create(
            place / "gate.db",
            sealer=Sealer({key.id: key.secret for key in keys.seal}, keys.seal[-1].id, os.urandom),
            audit_key=keys.audit[-1].secret,
            store_id="house",
            now=int(self.clock()),
        )
        sources = Sources(clock=self.clock, monotonic=self.clock, random=os.urandom)
        self._pepper = keys.pepper[-1].secret
        self.gate = Gate(_settings(place, home, settings), sources=sources)
        self.faulty = Faulty(self.store)
        self.gate.parts.current = build_door(self.gate.settings, keys, cast("Store", self.faulty), sources)
        self.app = self.gate.asgi(
            Starlette(routes=[Route("/{path:path}", self._portal, methods=["GET", "POST"])])
        )

    def close(self) -> None:
        """Release the store's files."""
        self.store.close()

    def browser(self, user: str | None = None) -> "Browser":
        """A browser in which `user` is signed in to the portal."""
        return Browser(self, user)

    def enrolled(self, user: str) -> "Browser":
        """A browser in which `user` has just set up two-step."""
        browser = self.browser(user)
        browser.enroll()
        return browser

    def account(self, user: str) -> Account:
        """What the store says of somebody."""
        found = self.store.account(account_id("portal", user))
        assert found is not None
        return found

    def id_of(self, user: str) -> str:
        """Somebody's account id."""
        return account_id("portal", user)

    def sessions(self, user: str) -> tuple[str, ...]:
        """Keys of somebody's sessions."""
        return tuple(each.key for each in self.store.sessions(self.id_of(user), int(self.clock())))

    def events(self, user: str) -> list[str]:
        """What is recorded of somebody, oldest first."""
        found = self.store.events(account_id=account_id("portal", user), kind=None, before=None, limit=500)
        return [recorded.event.kind for recorded in reversed(found)]

    def commit(self, account: Account) -> None:
        """Write an account as it is given."""
        self.store.commit(Change(account=account), int(self.clock()))
        self.clock.go(1)

    def require_two_step(self, *, on: bool = True) -> None:
        """Turn the policy on or off at the store."""
        policy = replace(self.store.policy(), require_two_step=on)
        self.store.commit_policy(policy, (), int(self.clock()))
        self.clock.go(1)

    def make_setup_code(self, user: str) -> str:
        """What `mfa-gate admin-code` prints for an administrator."""
        return offices_of(self.store, self._pepper, self.gate.settings.is_admin).setup_code(
            user, self.clock()
        )

    async def _portal(self, request: Request) -> PortalResponse:
        self.reached.append(request.url.path)
        return PlainTextResponse("confidential")


def _settings(place: Path, home: str, more: dict[str, Any]) -> Settings:
    plain = {
        "public_url": home,
        "name": "Example Files",
        "trusted_proxies": ["127.0.0.1"],
        "keys": {"file": "keys.json"},
        "store": {"url": "sqlite:gate.db"},
        "identity": [{"source": "header", "name": "X-Portal-User", "name_header": "X-Portal-Name"}],
        "admin": {"admins": ["root"], "help_desk": ["help"], "setup_code": False},
        "portal": {"rules": RULES, "sign_in_url": "/login?next={next}"},
    }
    return Settings.from_mapping(plain | more, place, environ={})


class Browser:
    """A browser on this machine: it keeps cookies, says where requests come from, and sends the forms it is shown."""

    def __init__(self, house: House, user: str | None) -> None:
        self.house = house
        self.user = user
        self.client = TestClient(
            house.app, base_url=house.home, follow_redirects=False, client=("127.0.0.1", 50_000)
        )
        self.last: Response | None = None
        self.secret = ""
        self.recovery_codes: tuple[str, ...] = ()

    @property
    def page(self) -> BeautifulSoup:
        """The page that is shown."""
        assert self.last is not None
        return BeautifulSoup(self.last.text, "html.parser")

    @property
    def heading(self) -> str:
        """What the page is about."""
        heading = self.page.find("h1")
        return heading.get_text(" ", strip=True) if heading else ""

    @property
    def words(self) -> str:
        """Everything that the page says."""
        return " ".join(self.page.get_text(" ").split())

    def headers(self, more: Mapping[str, str] = NO_HEADERS) -> dict[str, str]:
        """What a browser sends when somebody follows a link, and `more`."""
        names = (
            {}
            if self.user is None
            else {"X-Portal-User": self.user, "X-Portal-Name": PEOPLE.get(self.user, "")}
        )
        return {
            "Accept": "text/html,*/*;q=0.8",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": "same-origin",
            **names,
            **more,
        }

    def get(self, path: str, more: Mapping[str, str] = NO_HEADERS, *, follow: bool = True) -> Response:
        """Go to an address."""
        self.last = self.client.get(path, headers=self.headers(more))
        while follow and self.last.status_code in {302, 303, 307}:
            self.last = self.client.get(self.last.headers["location"], headers=self.headers(more))
        return self.last

    def post(
        self,
        path: str,
        fields: Mapping[str, str],
        more: Mapping[str, str] = NO_HEADERS,
        *,
        follow: bool = True,
    ) -> Response:
        """Send a form as it is given, from a page of the portal's own origin."""
        answer = self.client.post(
            path, data=fields, headers=self.headers({"Origin": self.house.home, **more})
        )
        self.last = answer
        if follow and answer.status_code == 303:
            self.get(answer.headers["location"])
        return answer

    def form(self, action: str) -> dict[str, str]:
        """The fields with which the page's form for `action` (below the mount) comes."""
        form = self.page.find("form", action=f"/mfa/{action}")
        assert isinstance(form, Tag), f"no form for {action} on {self.heading!r}: {self.words[:400]}"
        return untouched(form)

    def submit(self, action: str, *, follow: bool = True, **fields: str) -> Response:
        """Fill in the page's form for `action` and send it."""
        return self.post(f"/mfa/{action}", self.form(action) | fields, follow=follow)

    def code(self, *, steps: int = 0) -> str:
        """What this person's app shows now, or some steps of 30 seconds later."""
        return pyotp.TOTP(self.secret).at(int(self.house.clock()) + 30 * steps)

    def next_code(self) -> str:
        """A code that was never used: the next one, once it is shown."""
        self.house.clock.go(30)
        return self.code()

    def enroll(self, *, setup_code: str | None = None) -> Response:
        """Go through the wizard up to the recovery codes, from wherever it was asked for."""
        if self.last is None or not self.heading.startswith("Protect your account"):
            self.get("/mfa/setup")
        fields = self.form("setup/choose") | ({} if setup_code is None else {"setup_code": setup_code})
        self.post("/mfa/setup/choose", fields)
        key = self.page.find(id="key")
        assert key is not None, self.words
        self.secret = "".join(key.get_text().split())
        answer = self.submit("setup/confirm", code=self.code())
        self.recovery_codes = tuple(each.get_text() for each in self.page.select("#codes li"))
        return answer

    def verify(self, path: str = "/mfa/verify") -> Response:
        """Confirm with the next code of the app, where a page asks for it."""
        self.get(path)
        return self.submit("verify", code=self.next_code())

    def signed_in_as(self, user: str | None) -> "Browser":
        """The same browser after somebody else signed in to the portal."""
        self.user = user
        return self


def path_of(response: Response) -> str:
    """Where a redirect leads, on the portal's own origin."""
    parts = urlsplit(response.headers["location"])
    assert not parts.netloc, parts
    return parts.path + (f"?{parts.query}" if parts.query else "")
