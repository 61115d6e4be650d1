"""The quick way never says anything else than the long way, and never names anybody else.

A request is put to a gate twice: as it is, and with a header of ours beside it, which always takes the long way and
is seen by nobody. Whatever the quick way remembers of all the requests before, both have to come out the same.
"""

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.edges.asking import Ask, DoorName
from tests.edges.fixtures import Towns
from tests.edges.rig import Rig

LONG = ("MFA-Gate-Request", "1")
PROXY = "10.0.0.5"
SETTINGS = {
    "trusted_proxies": [PROXY],
    "identity": [
        {"source": "starlette_session", "secret": "env:PORTAL_SECRET", "field": "user"},
        {"source": "header", "name": "X-Portal-User", "groups_header": "X-Portal-Groups"},
    ],
    "clients": [
        {"kind": "mobile", "header": "X-Client", "value": "app"},
        {"kind": "mobile", "path": "/files/app/", "user_agent": "App/"},
    ],
}
ATTRIBUTING = ("alice", "bob", "carol")


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def shared(
    request: pytest.FixtureRequest, towns: Towns, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    """One gate for all examples: what it remembers adds up."""
    door: DoorName = request.param
    rig = Rig(door, towns[True].copy(tmp_path_factory.mktemp("recall")), **SETTINGS)
    rig.town.require_two_step(closed_clients=("mobile",))
    yield rig
    rig.close()


class Pool:
    """The cookies that one example draws from; some of them end a session when they come alone."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        portal = {name: rig.portal_cookie(name) for name in (*ATTRIBUTING, "Alice")}
        anew = rig.portal_cookie("alice")
        gate = {name: rig.gate_cookie(name) for name in ("alice", "bob")}
        proxied = rig.gate_cookie("alice", source="header")
        forged = gate["alice"][:-1] + ("A" if gate["alice"][-1] != "A" else "B")
        self.lines = [
            f"{portal['alice']}; {gate['alice']}",
            f"{portal['bob']}; {gate['bob']}",
            proxied,
            portal["carol"],
            *(f"{portal[one]}; {gate[other]}" for one in ATTRIBUTING for other in gate),
            *portal.values(),
            *gate.values(),
            f"{anew}; {gate['alice']}",
            f"{gate['alice']}; {portal['alice']}",
            f"{gate['alice']}; {portal['alice']}; a=1",
            f"{portal['alice']}; {portal['bob']}; {gate['alice']}",
            f"{portal['alice']}; {gate['alice']}; {gate['bob']}",
            f"{portal['alice']}; {forged}",
            f"{portal['alice']};{gate['alice']}",
            f"{portal['alice']}; {proxied}",
            "",
        ]
        self.people = {portal[name]: name for name in ATTRIBUTING} | {anew: "alice"}


MORE = [
    ("X-Harmless", "1"),
    ("X-Client", "app"),
    ("X_Client", "app"),
    ("User-Agent", "App/1"),
    ("User-Agent", "Browser/1"),
    ("MFA-Gate-Device", "unknown"),
    ("Remote-User", "root"),
    ("X-Portal-User", "alice"),
    ("X-Portal-User", "root"),
    ("X-Portal-User", "bob"),
    ("X-Portal-Groups", "admins"),
    ("Authorization", "Basic eDp5"),
    ("X-HTTP-Method-Override", "GET"),
    ("Accept", "text/html"),
    ("Sec-Fetch-Site", "cross-site"),
    ("X-Forwarded-For", PROXY),
]
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "method": st.sampled_from(["HEAD", "POST", "DELETE"]),
    "target": st.sampled_from(["/files?x=1", "/files/app/x", "/archive/x", "/public/x", "/login", "/hook"]),
    "host": st.sampled_from(["127.0.0.1:8000", "evil.example", None]),
    "peer": st.sampled_from([PROXY, "192.0.2.8"]),
    "more": st.lists(st.sampled_from(MORE), min_size=1, max_size=2).map(tuple),
}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_quick_way_says_what_the_long_way_says(shared: Rig, data: st.DataObject) -> None:
    pool = Pool(shared)
    kept = data.draw(st.integers(0, 3))
    for _ in range(data.draw(st.integers(2, 12))):
        # Mostly the same request again; what differs is one thing or two.
        changes = data.draw(st.lists(st.sampled_from([*CHANGES, "cookies", "nothing"]), max_size=2))
        line = pool.lines[data.draw(st.integers(0, len(pool.lines) - 1)) if "cookies" in changes else kept]
        drawn = {name: data.draw(CHANGES[name]) for name in changes if name in CHANGES}
        headers = (*drawn.pop("more", ()), *((("Cookie", line),) if line else ()))
        if drawn.get("target") == "/login" and "method" in drawn:
            continue  # signs in anew, which can be asked but once
        check(pool, Ask(headers=headers, **drawn), line)


def check(pool: Pool, ask: Ask, line: str) -> None:
    rig = pool.rig
    again = Ask(
        method=ask.method, target=ask.target, headers=(*ask.headers, LONG), host=ask.host, peer=ask.peer
    )
    before = len(rig.seen)
    quick = rig.ask(ask)
    reached = rig.seen[before:]
    long = rig.ask(again)
    before += len(reached)
    assert (quick.status, quick.headers, quick.body) == (long.status, long.headers, long.body)
    assert reached == rig.seen[-1:] if reached else len(rig.seen) == before
    for seen in reached:
        subject = (seen.told or {}).get("subject")
        named = {name for cookie, name in pool.people.items() if cookie in line}
        proxied = {value for name, value in ask.headers if name == "X-Portal-User" and ask.peer == PROXY}
        assert subject is None or {subject} == named | proxied
        assert "mfa_gate" not in str(seen.values("cookie"))
