"""The law of attribution: whomever the portal reads in a cookie, the gate names too, or it says that it is unclear."""

import asyncio
import time
from typing import Any

from flask import Flask, session
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from mfa_gate.core.messages import GateRequest
from tests.identity.test_sessions import SECRET, configured, cookie

PEOPLE = ("alice", "bob")
APP = Flask("portal")
APP.secret_key = SECRET

# Everything out of which a header may be put together to make two readers differ.
JOINTS = st.sampled_from(
    [
        *("; ", ";", " ;", ";;", "; x=1; ", '; x="', '";', ",", ".", "="),
        *('"', "\\", '\\"', "\\073", " ", "\t", "\xa0", "\xc2\xa0", "\x85", "\x0b"),
        *("session", "session=", "Session=", " session =", "session\xa0=", 'session="', "$Version=1; "),
    ]
)


def headers(framework: str) -> st.SearchStrategy[str]:
    tokens = [cookie(framework, {"user": user}) for user in PEOPLE]
    named = st.sampled_from(
        [f"session={token}" for token in tokens] + [f'session="{token}"' for token in tokens]
    )
    return st.lists(st.one_of(JOINTS, named, st.sampled_from(tokens)), max_size=8).map("".join)


def portal_flask(header: str) -> str | None:
    with APP.test_request_context(environ_overrides={"HTTP_COOKIE": header}):
        found: str | None = session.get("user")
        return found


def portal_starlette(header: str) -> str | None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(HTTPConnection(scope).session.get("user"))

    scope: Scope = {"type": "http", "headers": [(b"cookie", header.encode("latin-1"))]}
    app = SessionMiddleware(inner, SECRET)
    asyncio.run(app(scope, _no_message, _no_answer))
    return str(seen[0]) if seen[0] is not None else None


async def _no_message() -> dict[str, object]:
    return {}


async def _no_answer(message: object) -> None:
    del message


def agrees(framework: str, header: str, portal: str | None) -> None:
    sent = GateRequest(path="/", headers=(("cookie", header),))
    found = configured(framework).read(sent, int(time.time()))
    if portal is not None and not found.duplicated:
        assert [identity.subject for identity in found.identities] == [portal]


@settings(max_examples=400, deadline=None)
@given(headers("flask"))
@example(f'session="{cookie("flask", {"user": "alice"})}; "')
@example(f'session="{cookie("flask", {"user": "alice"})};;;;"; x="')
def test_flask_never_sees_somebody_else(header: str) -> None:
    agrees("flask", header, portal_flask(header))


@settings(max_examples=400, deadline=None)
@given(headers("starlette"))
def test_starlette_never_sees_somebody_else(header: str) -> None:
    agrees("starlette", header, portal_starlette(header))


def test_the_two_portals_are_real() -> None:
    for user in PEOPLE:
        assert portal_flask(f"session={cookie('flask', {'user': user})}") == user
        assert portal_starlette(f"session={cookie('starlette', {'user': user})}") == user
