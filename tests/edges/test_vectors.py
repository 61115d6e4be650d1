"""Requests and what has to come of them, from `vectors/*.toml`, through both doors."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.edges.asking import HOST, NAVIGATION, Ask, DoorName, Got, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import Rig
from tests.edges.town import basic

VECTORS = Path(__file__).parent / "vectors"
TIMES = 3
_CREDENTIAL = re.compile(r"\{(\w+)(\.gate|\.basic|\.browser|\.let_in)?\}")
SAID_BY_THE_GATE = {400, 401, 405, 414, 421, 429, 503}


class Vector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row; `vectors/README.md` says what each key means."""

    name: str
    status: int
    id: str = ""
    policy: bool = True
    who: str = ""
    verified: bool = False
    method: str = "GET"
    target: str = "/files"
    headers: Headers = ()
    host: str = HOST
    peer: str = "192.0.2.7"
    mount: str = ""
    remote_user: str | None = None
    navigate: bool = False
    client: bool = False
    once: bool = False
    code: str = ""
    location: str = ""
    says: dict[str, str] = {}
    reached: int = 0
    sees: dict[str, str] = {}
    sees_not: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    query: str | None = None
    told: str | None = msgspec.field(default=None, name="as")
    doors: tuple[DoorName, ...] = ("asgi", "wsgi")


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of vectors."""

    vector: tuple[Vector, ...]
    settings: dict[str, Any] = {}


def rows() -> list[Any]:
    found = []
    for path in sorted(VECTORS.glob("*.toml")):
        file = msgspec.convert(tomllib.loads(path.read_text()), File)
        for vector in file.vector:
            label = f"{path.stem}-{vector.id}-{vector.name}".replace(" ", "_")
            found.append(pytest.param(vector, file.settings, id=label))
    return found


def asked(rig: Rig, vector: Vector) -> Ask:
    """The request, with its credentials in place."""

    def credential(match: re.Match[str]) -> str:
        user, kind = match[1], match[2]
        if kind == ".basic":
            return basic(user)[1]
        if kind == ".browser":
            return rig.browser_cookie(user)
        if kind == ".let_in":
            return rig.gate_cookie(user, factor="remembered_browser")
        return rig.portal_cookie(user) if kind is None else rig.gate_cookie(user)

    own = f"{{{vector.who}}}" + (f"; {{{vector.who}.gate}}" if vector.verified else "")
    headers: Headers = (*((("Cookie", own),) if vector.who else ()), *vector.headers)
    return Ask(
        method=vector.method,
        target=vector.target,
        headers=(
            *(NAVIGATION if vector.navigate else ()),
            *((name, _CREDENTIAL.sub(credential, value)) for name, value in headers),
        ),
        host=vector.host or None,
        peer=vector.peer,
        mount=vector.mount,
        remote_user=vector.remote_user,
    )


@pytest.mark.parametrize(("vector", "settings"), rows())
def test_a_vector(build: Build, door: DoorName, vector: Vector, settings: dict[str, Any]) -> None:
    if door not in vector.doors:
        return
    rig = build(policy=vector.policy, **settings)
    ask = asked(rig, vector)
    for _ in range(1 if vector.once else TIMES):
        before = len(rig.seen)
        check_answer(rig.ask(ask), vector)
        assert len(rig.seen) - before == vector.reached
        for seen in rig.seen[before:]:
            for name, value in vector.sees.items():
                assert seen.values(name) == [value], name
            for name in vector.sees_not:
                assert seen.values(name) == [], name
            for text in vector.hides:
                assert all(text not in value for _, value in seen.headers), text
            if vector.query is not None:
                assert seen.query == vector.query
                assert seen.query in seen.target
                assert "oken" not in seen.target
            if vector.told is not None:
                assert (seen.told or {}).get("subject", "") == vector.told


def check_answer(got: Got, vector: Vector) -> None:
    said = got.body[:300]
    assert got.status == vector.status, said
    assert got.code == vector.code, said
    assert got.header("location") == vector.location
    if vector.status in SAID_BY_THE_GATE and not vector.reached:
        assert got.header("cache-control") == "no-store"
        as_page = vector.navigate and not vector.client
        kind = "text/html; charset=utf-8" if as_page else "application/problem+json"
        assert got.header("content-type") == kind
    if not vector.reached:
        assert b"confidential" not in got.body
    for name, value in vector.says.items():
        assert ", ".join(got.values(name)) == value, name
