"""Which cookies are found, beside any nonsense, and that those of others come through byte for byte."""

from http.cookies import CookieError, SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import cookie_parser
from werkzeug.sansio.http import parse_cookie

from mfa_gate.core.cookies import cookie_values, join_cookie_headers, own_values, without_cookies

OURS = "__Host-mfa_gate"


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("session=a", ["a"]),
        ("x=1; session=a; y=2", ["a"]),
        ("x=1;session=a;y=2", ["a"]),
        ("session=a=b==", ["a=b=="]),
        ("session = a\t; y=2", ["a"]),
        ("session=", [""]),
        ("session", [""]),
        ('session="a b"', ['"a b"']),
        ("session=a; session=b", ["a", "b"]),
        ("Session=a; xsession=b; session2=c; ses=sion", []),
        ("x=session=a; y=session", []),
        ('{"j":1}; a[0]=; \xe9=\xff; =; ;; session=a', ["a"]),
        ("=session=a", []),
        ("session=\xff\x00", ["\xff\x00"]),
    ],
)
def test_b12_cookies_are_found_beside_any_other(header: str, values: list[str]) -> None:
    assert cookie_values(header, "session") == values


def test_the_standard_library_would_lose_them() -> None:
    header = 'a[0]={"j":1}; session=a'
    try:
        lost = "session" not in SimpleCookie(header)
    except CookieError:  # newer releases raise
        lost = True
    assert lost
    assert cookie_values(header, "session") == ["a"]


@pytest.mark.parametrize(
    "space", ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\xc2\xa0", "\xe2\x80\x83", "\xe3\x80\x80"]
)
def test_a_second_cookie_behind_an_odd_space_is_seen(space: str) -> None:
    header = f"session=bob; {space}session{space}=alice"
    assert cookie_values(header, "session") == ["bob", "alice"]
    assert without_cookies(header + "; y=2", ["session"]) == "y=2"


@pytest.mark.parametrize(
    "space", ["\x0b", "\x1f", "\x85", "\xa0", "\xc2\xa0", "\xe2\x80\x80", "\xe3\x80\x80", '"', "$"]
)
def test_ours_behind_an_odd_space_is_not_ours_and_is_taken_out_all_the_same(space: str) -> None:
    header = f"{space}{OURS}=a; {OURS}{space}=b"
    assert own_values(header, OURS) == []
    assert own_values(f"{header}; x=1;\t{OURS} = c ; {OURS}", OURS) == ["c", ""]
    if space not in {'"', "$"}:
        assert without_cookies(header + "; y=2", {OURS}) == "y=2"


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        ("", ""),
        ("x=1; y=2", "x=1; y=2"),
        (f"{OURS}=a", ""),
        (f"{OURS}=a; x=1", "x=1"),
        (f"x=1; {OURS}=a", "x=1"),
        (f"x=1; {OURS}=a; y=2", "x=1; y=2"),
        (f"x=1;{OURS}=a;y=2;", "x=1;y=2;"),
        (f"x=1; {OURS}=a; {OURS}=b; mfa_gate; y=2", "x=1; y=2"),
        (f"x={OURS}; {OURS}2=a; y=  2 ;;", f"x={OURS}; {OURS}2=a; y=  2 ;;"),
        ('\xe9={"j":1}; mfa_gate=a; a[0]=\xff', '\xe9={"j":1}; a[0]=\xff'),
    ],
)
def test_our_cookies_are_taken_out_and_no_others(header: str, rest: str) -> None:
    assert without_cookies(header, {OURS, "mfa_gate"}) == rest


def test_several_lines_become_one() -> None:
    assert join_cookie_headers(["a=1", "", "b=2; c=3"]) == "a=1; b=2; c=3"
    assert join_cookie_headers([]) == ""


# fmt: off
PIECES = st.sampled_from([
    "session", "mfa_gate", "x", "=", "=", ";", "; ", " ", "\t", '"', "\\", "\xa0", "\xc2\xa0", "\x0b", "\xe9", "a",
    "[", ",",
])
# fmt: on
HEADER = st.lists(PIECES, max_size=16).map("".join)


@given(HEADER)
def test_whatever_a_framework_reads_is_among_what_is_found(header: str) -> None:
    found = cookie_values(header, "session")
    text = header.encode("latin-1").decode(errors="replace")  # what Django and Werkzeug parse
    assert found or "session" not in cookie_parser(header)
    assert found or "session" not in cookie_parser(text)
    assert len(found) >= len(parse_cookie(text).getlist("session"))


@given(HEADER | st.text())
def test_what_is_left_is_what_was_there(header: str) -> None:
    rest = without_cookies(header, ("mfa_gate",))
    assert cookie_values(rest, "mfa_gate") == []
    assert "mfa_gate" not in cookie_parser(rest)
    assert cookie_values(rest, "session") == cookie_values(header, "session")
    assert [p for p in rest.split(";") if p.strip(" \t")] or rest.strip(" \t;") == ""
    if not cookie_values(header, "mfa_gate"):
        assert rest == header


@given(st.lists(HEADER, max_size=4), st.sampled_from(["session", "x"]))
def test_joining_loses_and_invents_nothing(lines: list[str], name: str) -> None:
    joined = join_cookie_headers(lines)
    assert cookie_values(joined, name) == [value for line in lines for value in cookie_values(line, name)]


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("a=__Host-x", []),
        ("__Host-x=1", ["1"]),
        ("a=1; __Host-x=2 ;\t__Host-x\t= 3", ["2", "3"]),
        ("__Host-x", [""]),
        ("\x0b__Host-x=1; \xa0__Host-x=2; \xc2\xa0__Host-x=3", []),
        ("__host-x=1", []),
    ],
)
def test_a_cookie_of_ours_has_exactly_its_name(header: str, values: list[str]) -> None:
    assert own_values(header, "__Host-x") == values
