"""The gate around a portal that is mounted below a path, or added as a middleware, by the frameworks' own means."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mfa_gate.asgi import GateMiddleware
from tests.edges.asking import NAVIGATION, Ask, Got, ask_wsgi, asking
from tests.edges.fixtures import Build
from tests.edges.portal import Answer
from tests.edges.rig import Rig

Asking = Callable[[Ask], Got]


async def confidential(request: Request) -> Response:
    told = request.scope.get("mfa_gate") or {}
    return PlainTextResponse(f"confidential {request.url.path} {told.get('subject')}")


def flask_app() -> Flask:
    from flask import request

    app = Flask("portal")

    @app.route("/<path:path>")
    def show(path: str) -> str:
        told = request.environ.get("mfa_gate") or {}
        return f"confidential {request.script_root}/{path} {told.get('subject')}"

    return app


@contextmanager
def mounted(rig: Rig) -> Iterator[Asking]:
    """The portal below `/portal`, behind the gate; what is outside of it is not the gate's."""
    if rig.door == "wsgi":
        flask = flask_app()
        flask.wsgi_app = rig.gate.wsgi(flask.wsgi_app)  # type: ignore[method-assign]
        outer = DispatcherMiddleware(flask_app(), {"/portal": flask})
        yield lambda ask: ask_wsgi(outer, ask)
        return
    inner = Starlette(routes=[Route("/{path:path}", confidential)])
    app = Starlette(routes=[Mount("/portal", rig.gate.asgi(inner)), Route("/{path:path}", confidential)])
    with asyncio.Runner() as runner:
        yield lambda ask: runner.run(asking(app, ask))


def test_a_portal_below_a_path_is_gated_below_it(rig: Rig) -> None:
    alice, bob = rig.client("alice", verified=True), rig.client("bob")
    with mounted(rig) as ask:
        for _ in range(3):
            got = ask(Ask(target="/portal/files/x", headers=alice.cookies))
            assert got.text == "confidential /portal/files/x alice"
        assert ask(Ask(target="/portal/files/x", headers=bob.cookies)).code == "two_step_code_required"
        assert (
            ask(Ask(target="/portal/public/x", headers=bob.cookies)).text
            == "confidential /portal/public/x None"
        )
        assert ask(Ask(target="/files/x")).text == "confidential /files/x None", "beside the mount is no gate"
        for odd in ("/portal/public/../files", "/portal/public/%2e%2e/files", "/portal//files"):
            assert ask(Ask(target=odd, headers=bob.cookies)).status in {400, 404}


def test_our_pages_are_below_the_same_path(rig: Rig) -> None:
    bob, carol = rig.client("bob"), rig.client("carol")
    with mounted(rig) as ask:
        led = ask(Ask(target="/portal/files/x?a=b", headers=(*NAVIGATION, *bob.cookies)))
        assert led.header("location") == "/portal/mfa/verify?next=%2Fportal%2Ffiles%2Fx%3Fa%3Db"
        page = ask(Ask(target=led.header("location"), headers=(*NAVIGATION, *bob.cookies)))
        assert page.status == 200
        assert 'action="/portal/mfa/verify"' in page.text
        setup = ask(Ask(target="/portal/files/x", headers=carol.cookies)).json()["setup_url"]
        assert setup == "http://localhost:8000/portal/mfa/setup"
        wizard = ask(Ask(target="/portal/mfa/setup", headers=(*NAVIGATION, *carol.cookies)))
        assert wizard.status == 200
        assert 'href="/portal/mfa/static/' in wizard.text
        assert ask(Ask(target="/portal/mfa/healthz/live")).text == "ok\n"


@pytest.mark.parametrize("door", ["asgi"], indirect=True)
@pytest.mark.parametrize("below", [False, True], ids=["outermost", "below another"])
def test_it_can_be_added_as_a_middleware(build: Build, *, below: bool) -> None:
    """Also under a middleware that runs the application in a task of its own, as Starlette's older ones do."""
    rig = build()

    async def through(request: Request, call_next: Callable[[Request], Any]) -> Response:
        answer: Response = await call_next(request)
        answer.headers["x-outer"] = "1"
        return answer

    outer = [Middleware(BaseHTTPMiddleware, dispatch=through)] if below else []
    app = Starlette(
        routes=[Route("/{path:path}", confidential)],
        middleware=[*outer, Middleware(GateMiddleware, gate=rig.gate)],
    )
    alice, bob = rig.client("alice", verified=True), rig.client("bob")
    with asyncio.Runner() as runner:

        def ask(ask: Ask) -> Got:
            return runner.run(asking(app, ask))

        for _ in range(3):
            got = ask(Ask(headers=alice.cookies))
            assert (got.text, got.header("x-outer")) == ("confidential /files alice", "1" if below else "")
        assert ask(Ask(headers=bob.cookies)).code == "two_step_code_required"
        page = ask(Ask(target="/mfa/verify", headers=(*NAVIGATION, *bob.cookies)))
        assert page.status == 200


def test_an_answer_of_any_size_is_the_portals(rig: Rig) -> None:
    rig.canary.answers["/files"] = Answer(body=(b"x" * 1_000_000, b"", b"y"))
    assert rig.client("alice", verified=True).get().body == b"x" * 1_000_000 + b"y"
