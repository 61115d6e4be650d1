"""What becomes of the portal's answers: cookies of our name, caches, HEAD, errors, and whatever else it may say."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from tests.edges.asking import NAVIGATION, Ask, Headers, ask_wsgi, environ_of, scope_of
from tests.edges.fixtures import ASGI, WSGI, Build
from tests.edges.portal import Answer, Receive, Scope, Send
from tests.edges.rig import Rig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

PLAIN = (("content-type", "text/plain"),)


def answered(rig: Rig, *headers: tuple[str, str], target: str = "/files", status: int = 200) -> Headers:
    """What a verified person gets where the portal says this."""
    rig.canary.answers["/files"] = rig.canary.answers["/public/x"] = Answer(status, (*PLAIN, *headers))
    got = rig.client("alice", verified=True).ask("GET", target)
    assert got.status == status
    assert got.headers[0] == PLAIN[0]
    return got.headers[1:]


@pytest.mark.parametrize(
    "line",
    [
        "mfa_gate=forged; Path=/",
        "mfa_gate=; Max-Age=0",
        "mfa_gate",
        " mfa_gate = x",
        "mfa_gate_pending=x; Path=/; HttpOnly",
        "\tmfa_gate=x",
    ],
)
def test_the_portal_sets_no_cookie_of_ours(rig: Rig, line: str) -> None:
    kept = ("set-cookie", "session=1; Path=/")
    for target in ("/files", "/public/x"):
        assert answered(rig, ("set-cookie", line), kept, ("Set-Cookie", line), target=target) == (kept,)


def test_the_portal_sets_no_cookie_of_ours_over_https_either(build: Build) -> None:
    rig = build(public_url="https://localhost:8000")
    rig.canary.answers["/login"] = Answer(
        headers=(*PLAIN, ("set-cookie", "__Host-mfa_gate=x"), ("set-cookie", "__Host-mfa_gate_pending=x"))
    )
    assert rig.get("/login").headers == PLAIN


def test_the_portal_sets_its_own_cookies(rig: Rig) -> None:
    lines = tuple(("set-cookie", f"{name}=1; Path=/") for name in ("session", "mfa_gate2", "x_mfa_gate", "b"))
    assert answered(rig, *lines) == lines


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("public, max-age=60", "private, max-age=60"),
        ("s-maxage=60", "private"),
        ("Public , S-MaxAge=60, immutable", "private, immutable"),
        ("max-age=60", "private, max-age=60"),
        ("private, max-age=60", None),
        ("no-store", None),
        ("no-cache", None),
        ("public, no-store", "no-store"),
        ('private="set-cookie", max-age=60', 'private, private="set-cookie", max-age=60'),
    ],
)
def test_a_gated_answer_is_for_nobody_elses_cache(rig: Rig, said: str, kept: str | None) -> None:
    line = ("cache-control", said)
    if kept is None:
        assert answered(rig, line) == (line,)
    else:
        assert answered(rig, line) == (("cache-control", kept), ("vary", "Cookie, Authorization"))
    assert answered(rig, line, target="/public/x") == (line,)


@pytest.mark.parametrize("name", ["Expires", "CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires"])
def test_a_gated_answer_is_private_whatever_a_cache_reads(rig: Rig, name: str) -> None:
    got = dict(answered(rig, (name, "max-age=60")))
    assert got["cache-control"].startswith("private")
    assert got["vary"] == "Cookie, Authorization"
    assert name == "Expires" or name.lower() not in got


def test_an_answer_without_anything_of_that_goes_out_as_it_is(rig: Rig) -> None:
    headers = (("X-Mixed-Case", "Kept"), ("etag", '"1"'), ("x-mixed-case", "twice"))
    assert answered(rig, *headers) == headers


@pytest.mark.parametrize("status", [204, 206, 301, 302, 304, 404, 405, 418, 500, 503])
def test_any_status_goes_out(rig: Rig, status: int) -> None:
    assert answered(rig, ("location", "https://elsewhere.example/"), status=status) == (
        ("location", "https://elsewhere.example/"),
    )


def test_head_of_ours_and_of_the_portals(rig: Rig) -> None:
    bob, alice = rig.client("bob"), rig.client("alice", verified=True)
    get, head = bob.get(), bob.ask("HEAD", "/files")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(head.header("content-length")) == len(get.body)
    assert alice.ask("HEAD", "/files").body == b""
    head = alice.ask("HEAD", "/mfa/account", NAVIGATION)
    assert (head.status, head.body) == (200, b"")
    assert rig.seen[-1].method == "HEAD"


def test_nothing_of_the_portals_is_in_an_answer_of_ours(rig: Rig) -> None:
    rig.canary.answers["/files"] = Answer(headers=(("x-portal", "1"), ("set-cookie", "session=x")))
    got = rig.client("bob").get()
    assert got.status == 401
    assert not got.values("x-portal") + got.values("set-cookie")


@WSGI
def test_the_wsgi_door_keeps_the_standard(rig: Rig) -> None:
    """PEP 3333, checked by the standard library on both sides of the gate; but for `environ["mfa_gate"]`, a dict."""
    checked = validator(rig.canary.wsgi_app)

    def portal(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        environ.pop("mfa_gate")
        return checked(environ, start_response)

    app = validator(rig.gate.wsgi(portal))
    alice = rig.client("alice", verified=True)
    for ask, status in (
        (Ask(), 401),
        (Ask(headers=alice.cookies), 200),
        (Ask(headers=alice.cookies), 200),
        (Ask(headers=alice.cookies, method="HEAD"), 200),
        (Ask(headers=alice.cookies, method="PUT", target="/upload/x", body=b"abc"), 200),
        (Ask(headers=(*NAVIGATION, *alice.cookies), target="/mfa/account"), 200),
        (Ask(target="/public/x"), 200),
    ):
        assert ask_wsgi(app, ask).status == status
    assert rig.seen[-2].body == 3


@WSGI
def test_the_wsgi_door_passes_a_late_error_on(rig: Rig) -> None:
    """A portal that fails after it began may begin anew (`exc_info`)."""
    begun: list[tuple[str, object]] = []

    def portal(_: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("set-cookie", "mfa_gate=x")])
        error = ValueError()
        told = (ValueError, error, error.__traceback__)
        start_response("500 Oh", [("set-cookie", "mfa_gate=x"), ("x-kept", "1")], told)
        return [b"oh"]

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        assert headers == ([("x-kept", "1")] if exc_info else [])
        begun.append((status, exc_info))
        return begun.append

    environ = environ_of(Ask(headers=rig.client("alice", verified=True).cookies))
    assert list(rig.gate.wsgi(portal)(environ, start)) == [b"oh"]  # type: ignore[arg-type]
    assert [status for status, _ in begun] == ["200 OK", "500 Oh"]


class Socket:
    """A server's side of a WebSocket."""

    def __init__(self, rig: Rig, ask: Ask, *, extension: bool) -> None:
        self.said: list[dict[str, Any]] = []
        self.scope = scope_of(ask, "websocket")
        self.scope["extensions"] = {"websocket.http.response": {}} if extension else {}
        asyncio.run(rig.asgi(self.scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        connected = any(message["type"] == "websocket.accept" for message in self.said)
        return {"type": "websocket.disconnect", "code": 1000} if connected else {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:  # noqa: ANN401
        self.said.append(message)


@ASGI
def test_c01_a_refused_socket_is_told_why_where_the_server_can(rig: Rig) -> None:
    socket = Socket(rig, Ask(target="/live", headers=rig.client("bob").cookies), extension=True)
    start, body = socket.said
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert (b"cache-control", b"no-store") in start["headers"]
    assert body["type"] == "websocket.http.response.body"
    assert b"two_step_code_required" in body["body"]
    assert not rig.seen


@ASGI
def test_c01_a_refused_socket_is_closed_where_the_server_cannot(rig: Rig) -> None:
    socket = Socket(rig, Ask(target="/live", headers=rig.client("bob").cookies), extension=False)
    assert socket.said == [{"type": "websocket.close", "code": 4401}]
    assert not rig.seen


@ASGI
def test_a_socket_of_a_verified_person_is_the_portals(rig: Rig) -> None:
    headers = (*rig.client("alice", verified=True).cookies, ("Remote-User", "root"), ("X_Mfa_User", "1"))
    socket = Socket(rig, Ask(target="/live", headers=headers), extension=True)
    assert [message["type"] for message in socket.said] == ["websocket.accept", "websocket.send"]
    (seen,) = rig.seen
    assert (seen.kind, seen.told and seen.told["subject"]) == ("websocket", "alice")
    assert not seen.values("remote-user") + seen.values("x-mfa-user")
    assert "mfa_gate" not in seen.values("cookie")[0]


@ASGI
def test_a_socket_sets_no_cookie_of_ours(rig: Rig) -> None:

    async def portal(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        lines = [(b"set-cookie", b"mfa_gate=x"), (b"set-cookie", b"session=x")]
        await send({"type": "websocket.accept", "headers": lines})

    rig.asgi = rig.gate.asgi(portal)
    socket = Socket(
        rig, Ask(target="/live", headers=rig.client("alice", verified=True).cookies), extension=True
    )
    assert socket.said == [{"type": "websocket.accept", "headers": [(b"set-cookie", b"session=x")]}]


@ASGI
def test_a_strangers_socket_brings_no_token_in_its_protocol(build: Build) -> None:
    rules = [{"kind": "public", "path": "/public/"}]
    rig = build(door="asgi", portal={"rules": rules, "credentials": ["header:Sec-WebSocket-Protocol"]})
    found: list[Scope] = []

    async def portal(scope: Scope, receive: Receive, _: Send) -> None:
        found.append(scope)
        await receive()

    rig.asgi = rig.gate.asgi(portal)
    ask = Ask(target="/public/live", headers=(("Sec-WebSocket-Protocol", "token.abc"),))
    Socket(rig, ask, extension=True)
    assert not found[0].get("subprotocols")
    assert not [name for name, _ in found[0]["headers"] if name == b"sec-websocket-protocol"]


@ASGI
def test_what_is_neither_http_nor_a_socket_nor_lifespan_never_reaches_the_portal(rig: Rig) -> None:
    said: list[object] = []

    async def nothing(*message: object) -> None:
        said.append(message)

    scope = scope_of(Ask(headers=rig.client("alice", verified=True).cookies))
    scope["type"] = "webtransport"
    asyncio.run(rig.asgi(scope, nothing, nothing))  # type: ignore[arg-type]
    assert not rig.seen
