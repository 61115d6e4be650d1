"""Whose page sent a request, and where a browser may be sent back to."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.messages import GateRequest
from mfa_gate.core.origins import origin_of, origin_verdict, request_target, safe_next, same_origin_referer

HOME = "https://portal.example"
DEMO = "http://localhost:8000"


def request(*headers: tuple[str, str]) -> GateRequest:
    return GateRequest(path="/", headers=headers)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (HOME, HOME),
        ("HTTPS://Portal.Example:443/a?b#c", HOME),
        ("https://portal.example?x", HOME),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:08000/", DEMO),
        ("https://portal.example:80", "https://portal.example:80"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("http://localhost:65535", "http://localhost:65535"),
        ("http://localhost:65536", None),
        ("https://portal.example.", "https://portal.example."),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin


# fmt: off
NO_ORIGIN = (
    "", "null", "portal.example", "//portal.example", "https:portal.example", "https:/portal.example", "https:///x",
    "https://", "https://@portal.example", "https://portal.example@evil", "https://portal.example:",
    "https://portal.example:x", "https://portal.example:123456", "https://portal.example\\@evil",
    "https://portal.example evil", "ftp://portal.example", "javascript://portal.example/%0a",
    " https://portal.example", "https://portal\n.example", "https://p\u00f6rtal", "https://[::1",
    "https://portal.example\u0660", "http\u017f://portal.example", "https://\u212aelvin.example",
)
# fmt: on


@pytest.mark.parametrize("url", NO_ORIGIN)
def test_what_is_no_web_origin_has_none(url: str) -> None:
    assert origin_of(url) is None
    assert safe_next(url, HOME) is None
    assert origin_verdict(request(("origin", url)), HOME) == "foreign"


@pytest.mark.parametrize(
    ("target", "back"),
    [
        ("/", "/"),
        ("/files?a=1&b=//x#frag", "/files?a=1&b=//x"),
        ("/files/?", "/files/?"),
        ("/stra%C3%9Fe/a%20b", "/stra%C3%9Fe/a%20b"),
        ("/files?next=https://evil", "/files?next=https://evil"),
        ("/@evil.example", "/@evil.example"),
        ("https://portal.example", "/"),
        ("https://portal.example?x=1", "/?x=1"),
        ("https://portal.example#x", "/"),
        ("HTTPS://PORTAL.example:443/files?x#y", "/files?x"),
        ("/" + "a" * 2047, "/" + "a" * 2047),
    ],
)
def test_w01_one_goes_back_to_the_portal(target: str, back: str) -> None:
    assert safe_next(target, HOME) == back
    assert safe_next(target, HOME + ":443/ignored") == back


# fmt: off
ELSEWHERE = (
    "", "files", "?x", "#x", ".", "../x", "//evil", "///evil", "////evil", "/\\evil", "\\\\evil", "\\/evil",
    "https:evil", "https:/evil", "https:///evil", "https://portal.evil", "https://portal.example.evil",
    "https://portal.example@evil", "https://evil/portal.example", "http://portal.example/",
    "https://portal.example:8443/", "javascript:alert(1)", "data:text/html,x", "/%5cevil", "/%5Cevil", "/%2fevil",
    "/%2Fevil", "/%252fevil", "/.//evil", "/..//evil", "/a/..//evil", "/./evil", "/%2e%2e/evil", "/..;/evil",
    "/\t/evil", "/\n/evil", "\t//evil", " //evil", "/ /evil", "/%09/evil", "/%00", "/%0d%0aX:1", "/x\r\nX: 1",
    "/a b", "/stra\u00dfe", "/\u2028", "/\x7f", "/%ff", "/%", "/x//y", "https://portal.example//evil",
    "https://portal.example/\\evil", "https://portal.example\\evil", "/" + "a" * 2048, "/x?a\\b", "/x?\u00e9",
)
# fmt: on


@pytest.mark.parametrize("target", ELSEWHERE, ids=lambda target: ascii(target)[:40])
def test_w01_and_nowhere_else(target: str) -> None:
    assert safe_next(target, HOME) is None


def test_w01_a_public_url_without_an_origin_opens_nothing() -> None:
    assert safe_next("https://portal.example/", "portal.example") is None
    assert safe_next("javascript:x", "javascript:x") is None
    assert origin_verdict(request(("origin", "null")), "null") == "foreign"


# fmt: off
TRICKS = st.lists(st.sampled_from([
    "/", "//", "\\", ".", "..", "evil", ":", "@", "https:", "HTTPS://", "portal.example", ":443", "?", "#", "%2f",
    "%5c", "%2e", "%09", "\t", "\n", " ", ";", "a", "%", "\u00e9",
]), max_size=8).map("".join)
# fmt: on


@given(TRICKS | st.text())
def test_w01_w16_whatever_comes_out_stays_at_home_on_one_line(target: str) -> None:
    back = safe_next(target, HOME)
    if back is not None:
        assert back.startswith("/")
        assert not back.startswith(("//", "/\\"))
        assert back.isascii()
        assert back.isprintable()
        assert " " not in back
        joined = urlsplit(urljoin(HOME + "/mfa/verify", back))
        assert f"{joined.scheme}://{joined.netloc}" == HOME
        assert safe_next(back, HOME) == back
        assert safe_next(HOME + back, HOME) == back


PATH_TEXT = st.text(
    st.characters(categories=("L", "Nd")) | st.sampled_from(" %?#;&=+@:~!$'\"<>"), min_size=1, max_size=9
)


@given(st.lists(PATH_TEXT.filter(lambda s: not s.startswith(";") and "%" not in s), max_size=4))
def test_the_page_first_asked_for_can_be_returned_to(segments: list[str]) -> None:
    asked = GateRequest(path="/" + "/".join(segments), query="a=1&b=%2F")
    target = request_target(asked)
    assert safe_next(target, HOME) == target


def test_the_target_is_what_was_judged_in_front_of_its_root() -> None:
    assert request_target(GateRequest(path="/a b", root_path="/portal/", query="")) == "/portal/a%20b"
    assert (
        request_target(GateRequest(path="/straße?#", raw_path="/other", query="x=1"))
        == "/stra%C3%9Fe%3F%23?x=1"
    )


@pytest.mark.parametrize(
    ("headers", "back"),
    [
        ((("referer", "https://portal.example/files?x=1"),), "/files?x=1"),
        ((("referer", "https://portal.example/"),), "/"),
        ((), None),
        ((("referer", "/files"),), None),
        ((("referer", ""),), None),
        ((("referer", "https://evil/files"),), None),
        ((("referer", "http://portal.example/files"),), None),
        ((("referer", "https://portal.example/" + "a" * 2048),), None),
        ((("referer", "https://portal.example/a"), ("referer", "https://portal.example/b")), None),
    ],
)
def test_the_referer_is_a_page_of_ours_or_none(
    headers: tuple[tuple[str, str], ...], back: str | None
) -> None:
    assert same_origin_referer(request(*headers), HOME) == back


ORIGIN = ("origin", DEMO)
EVIL = ("origin", "http://evil.example")
SITE = "sec-fetch-site"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ((), "absent"),
        (((SITE, "none"),), "absent"),
        (((SITE, "same-origin"),), "same"),
        (((SITE, " same-origin "),), "same"),
        (((SITE, "same-site"),), "foreign"),
        (((SITE, "cross-site"),), "foreign"),
        (((SITE, ""),), "foreign"),
        (((SITE, "Same-Origin"),), "foreign"),
        (((SITE, "same-origin, cross-site"),), "foreign"),
        ((ORIGIN,), "same"),
        ((("origin", "HTTP://LOCALHOST:8000"),), "same"),
        ((ORIGIN, (SITE, "none")), "same"),
        ((ORIGIN, (SITE, "same-origin")), "same"),
        ((ORIGIN, (SITE, "cross-site")), "foreign"),
        ((ORIGIN, (SITE, "same-site")), "foreign"),
        ((EVIL,), "foreign"),
        ((EVIL, (SITE, "same-origin")), "foreign"),
        ((EVIL, (SITE, "none")), "foreign"),
        ((("origin", "null"),), "foreign"),
        ((("origin", "null"), (SITE, "same-origin")), "foreign"),
        ((("origin", ""),), "foreign"),
        ((("origin", DEMO + "/"),), "foreign"),
        ((("origin", DEMO + "/x"),), "foreign"),
        ((("origin", "http://127.0.0.1:8000"),), "foreign"),
        ((("origin", "https://localhost:8000"),), "foreign"),
        ((("origin", "http://localhost"),), "foreign"),
        ((("origin", f"{DEMO} http://evil.example"),), "foreign"),
        ((ORIGIN, EVIL), "foreign"),
        ((EVIL, ORIGIN), "foreign"),
        ((ORIGIN, ORIGIN), "same"),
        (((SITE, "same-origin"), (SITE, "cross-site")), "foreign"),
        ((("host", "localhost:8000"), ("referer", DEMO)), "absent"),
    ],
)
def test_a_request_is_ours_a_strangers_or_says_nothing(
    headers: tuple[tuple[str, str], ...], verdict: str
) -> None:
    assert origin_verdict(request(*headers), DEMO) == verdict


@given(
    st.lists(st.sampled_from([ORIGIN, EVIL, ("origin", "null"), ("origin", "")]), max_size=2),
    st.lists(
        st.sampled_from(["same-origin", "none", "same-site", "cross-site", ""]).map(lambda s: (SITE, s)),
        max_size=2,
    ),
)
def test_one_foreign_sign_is_enough(origins: list[tuple[str, str]], sites: list[tuple[str, str]]) -> None:
    verdict = origin_verdict(request(*origins, *sites), DEMO)
    foreign = any(o != ORIGIN for o in origins) or any(v not in {"same-origin", "none"} for _, v in sites)
    assert (verdict == "foreign") == foreign
    if verdict == "same":
        assert origins or (SITE, "same-origin") in sites
