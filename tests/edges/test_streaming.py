"""What passes through piece by piece: uploads, downloads, lifespan; and that no body is read before the verdict."""

import asyncio
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.asking import Ask, Unread, environ_of, scope_of
from tests.edges.fixtures import ASGI, WSGI, Build
from tests.edges.portal import Message, Receive, Scope, Send
from tests.edges.rig import Rig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.mark.parametrize(
    ("who", "target"),
    [("bob", "/upload/x"), ("carol", "/files"), (None, "/upload/x"), ("bob", "/upload/../x")],
)
def test_c13_no_body_is_read_before_the_verdict(rig: Rig, who: str | None, target: str) -> None:
    headers = rig.client(who).cookies
    got = rig.ask(Ask(method="PUT", target=target, headers=headers, body=b"x" * 1000), may_read=False)
    assert got.status in {400, 401}
    assert not rig.seen


def test_c13_no_body_is_read_by_pages_before_it_is_known_to_be_a_form(rig: Rig) -> None:
    for target, kind in (("/mfa/verify", "text/plain"), ("/mfa/api/v1/verify", "application/json")):
        headers = (("Content-Type", kind), *rig.client("bob").cookies)
        ask = Ask(method="POST", target=target, headers=headers, body=b"x" * 1000)
        assert rig.ask(ask, may_read=False).status in {403, 415}


def test_the_portal_reads_the_body_itself(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.ask("PUT", "/upload/x", body=b"x" * 1000).status == 200
    assert rig.seen[0].body == 1000
    with pytest.raises(Unread):
        rig.ask(Ask(method="PUT", target="/upload/x", headers=alice.cookies, body=b"x"), may_read=False)


@ASGI
def test_asgi_pieces_go_both_ways_one_by_one(rig: Rig) -> None:
    """The portal answers the first piece before the second is sent; a door that gathers them would wait for ever."""
    back: asyncio.Queue[bytes] = asyncio.Queue()

    async def portal(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"].upper(), "more_body": more})

    pieces = [b"one", b"two", b"three"]
    answered: list[bytes] = []

    async def receive() -> Message:
        if answered or len(pieces) < 3:
            answered.append(await back.get())
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await back.put(message["body"])

    async def run() -> None:
        scope = scope_of(Ask(method="POST", headers=rig.client("alice", verified=True).cookies))
        await asyncio.wait_for(rig.gate.asgi(portal)(scope, receive, send), 10)
        answered.append(await back.get())

    asyncio.run(run())
    assert answered == [b"ONE", b"TWO", b"THREE"]


@WSGI
def test_wsgi_pieces_go_both_ways_one_by_one(rig: Rig) -> None:
    happened: list[str] = []

    class Body(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            happened.append("read")
            return super().read(size)

    def portal(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        start_response("200 OK", [])
        while piece := environ["wsgi.input"].read(2):
            yield piece

    environ = environ_of(Ask(method="POST", headers=rig.client("alice", verified=True).cookies))
    environ["wsgi.input"] = Body(b"aabbcc")
    pieces = rig.gate.wsgi(portal)(environ, lambda *_: happened.append("start"))  # type: ignore[arg-type]
    happened.extend(piece.decode() for piece in pieces)
    assert happened == ["start", "read", "aa", "read", "bb", "read", "cc", "read"]


class Closable:
    """An answer that knows whether it was closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        self.closed += 1


@WSGI
def test_wsgi_the_portals_answer_is_closed_once_and_a_list_stays_a_list(rig: Rig) -> None:
    answer = Closable([b"a", b"b"])
    cookies = rig.client("alice", verified=True).cookies

    def run(result: Any) -> Any:  # noqa: ANN401
        def portal(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            start_response("200 OK", [])
            return result  # type: ignore[no-any-return]

        return rig.gate.wsgi(portal)(environ_of(Ask(headers=cookies)), lambda *_: None)  # type: ignore[arg-type]

    pieces = run(answer)
    assert list(pieces) == [b"a", b"b"]
    pieces.close()
    assert answer.closed == 1
    assert run([b"one"]) == [b"one"]


def answering(rig: Rig, who: str, target: str) -> Iterator[bytes]:
    """The pieces of an answer that never ends by itself."""

    def portal(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            yield b"confidential"

    headers = rig.client(who, verified=who != "bob").cookies
    return iter(rig.gate.wsgi(portal)(environ_of(Ask(target=target, headers=headers)), lambda *_: None))  # type: ignore[arg-type]


@WSGI
def test_c02_wsgi_a_long_answer_is_judged_again_every_second(rig: Rig) -> None:
    pieces = answering(rig, "alice", "/files")
    for _ in range(5):
        assert next(pieces)
        rig.clock.go(1)
    rig.town.reset("alice", rig.clock())
    rig.clock.go(1)
    with pytest.raises(ConnectionAbortedError):
        next(pieces)


@WSGI
def test_c02_wsgi_a_long_answer_is_cut_when_the_store_is_gone(rig: Rig) -> None:
    pieces = answering(rig, "alice", "/files")
    assert next(pieces)
    (rig.town.place / "gate.db").unlink()
    rig.clock.go(6)
    with pytest.raises(ConnectionAbortedError):
        next(pieces)


@WSGI
def test_wsgi_a_strangers_long_answer_goes_on(rig: Rig) -> None:
    pieces = answering(rig, "bob", "/public/x")
    for _ in range(10):
        assert next(pieces)
        rig.clock.go(1)


@WSGI
def test_c02_wsgi_what_is_written_is_watched_too(rig: Rig) -> None:
    written: list[bytes] = []

    def portal(_: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one")
        rig.town.reset("alice", rig.clock())
        rig.clock.go(6)
        write(b"two")
        return []

    environ = environ_of(Ask(headers=rig.client("alice", verified=True).cookies))
    with pytest.raises(ConnectionAbortedError):
        rig.gate.wsgi(portal)(environ, lambda *_: written.append)
    assert written == [b"one"]


@ASGI
@pytest.mark.parametrize("stubborn", [False, True], ids=["plain", "swallows everything"])
def test_c02_asgi_nothing_goes_out_of_an_answer_that_was_cut(rig: Rig, *, stubborn: bool) -> None:
    """Not even of a portal that catches what it is told with."""
    sent: list[Message] = []
    failures: list[BaseException] = []

    async def portal(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while len(failures) < 3:
            try:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0.01)
            except (asyncio.CancelledError, OSError) as error:
                if not stubborn:
                    raise
                failures.append(error)

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 5:
            rig.town.reset("alice", rig.clock())
            rig.clock.go(6)

    async def run() -> None:
        scope = scope_of(Ask(headers=rig.client("alice", verified=True).cookies))
        await asyncio.wait_for(rig.gate.asgi(portal)(scope, None, send), 10)  # type: ignore[arg-type]

    asyncio.run(run())
    assert len(sent) > 5
    assert all(message.get("more_body", True) for message in sent), "it has no regular end"
    assert len(failures) == (3 if stubborn else 0)


@ASGI
def test_c02_asgi_what_is_cut_is_the_portals_work_whichever_task_sends_and_whichever_loop_runs(
    rig: Rig,
) -> None:
    """Even if the task that sends has long ended: the one that waits would keep the connection open."""
    ended: list[str] = []

    async def portal(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.create_task(send({"type": "http.response.body", "body": b"x", "more_body": True}))  # type: ignore[arg-type]
        rig.town.reset("alice", rig.clock())
        rig.clock.go(6)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cut")

    async def sent(_: Message) -> None:
        pass

    gated = rig.gate.asgi(portal)

    async def run() -> None:
        scope = scope_of(Ask(headers=rig.client("alice", verified=True).cookies))
        await asyncio.wait_for(gated(scope, None, sent), 10)  # type: ignore[arg-type]

    for _ in range(2):
        asyncio.run(run())
        rig.town.enroll("alice", rig.clock())
    assert ended == ["cut", "cut"]


@ASGI
def test_a_cancelled_request_is_cancelled(rig: Rig) -> None:
    """A server that shuts down, or a client that left: the gate swallows no cancellation but its own."""
    started = asyncio.Event()

    async def portal(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        started.set()
        await asyncio.Event().wait()

    async def send(_: Message) -> None:
        pass

    async def run() -> None:
        scope = scope_of(Ask(headers=rig.client("alice", verified=True).cookies))
        task = asyncio.create_task(rig.gate.asgi(portal)(scope, None, send))  # type: ignore[arg-type]
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


@ASGI
def test_lifespan_is_the_portals(build: Build) -> None:
    rig = build(policy=False)
    received, said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

    async def portal(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["opened"] = True
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        said.append(message["type"])

    (rig.town.place / "gate.db").unlink()
    asyncio.run(rig.gate.asgi(portal)(scope, receive, send))
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert scope["state"] == {"opened": True}
