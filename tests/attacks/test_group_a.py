"""Attacks on paths and rules (A): nothing near an open path opens, and the path that is judged is the one served.

Relatives that the catalogue does not name: dots and slashes of other scripts, `;parameters`, an encoded letter in an
open path, an absolute address in the request line, a mount that is called like an open path, a path that only the
query or the raw target shows, a rule that is written like a pattern.
"""

import itertools
import posixpath
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfa_gate.core.errors import SettingsError
from tests.edges.asking import Ask, DoorName, Got, Headers
from tests.edges.fixtures import Build, Towns
from tests.edges.portal import Seen
from tests.edges.rig import Rig
from tests.edges.servers import Served, status_of
from tests.edges.town import RULES

OPEN = ("/public/", "/static/")
OPEN_TO_UNVERIFIED = ("/logout", "/hook")


def blocked(rig: Rig, target: str, *headers: tuple[str, str], user: str = "bob", **more: Any) -> Got:  # noqa: ANN401
    """A request that must not reach the portal."""
    before = len(rig.seen)
    client = rig.client(user)
    got = rig.ask(Ask(target=target, headers=(*headers, *client.cookies), **more))
    assert len(rig.seen) == before, f"{target!r} reached the portal as {rig.seen[-1].path!r}"
    assert got.status in {303, 400, 401, 405, 414, 421}, (target, got)
    assert got.header("cache-control") == "no-store"
    assert b"confidential" not in got.body
    return got


def is_open(seen: Seen) -> bool:
    """Whether what reached the portal is what the rules open, by any reading."""
    path = seen.path.removeprefix(seen.root.rstrip("/"))
    plain = path in OPEN_TO_UNVERIFIED or path.startswith(OPEN)
    read_again = unquote(path)
    return plain and posixpath.normpath(read_again) == read_again.rstrip("/") and "\\" not in read_again


@pytest.mark.parametrize(
    "target",
    [
        "/admin?x=/public",
        "/admin?/public/",
        "/admin?/static/",
        "/admin?path=/public/&next=/public/",
        "/admin%3F/public/",
        "/admin;/public/",
        "/admin?#/public/",
        "/admin/?/../public/",
    ],
)
def test_A01_a_query_opens_nothing(rig: Rig, target: str) -> None:
    blocked(rig, target)


DOTS = (
    "..",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "..;",
    "..;x=y",
    ".",
    "%2e",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "\u2024\u2024",
    "\uff0e\uff0e",
    "..%00",
)
SLASHES = ("/", "%2f", "%2F", "\\", "%5c", "//", "/./", "%252f", "%c0%af", "\uff0f", "\u2215", ";/")


@pytest.mark.parametrize("dots", DOTS)
def test_A03_dot_segments(rig: Rig, dots: str) -> None:
    for first, last in itertools.product(SLASHES, repeat=2):
        written = f"/public{first}{dots}{last}admin"
        target = quote(written, safe="/%\\;=.")
        before = len(rig.seen)
        rig.ask(Ask(target=target, headers=rig.client("bob").cookies))
        for seen in rig.seen[before:]:
            # What a segment is called is free, as long as nothing in it leads anywhere.
            assert is_open(seen), (target, seen.path)
            assert "admin" not in posixpath.normpath(seen.path.replace(";", "/")).split("/")[:2]


@pytest.mark.parametrize(
    "target",
    [
        "//admin",
        "/public//..//admin",
        "///public/../admin",
        "//public/x",
        "/public//x",
        "/admin//",
        "/%2fadmin",
        "//",
        "/;/admin",
    ],
)
def test_A05_duplicate_slashes(rig: Rig, target: str) -> None:
    assert blocked(rig, target).status == 400
    assert blocked(rig, target, user="alice").status == 400


CARE = [
    "/archive/x",
    "/ARCHIVE/x",
    "/Archive/X",
    "/archive",
    "/archive/",
    "/archive./x",
    "/archive%20/x",
    "/archive.%20./x",
    "/archive;v=1/x",
    "/%61rchive/x",
    "/%EF%BD%81rchive/x",
    "/archive/x.",
    "/archive/x%20",
]


@pytest.mark.parametrize("target", CARE)
def test_A07_other_spellings_get_no_less_care(rig: Rig, target: str) -> None:
    """A page that wants a code of the last five minutes wants it in every spelling that some portal may serve."""
    alice = rig.client("alice", verified=True)
    assert alice.get(target).status == 200
    rig.clock.go(301)
    assert alice.get("/files").status == 200
    got = alice.get(target)
    assert (got.code, got.json()["max_age"]) == ("two_step_code_required", 300)


@pytest.mark.parametrize(
    "target",
    [
        "/PUBLIC/x",
        "/Public/x",
        "/public",
        "/public./x",
        "/public%20/x",
        "/public;a/x",
        "/publicx",
        "/%EF%BD%90ublic/x",
        "/LOGOUT/",
        "/logout/",
        "/Logout",
        "/logout.",
    ],
)
def test_A07_other_spellings_of_an_open_path_are_closed(rig: Rig, target: str) -> None:
    blocked(rig, target)


def test_A07_an_encoded_letter_in_an_open_path_is_that_letter(rig: Rig) -> None:
    assert rig.client("bob").get("/%70ublic/x").status == 200
    assert rig.seen[0].path == "/public/x"
    assert not rig.seen[0].values("cookie")


@pytest.mark.parametrize(
    "host",
    [
        "a/public?",
        "a/public/?",
        "localhost:8000/public/?x=",
        "localhost:8000/public/#",
        "localhost:8000\\public",
        "public@localhost:8000",
        "localhost:8000, evil.example",
        "localhost:8000 evil.example",
        "localhost:",
        "localhost:99999",
        "[::1",
        "",
    ],
)
@pytest.mark.parametrize("user", ["bob", "alice"])
def test_A10_the_host_is_no_part_of_the_path(rig: Rig, host: str, user: str) -> None:
    client = rig.client(user, verified=user == "alice")
    got = rig.ask(Ask(target="/admin", headers=client.cookies, host=host))
    assert got.status in {400, 421}
    assert not rig.seen


PREFIXES = (
    "X-Forwarded-Prefix",
    "X-Script-Name",
    "Script-Name",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Forwarded-Path",
    "X-Path-Info",
)


@pytest.mark.parametrize("mount", ["", "/portal", "/public"])
@pytest.mark.parametrize("value", ["/public", "/public/", "/", "/portal/public", "//evil.example"])
def test_A12_a_prefix_in_a_header_is_nobodys_word(build: Build, mount: str, value: str) -> None:
    rig = build(trusted_proxies=["192.0.2.7"])
    headers = tuple((name, value) for name in PREFIXES)
    for target in ("/admin", "/public/../admin"):
        blocked(rig, target, *headers, mount=mount)


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/admin", ("PATH_INFO: /public/x",)),
        ("/admin", ("SCRIPT_NAME: /public",)),
        ("/admin/public/x", ("SCRIPT_NAME: /admin",)),
        ("/admin/public/x", ("SCRIPT_NAME: /admin", "PATH_INFO: /public/x")),
        ("/public/x", ("SCRIPT_NAME: /public", "PATH_INFO: /admin")),
        ("/public/x", ("SCRIPT_NAME: /",)),
        ("/public/../admin", ("SCRIPT_NAME: /public",)),
        ("/x/admin", ("Script-Name: /x", "Path-Info: /public/y")),
        ("/public/x", ("REQUEST_URI: /admin", "RAW_URI: /admin")),
    ],
)
def test_A13_a_server_that_takes_its_variables_from_headers(
    served: Served, target: str, headers: tuple[str, ...]
) -> None:
    """A gunicorn believes `SCRIPT_NAME` from this machine. Whatever it makes of it, what is served was judged."""
    before = len(served.seen)
    answer = served.say(f"GET {target} HTTP/1.1", f"Cookie: {served.cookies('bob')}", *headers)
    reached = served.seen[before:]
    assert not reached or is_open(reached[0])
    assert status_of(answer) in ({200} if reached else {400, 401, 500})


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_A13_an_absolute_address_in_the_request_line(served: Served, scheme: str) -> None:
    before = len(served.seen)
    for target in (
        f"{scheme}://{served.host}/public/../admin",
        f"{scheme}://{served.host}/admin",
        f"{scheme}://evil.example/admin",
    ):
        answer = served.say(f"GET {target} HTTP/1.1", f"Cookie: {served.cookies('bob')}")
        assert status_of(answer) in {400, 401}
    assert len(served.seen) == before


@pytest.mark.parametrize(
    "agent", ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0", "Prometheus/2.0", "curl/8"]
)
@pytest.mark.parametrize("target", ["/admin", "/healthz", "/ping", "/metrics", "/mfa/../admin"])
def test_A16_a_name_of_a_health_checker_opens_nothing(rig: Rig, agent: str, target: str) -> None:
    blocked(rig, target, ("User-Agent", agent))


OVERRIDES: tuple[Headers, ...] = (
    (("X-HTTP-Method-Override", "GET"),),
    (("X-HTTP-Method", "GET"),),
    (("X-Method-Override", "GET"),),
    (("x_http_method_override", "GET"),),
    (("X-HTTP-Method-Override", "POST"),),
    (("X-HTTP-METHOD-OVERRIDE", ""),),
)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get", "Get", "GETS", "HEAD", "OPTIONS", "FOO"])
def test_A17_a_rule_for_one_method_opens_no_other(rig: Rig, method: str) -> None:
    assert rig.client("bob").get("/hook").status == 200
    rig.seen.clear()
    blocked(rig, "/hook", method=method)
    blocked(rig, "/hook?_method=GET", method=method)
    for headers in OVERRIDES:
        blocked(rig, "/hook", *headers, method=method)


@pytest.mark.parametrize("headers", OVERRIDES)
def test_A17_a_request_that_asks_for_another_method_is_not_the_one_that_was_opened(
    rig: Rig, headers: Headers
) -> None:
    blocked(rig, "/hook", *headers)
    blocked(rig, "/hook?_method=DELETE")
    blocked(rig, "/hook?a=1&_method=DELETE")


def test_A17_care_for_one_method_is_care_for_whoever_claims_it(build: Build) -> None:
    rules = [{"kind": "step_up", "path": "/pay", "methods": ["POST"], "max_age": 60}]
    rig = build(portal={"rules": rules})
    alice = rig.client("alice", verified=True)
    rig.clock.go(61)
    for method, headers in (
        ("POST", ()),
        ("post", ()),
        ("GET", (("X-HTTP-Method-Override", "POST"),)),
        ("PUT", (("X-Method-Override", "post"),)),
    ):
        assert alice.ask(method, "/pay", headers).code == "two_step_code_required"
    assert alice.ask("GET", "/pay?_method=POST").code == "two_step_code_required"
    assert alice.get("/pay").status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/mfa/../admin",
        "/mfa/%2e%2e/admin",
        "/mfa%2f..%2fadmin",
        "/mfax",
        "/mfa./x",
        "/mfa;/x",
        "/mfa%20/x",
        "/MFA/x",
        "/mfa/static/../../admin",
        "/mfa/static/..%2f..%2fadmin",
        "/mfa\\..\\admin",
        "//mfa/setup",
    ],
)
def test_A19_our_own_prefix_leads_nowhere_else(rig: Rig, target: str) -> None:
    blocked(rig, target)


def test_A19_nothing_below_our_own_prefix_is_the_portals(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    for target in (
        "/mfa",
        "/mfa/",
        "/mfa/x",
        "/mfa/files",
        "/mfa/static/x",
        "/mfa/healthz/live",
        "/mfa/api/v1/x",
    ):
        for method in ("GET", "POST", "PUT", "PROPFIND"):
            alice.ask(method, target)
    assert not rig.seen


CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0)]


def test_A20_control_characters(rig: Rig) -> None:
    for code in CONTROLS:
        mark = quote(chr(code))
        for target in (f"/public/x{mark}", f"/public{mark}/../admin", f"/files/{mark}"):
            got = blocked(rig, target, user="alice")
            assert got.status == 400, target
            assert chr(code).encode() not in got.body


def test_A20_a_line_end_begins_no_header(rig: Rig) -> None:
    for target in ("/public%0d%0aX:1", "/files%0aSet-Cookie:%20session=x", "/x%0d%0a%0d%0a<script>"):
        got = blocked(rig, target)
        assert not any("X:1" in value or "session=x" in value for _, value in got.headers)


def test_A21_a_path_that_is_too_long_is_refused_and_not_skipped(rig: Rig) -> None:
    for prefix in ("/public/", "/files/", "/mfa/"):
        got = blocked(rig, prefix + "a" * 65_536)
        assert got.status == 414
    assert blocked(rig, "/public/" + "%61" * 3_000).status == 414


@pytest.mark.parametrize("piece", ["a/", "a;", "%61", ".a", "A.", "%C3%A9", "a-"])
def test_A21_no_path_takes_long_to_judge(rig: Rig, piece: str) -> None:
    alice = rig.client("alice", verified=True)
    alice.get("/files")
    target = "/archive/" + piece * (8_000 // len(piece))
    best = min(_seconds(lambda: alice.get(target)) for _ in range(5))
    assert best < 0.2


def _seconds(act: Any) -> float:  # noqa: ANN401
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


@pytest.mark.parametrize(
    "path", ["^(a+)+$", "/public/.*", "/files/*", "/a?b", "/%2e", "/a//b", "/a/../b", "/a\\b", "public/"]
)
def test_A21_no_rule_is_a_pattern(build: Build, path: str) -> None:
    """A path of the settings is that path: what looks like a pattern is refused, or means itself."""
    try:
        rig = build(portal={"rules": [{"kind": "public", "path": path}]})
    except SettingsError as refused:
        assert "rules[0].path" in str(refused)  # noqa: PT017
    else:
        for target in ("/public/x", "/files/x", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"):
            blocked(rig, target)


PIECES = st.sampled_from(
    [
        *(
            "/",
            "//",
            "public",
            "static",
            "admin",
            "files",
            "logout",
            "hook",
            "mfa",
            "PUBLIC",
            "archive",
            "login",
        ),
        *(
            "..",
            ".",
            "%2e",
            "%2E%2e",
            "%2f",
            "%5c",
            "\\",
            ";",
            ";x=1",
            "%00",
            "%0a",
            "%20",
            "%",
            "%zz",
            "%25",
            "%252e",
        ),
        *(
            "?",
            "#",
            "%3f",
            "%23",
            "x",
            "é".encode().decode("latin-1"),
            "%c3%a9",
            "%ff",
            "%ef%bc%8e",
            "%u002e",
            ":",
            "@",
        ),
    ]
)


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def shared(
    request: pytest.FixtureRequest, towns: Towns, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    """One gate for all examples."""
    door: DoorName = request.param
    rig = Rig(door, towns[True].copy(tmp_path_factory.mktemp("paths")))
    yield rig
    rig.close()


@settings(max_examples=300, deadline=None)
@given(
    target=st.builds(
        str.__add__,
        st.sampled_from(["/public/", "/", "", "/static/", "/public"]),
        st.lists(PIECES, max_size=9).map("".join),
    ),
    mount=st.sampled_from(["", "", "/portal", "/public"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "get"]),
    user=st.sampled_from(["bob", "carol", None]),
)
def test_A03_A14_no_path_at_all_opens_more_than_the_rules(
    shared: Rig, target: str, mount: str, method: str, user: str | None
) -> None:
    """Whatever is sent, what reaches the portal unverified is open by every reading, and comes without credentials."""
    before = len(shared.seen)
    got = shared.ask(Ask(method=method, target=target, mount=mount, headers=shared.client(user).cookies))
    reached = shared.seen[before:]
    assert len(reached) <= 1
    for seen in reached:
        path = seen.path.removeprefix(mount)
        assert is_open(seen) or (user is None and path == "/login"), (target, seen.path)
        assert path in {"/logout", "/login"} or not seen.values("cookie")
        assert method == "GET" or path != "/hook"
    if not reached:
        assert b"confidential" not in got.body


def test_A01_the_rules_of_these_tests_open_something(rig: Rig) -> None:
    """Else everything above would hold of a gate that is shut."""
    bob = rig.client("bob")
    for target in ("/public/x", "/static/a/b.css", "/hook", "/logout"):
        assert bob.get(target).status == 200
    assert len(rig.seen) == 4
    assert {rule["path"] for rule in RULES} >= {"/public/", "/static/", "/hook"}
