"""With the policy off the portal answers as it did before there was a gate; what nobody is named for is counted."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from examples.flask_app import portal as flask_portal
from examples.starlette_app import portal as starlette_portal
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.flows.traffic import FLUSH_SECONDS, MAX_PAIRS
from tests.edges.asking import NAVIGATION, Ask, DoorName, Got, Headers, ask_asgi, ask_wsgi
from tests.edges.fixtures import Build
from tests.edges.rig import Rig
from tests.edges.town import RULES, SECRET, basic

FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
STEPS: list[tuple[str, str, Headers, bytes]] = [
    ("GET", "/", NAVIGATION, b""),
    ("GET", "/files", NAVIGATION, b""),
    ("GET", "/files", (), b""),
    ("GET", "/api/files", (), b""),
    ("GET", "/login?next=/files%3Fa%3Db", NAVIGATION, b""),
    ("POST", "/login", FORM, b"username=alice&password=wrong"),
    ("GET", "/files", (basic("bob"),), b""),
    ("GET", "/api/files", (basic("bob"), ("Accept", "application/json")), b""),
    ("GET", "/api/files", (basic("bob", "wrong"),), b""),
    ("PUT", "/files/notes.txt", (basic("carol"),), b"from carol"),
    ("GET", "/static/portal.css", (), b""),
    ("HEAD", "/static/portal.css", (), b""),
    ("GET", "/static/nothing.css", (), b""),
    ("POST", "/login", (*FORM, *NAVIGATION), b"username=alice&password=demo&next=%2Ffiles"),
    ("GET", "/files", NAVIGATION, b""),
    ("HEAD", "/files", (), b""),
    ("OPTIONS", "/files", (), b""),
    ("OPTIONS", "/files", (("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT")), b""),
    ("DELETE", "/files", (), b""),
    ("PROPFIND", "/files", (), b""),
    ("GET", "/files/report.txt", (), b""),
    ("GET", "/files/report.txt?x=%20&y", (("Range", "bytes=0-9"),), b""),
    ("GET", "/files/no%20such%20file%C3%A9", (), b""),
    ("PUT", "/files/more.txt", (), b"x" * 100_000),
    ("GET", "/files/more.txt", (), b""),
    ("GET", "/archive/", NAVIGATION, b""),
    ("GET", "/archive", NAVIGATION, b""),
    ("GET", "/files/", NAVIGATION, b""),
    ("GET", "/nowhere?a=1", NAVIGATION, b""),
    ("GET", "/files", (("Cookie", "session=garbage"),), b""),
    ("GET", "/files", (basic("bob"),), b""),
    ("GET", "/files", (("X-Forwarded-Host", "evil.example"), ("X-Forwarded-For", "1.2.3.4")), b""),
    ("POST", "/login", FORM, b"username=bob&password=demo"),
    ("GET", "/files", NAVIGATION, b""),
    ("POST", "/logout", FORM, b""),
    ("GET", "/files", NAVIGATION, b""),
]


class Browser:
    """Cookies of one portal."""

    def __init__(self, ask: Callable[[Ask], Got]) -> None:
        self._ask = ask
        self._jar: dict[str, str] = {}

    def go(self, method: str, target: str, headers: Headers, body: bytes) -> Got:
        line = "; ".join(f"{name}={value}" for name, value in self._jar.items())
        sent = headers if dict(headers).get("Cookie") else (*headers, *((("Cookie", line),) if line else ()))
        got = self._ask(Ask(method=method, target=target, headers=sent, body=body))
        for cookie in got.values("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._jar[name] = value
        return got


def told(got: Got) -> tuple[int, list[tuple[str, str]], bytes]:
    """What does not depend on the moment."""
    lines = sorted((name.lower(), re.sub(r"(session=)[^;]*", r"\1…", value)) for name, value in got.headers)
    return got.status, [(name, value) for name, value in lines if name != "expires"], got.body


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_the_portal_answers_as_without_the_gate(build: Build, door: DoorName, mode: str) -> None:
    source = "flask_session" if door == "wsgi" else "starlette_session"
    identity = [{"source": source, "secret": "env:PORTAL_SECRET", "field": "user"}]
    rig = build(policy=False, mode=mode, identity=identity)
    # Nobody of the portal has two-step here.
    rig.town.reset("alice")
    rig.town.reset("bob")
    rig.clock.now = time.time()
    if rig.door == "wsgi":
        bare, gated = flask_portal.create_app(SECRET), flask_portal.create_app(SECRET)
        app = rig.gate.wsgi(gated.wsgi_app)
        without = Browser(lambda ask: ask_wsgi(bare.wsgi_app, ask))
        behind = Browser(lambda ask: ask_wsgi(app, ask))
    else:
        one, other = starlette_portal.create_app(SECRET), starlette_portal.create_app(SECRET)
        wrapped: Any = rig.gate.asgi(other)
        without = Browser(lambda ask: ask_asgi(one, ask))
        behind = Browser(lambda ask: ask_asgi(wrapped, ask))
    for step in STEPS:
        assert told(behind.go(*step)) == told(without.go(*step)), step[:3]


def counted(rig: Rig) -> dict[tuple[str, str], int]:
    """The counters, once they were brought to the store."""
    rig.gate.parts.door().traffic.flush(int(rig.clock()))
    return rig.town.store.traffic()


def test_what_nobody_is_named_for_is_counted(lax: Rig) -> None:
    for _ in range(3):
        lax.get("/files/a?b=c")
    lax.get("/files/b", basic("bob"))
    lax.get("/api/files", ("Authorization", "Bearer secret-token"))
    lax.get("/api/files", ("Authorization", "Whatever secret-token"))
    lax.get("/public/x")
    lax.get("/login")
    lax.client("carol").get("/files")
    assert counted(lax) == {
        ("/files", "none"): 3,
        ("/files", "authorization:basic"): 1,
        ("/api", "authorization:bearer"): 1,
        ("/api", "authorization:other"): 1,
    }


def test_other_carriers_are_counted_by_name(build: Build) -> None:
    rig = build(policy=False, portal={"rules": RULES, "credentials": ["cookie:remember", "query:token"]})
    rig.get("/files?token=t", cookies=["remember=me"])
    assert counted(rig) == {("/files", "cookie:remember, query:token"): 1}


def test_i10_counters_are_bounded_and_name_nobody(lax: Rig) -> None:
    for number in range(MAX_PAIRS + 50):
        lax.get(f"/p{number}/alice/secret", ("Authorization", f"K{number} secret"))
    found = counted(lax)
    assert len(found) <= MAX_PAIRS + 1
    assert sum(found.values()) == MAX_PAIRS + 50
    assert not [pair for pair in found if "secret" in str(pair) or "alice" in str(pair)]


def test_a_path_in_the_counters_is_one_harmless_line(lax: Rig) -> None:
    lax.get("/%E2%80%AEx%20y/z")
    lax.get("/" + "a" * 500)
    pairs = [path for path, _ in counted(lax)]
    assert all(path.isprintable() and len(path) <= 60 for path in pairs)


def test_with_the_policy_on_nothing_is_counted(rig: Rig) -> None:
    rig.get("/files")
    assert counted(rig) == {}


def test_j08_counters_that_cannot_be_written_stop_nobody(lax: Rig) -> None:
    """A disk that is full, or read-only: with the policy off the portal stays open."""
    lax.get("/files")
    with writing_is_impossible(lax):
        lax.clock.go(FLUSH_SECONDS)
        assert lax.get("/files").status == 200
        with pytest.raises(StoreUnavailable):
            lax.gate.parts.door().traffic.flush(int(lax.clock()))
        assert lax.get("/files").status == 200
    assert counted(lax) == {("/files", "none"): 3}


def test_j08_an_idle_clock_that_cannot_be_moved_stops_nobody(rig: Rig) -> None:
    alice, bob = rig.client("alice", verified=True), rig.client("bob")
    assert alice.get().status == 200
    rig.clock.go(90)
    with writing_is_impossible(rig):
        assert alice.get().status == 200
        assert bob.get().status == 401
        assert bob.verify(rig.person("bob").code(rig.clock())).code == "unavailable"
        assert rig.client("newcomer").get().status == 503
    rig.clock.go(5)
    assert bob.verify(rig.person("bob").code(rig.clock())).status == 200


@contextmanager
def writing_is_impossible(rig: Rig) -> Iterator[None]:
    """Somebody else holds the database, and does not let go."""
    with closing(sqlite3.connect(rig.town.place / "gate.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")
