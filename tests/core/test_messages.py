"""What a request says of itself, who gets a page, and what of it may stand in a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.messages import GateRequest, GateResponse, is_navigation, printable

HTML = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")


def request(*headers: tuple[str, str]) -> GateRequest:
    return GateRequest(path="/", headers=headers)


def test_headers_are_found_by_their_lower_case_name_in_order() -> None:
    two = request(("cookie", "a=1"), ("host", "h"), ("cookie", "b=2"))
    assert two.header("cookie") == "a=1"
    assert two.values("cookie") == ("a=1", "b=2")
    assert two.header("accept") is None
    assert two.values("accept") == ()


def test_a_request_knows_nothing_that_it_was_not_told() -> None:
    bare = GateRequest(path="/x")
    assert (bare.kind, bare.method, bare.peer_trusted, bare.remote_user) == ("http", "GET", False, None)
    assert GateResponse(status=204) == GateResponse(status=204, headers=(), body=b"")


@pytest.mark.parametrize(
    "headers",
    [
        (("sec-fetch-mode", "navigate"),),
        (("sec-fetch-mode", " navigate "), ("sec-fetch-site", "cross-site"), ("accept", "*/*")),
        (("sec-fetch-mode", "navigate"), ("authorization", "Basic x"), HTML),
        (HTML,),
        (("accept", "Text/HTML"),),
        (("accept", "application/json, text/html ; q=0.5"),),
        (("accept", "*/*"), HTML),
    ],
)
def test_a_browser_that_navigates_gets_a_page(headers: tuple[tuple[str, str], ...]) -> None:
    assert is_navigation(request(*headers))
    assert not is_navigation(GateRequest(kind="websocket", path="/", headers=headers))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("accept", "*/*"),),
        (("accept", "application/json"),),
        (("accept", "text/htmlx, x/text/html"),),
        (("accept", 'x/y; a="text/html'),),
        (HTML, ("x-requested-with", "XMLHttpRequest")),
        (HTML, ("x-requested-with", "")),
        (HTML, ("authorization", "Basic x")),
        (HTML, ("sec-fetch-mode", "cors")),
        (HTML, ("sec-fetch-mode", "")),
        (HTML, ("sec-fetch-site", "same-origin")),
        (HTML, ("sec-fetch-dest", "document")),
        (HTML, ("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "cors")),
    ],
)
def test_everything_else_gets_json(headers: tuple[tuple[str, str], ...]) -> None:
    assert not is_navigation(request(*headers))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/files/straße 文", "/files/straße 文"),
        ("alice\r\nlevel=info admin", r"alice\x0d\x0alevel=info admin"),
        ("\x1b[2J\x07\x00\x7f\x9b", r"\x1b[2J\x07\x00\x7f\x9b"),
        ("a\u202egpj.exe\u2066", r"a\u202egpj.exe\u2066"),
        ("a\u2028b\u2029c\u0085", r"a\u2028b\u2029c\x85"),
        ("a\u200bb\u00a0c\ufeff", r"a\u200bb\xa0c\ufeff"),
        ("a\udcff", r"a\udcff"),
        ("\U000e0041", r"\U000e0041"),
        (r"CORP\alice", r"CORP\alice"),
        ("", ""),
    ],
)
def test_w14_text_from_outside_becomes_one_harmless_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_w14_long_text_is_cut_where_it_can_be_seen() -> None:
    assert printable("a" * 200) == "a" * 200
    assert printable("a" * 201) == "a" * 199 + "…"
    assert printable("\n" * 60) == (r"\x0a" * 60)[:199] + "…"
    assert printable("abc", 3) == "abc"
    assert printable("abcd", 3) == "ab…"
    assert printable("abcd", 1) == "…"


@given(st.text(st.characters()), st.integers(1, 40))
def test_w14_nothing_gets_through(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert shown.encode() or not text
    assert printable(shown, limit) == shown
