"""Attacks on web pages, forms and administration (W): each row's trick and its relatives, through both doors."""

import pytest

from tests.edges.fixtures import Build
from tests.edges.rig import Rig

EVIL = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "///evil.example",
    "////evil.example",
    "https://localhost:8000.evil.example/",
    "https://localhost:8000@evil.example/",
    "http://localhost:8000@evil.example/",
    "http://localhost:80000/",
    "http://localhost:8001/",
    "https://localhost:8000/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/%09/evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "//localhost:8000@evil.example",
    "/\r\nLocation: https://evil.example",
    "http:///evil.example",
    "//evil%E3%80%82example",
    "\u2215\u2215evil.example",
]


@pytest.mark.parametrize("target", EVIL)
def test_W01_open_redirect_after_a_code(rig: Rig, target: str) -> None:
    client = rig.client("alice")
    from urllib.parse import quote

    client.page(f"/mfa/verify?next={quote(target, safe='')}")
    rig.clock.go(30)
    got = client.submit("verify", code=rig.person("alice").code(rig.clock()))
    assert (got.status, got.header("location")) == (303, "/")


def test_W22_no_origin_is_ever_reflected(build: Build) -> None:
    rig = build()
    got = rig.client("alice", verified=True).api("GET", "status", None, ("Origin", "https://evil.example"))
    assert not [name for name, _ in got.headers if name.lower().startswith("access-control-")]
