"""What is answered: status, headers and body of every verdict for every kind of client, and nothing hostile in them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.decision import (
    Allow,
    AllowStranger,
    AllowWithout,
    Decision,
    Deny,
    Enroll,
    Malformed,
    Outcome,
    Paused,
    Preflight,
    SignIn,
    Unavailable,
    Verify,
)
from mfa_gate.core.messages import GateRequest, GateResponse, Headers
from mfa_gate.core.origins import safe_next
from mfa_gate.core.paths import OddPath
from mfa_gate.core.responses import (
    SAFE_HEADERS,
    TITLES,
    Places,
    asked_for,
    method_refused,
    odd_path,
    paused,
    private,
    problem,
    redirect,
    respond,
    unavailable,
    under,
)
from mfa_gate.core.throttle import FOREVER

NOW = 1_800_000_000
PLACES = Places(
    public_url="https://portal.example.org",
    mount="/mfa",
    sign_in_url="/login?next={next}",
    cors_origins=("https://app.example.org",),
)
NAVIGATION: Headers = (("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin"))
BROWSER = GateRequest(path="/files/a b", raw_path="/files/a%20b", query="page=2", headers=NAVIGATION)
SCRIPT = GateRequest(path="/api/files", headers=(("accept", "*/*"),))
SOCKET = GateRequest(kind="websocket", path="/live", headers=(("accept", "text/html"),))
ASKING = Verify(factors=("totp", "recovery_code"))
REFUSALS: tuple[Decision, ...] = (
    SignIn(),
    Enroll(),
    ASKING,
    Verify(factors=("totp",), max_age=300),
    Paused(until=NOW + 7),
    Paused(until=FOREVER),
    Deny(reason="no"),
    Malformed(reason="twice"),
    Malformed(reason="elsewhere", status=421),
    Preflight(),
    Unavailable(),
)


def answer(decision: Decision, request: GateRequest = SCRIPT, places: Places = PLACES) -> GateResponse:
    response = respond(decision, request, places, NOW)
    assert response is not None
    return response


def header(response: GateResponse, name: str) -> str | None:
    values = [value for key, value in response.headers if key == name]
    assert len(values) <= 1
    return values[0] if values else None


def body(response: GateResponse) -> dict[str, object]:
    value = json.loads(response.body)
    assert isinstance(value, dict)
    return value


# --- Every answer ---


@pytest.mark.parametrize("request_", [BROWSER, SCRIPT, SOCKET])
@pytest.mark.parametrize(
    "decision",
    [Allow(outcome=None), Allow(outcome=Outcome(subject="alice")), AllowStranger(), AllowWithout()],
)
def test_what_passes_is_not_answered(decision: Decision, request_: GateRequest) -> None:
    assert respond(decision, request_, PLACES, NOW) is None


@pytest.mark.parametrize("request_", [BROWSER, SCRIPT, SOCKET])
@pytest.mark.parametrize("decision", REFUSALS)
def test_f18_w05_every_answer_is_kept_by_nobody_and_framed_by_nobody(
    decision: Decision, request_: GateRequest
) -> None:
    response = answer(decision, request_)
    assert set(SAFE_HEADERS) <= set(response.headers)
    assert header(response, "cache-control") == "no-store"
    assert header(response, "x-content-type-options") == "nosniff"
    assert header(response, "x-frame-options") == "DENY"
    assert "frame-ancestors 'none'" in (header(response, "content-security-policy") or "")
    assert "set-cookie" not in dict(response.headers)


@pytest.mark.parametrize("request_", [BROWSER, SCRIPT, SOCKET])
@pytest.mark.parametrize("decision", REFUSALS)
def test_no_refusal_looks_like_a_success(decision: Decision, request_: GateRequest) -> None:
    status = answer(decision, request_).status
    assert status == 303 or status >= 400


@pytest.mark.parametrize("decision", REFUSALS)
def test_c01_a_websocket_is_never_sent_to_a_page(decision: Decision) -> None:
    response = answer(decision, SOCKET)
    assert response.status >= 400
    assert header(response, "location") is None


@pytest.mark.parametrize("decision", REFUSALS)
def test_names_of_headers_are_lower_case_and_values_fit_on_the_wire(decision: Decision) -> None:
    for name, value in answer(decision, BROWSER).headers:
        assert name == name.lower()
        assert value.isascii()
        assert value.isprintable()


# --- JSON, after the contract's table ---


@pytest.mark.parametrize(
    ("decision", "status", "code", "more"),
    [
        (SignIn(), 401, "sign_in_required", {}),
        (Enroll(), 401, "two_step_setup_required", {"setup_url": "https://portal.example.org/mfa/setup"}),
        (ASKING, 401, "two_step_code_required", {"factors": ["totp", "recovery_code"]}),
        (
            Verify(factors=("totp",), max_age=300),
            401,
            "two_step_code_required",
            {"factors": ["totp"], "max_age": 300},
        ),
        (Paused(until=NOW + 7), 429, "paused", {"retry_after": 7}),
        (Paused(until=NOW), 429, "paused", {"retry_after": 1}),
        (Paused(until=FOREVER), 429, "paused", {}),
        (Deny(reason="no"), 403, "not_allowed", {}),
        (Malformed(reason="twice"), 400, "invalid", {}),
        (Malformed(reason="elsewhere", status=421), 421, "invalid", {}),
        (Unavailable(), 503, "unavailable", {}),
    ],
)
def test_a_client_reads_a_problem(
    decision: Decision, status: int, code: str, more: dict[str, object]
) -> None:
    response = answer(decision)
    value = body(response)
    assert response.status == status
    assert header(response, "content-type") == "application/problem+json"
    assert {name: value[name] for name in ("type", "title", "status", "code")} == {
        "type": f"urn:mfa-gate:problem:{code}",
        "title": TITLES[code],
        "status": status,
        "code": code,
    }
    assert value["detail"]
    assert {
        name: value[name] for name in value.keys() - {"type", "title", "status", "detail", "code"}
    } == more


@pytest.mark.parametrize("reason", ["no", "twice"])
def test_the_detail_is_the_reason(reason: str) -> None:
    assert body(answer(Deny(reason=reason)))["detail"] == reason
    assert body(answer(Malformed(reason=reason)))["detail"] == reason


def test_who_sends_authorization_that_no_source_reads_is_told_so() -> None:
    plain = respond(SignIn(), GateRequest(path="/files"), PLACES, NOW)
    basic = GateRequest(path="/files", headers=(("authorization", "Basic Y2Fyb2w6ZGVtbw=="),))
    tried = respond(SignIn(), basic, PLACES, NOW)
    assert plain is not None
    assert tried is not None
    assert (tried.status, tried.headers) == (plain.status, plain.headers)
    assert "names nobody" in json.loads(tried.body)["detail"]
    assert "Authorization" not in json.loads(plain.body)["detail"]


@pytest.mark.parametrize("decision", REFUSALS)
def test_401_names_its_scheme_and_nothing_else_does(decision: Decision) -> None:
    response = answer(decision)
    assert header(response, "www-authenticate") == ("MFA-Gate" if response.status == 401 else None)


@pytest.mark.parametrize(
    ("until", "seconds"), [(NOW + 1, "1"), (NOW + 900, "900"), (NOW - 5, "1"), (FOREVER, None)]
)
def test_a_pause_says_how_long_where_waiting_helps(until: int, seconds: str | None) -> None:
    response = paused(until, NOW)
    assert header(response, "retry-after") == seconds
    assert body(response).get("retry_after") == (None if seconds is None else int(seconds))


def test_w23_an_outage_says_nothing_of_its_cause() -> None:
    assert header(unavailable(), "retry-after") == "2"
    assert set(body(unavailable())) == {"type", "title", "status", "detail", "code"}


def test_members_without_a_value_are_left_out_and_others_go_with_their_headers() -> None:
    response = problem(422, "invalid", "No.", headers=(("x-a", "b"),), errors={"code": "missing"}, hint=None)
    assert body(response)["errors"] == {"code": "missing"}
    assert "hint" not in body(response)
    assert header(response, "x-a") == "b"
    assert header(response, "www-authenticate") is None


def test_only_codes_of_the_contract_exist() -> None:
    with pytest.raises(KeyError):
        problem(400, "oops", "")


@pytest.mark.parametrize("odd", [OddPath("backslash"), OddPath("too long", 414)])
def test_an_odd_path_is_refused_with_its_reason(odd: OddPath) -> None:
    response = odd_path(odd)
    assert (response.status, body(response)["code"]) == (odd.status, "invalid")
    assert odd.reason in str(body(response)["detail"])


def test_c03_a_method_that_is_never_served() -> None:
    response = method_refused()
    assert response.status == 405
    assert header(response, "allow") == "GET, HEAD, POST, PUT, PATCH, DELETE"


# --- Pages, for whoever navigates ---


@pytest.mark.parametrize(
    ("decision", "location"),
    [
        (SignIn(), "/login?next=%2Ffiles%2Fa%2520b%3Fpage%3D2"),
        (Enroll(), "/mfa/setup?next=%2Ffiles%2Fa%2520b%3Fpage%3D2"),
        (ASKING, "/mfa/verify?next=%2Ffiles%2Fa%2520b%3Fpage%3D2"),
        (Paused(until=FOREVER), "/mfa/verify?next=%2Ffiles%2Fa%2520b%3Fpage%3D2"),
    ],
)
def test_a_browser_is_led_to_a_page_and_told_the_way_back(decision: Decision, location: str) -> None:
    response = answer(decision, BROWSER)
    assert (response.status, response.body) == (303, b"")
    assert header(response, "location") == location


@pytest.mark.parametrize("decision", [Deny(reason="no"), Malformed(reason="twice"), Unavailable()])
def test_where_no_page_helps_a_browser_gets_the_status(decision: Decision) -> None:
    assert answer(decision, BROWSER) == answer(decision, SCRIPT)


def test_without_a_sign_in_page_of_the_portal_ours_says_so() -> None:
    response = answer(SignIn(), BROWSER, replace(PLACES, sign_in_url=None))
    assert header(response, "location") == "/mfa/sign-in"


def test_a_sign_in_address_without_a_place_for_the_way_back_stays_as_it_is() -> None:
    places = replace(PLACES, sign_in_url="https://sso.example.org/start")
    assert header(answer(SignIn(), BROWSER, places), "location") == "https://sso.example.org/start"


POSTED = replace(
    BROWSER, method="POST", headers=(*NAVIGATION, ("referer", "https://portal.example.org/form?a=1#x"))
)


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (BROWSER, "/files/a%20b?page=2"),
        (replace(BROWSER, method="HEAD"), "/files/a%20b?page=2"),
        (replace(BROWSER, query=""), "/files/a%20b"),
        (replace(BROWSER, root_path="/portal"), "/portal/files/a%20b?page=2"),
        (POSTED, "/form?a=1"),
        (replace(POSTED, method="DELETE"), "/form?a=1"),
        (replace(POSTED, headers=NAVIGATION), None),
        (replace(POSTED, headers=(("referer", "https://evil.example/form"),)), None),
        (replace(BROWSER, query="a=" + "b" * 4_000), None),
        (replace(BROWSER, query="a=b\r\nset-cookie: x=y"), None),
        (replace(BROWSER, query="a=\u00e9"), None),
    ],
)
def test_w01_the_way_back_is_a_place_of_the_portal_or_none(request_: GateRequest, target: str | None) -> None:
    assert asked_for(request_, PLACES) == target


def test_a_form_that_was_sent_comes_back_to_the_page_it_stood_on() -> None:
    assert header(answer(ASKING, POSTED), "location") == "/mfa/verify?next=%2Fform%3Fa%3D1"
    assert header(answer(ASKING, replace(POSTED, headers=NAVIGATION)), "location") == "/mfa/verify"


def test_a_form_that_wants_a_fresh_code_says_how_fresh_and_a_page_says_it_by_its_address() -> None:
    again = Verify(factors=("totp",), max_age=300)
    assert header(answer(again, POSTED), "location") == "/mfa/verify?next=%2Fform%3Fa%3D1&max_age=300"
    assert "max_age" not in (header(answer(again, BROWSER), "location") or "")
    assert header(answer(SignIn(), replace(POSTED, headers=NAVIGATION)), "location") == "/login?next=%2F"


@pytest.mark.parametrize(
    ("method", "told"), [("GET", None), ("HEAD", None), ("POST", "300"), ("DELETE", "300")]
)
def test_only_for_a_form_our_page_is_told_how_fresh_the_code_must_be(method: str, told: str | None) -> None:
    response = answer(Verify(factors=("totp",), max_age=300), replace(POSTED, method=method))
    fields = parse_qs(urlsplit(header(response, "location") or "").query)
    assert fields.get("max_age") == (None if told is None else [told])
    assert "max_age" not in (header(answer(ASKING, replace(POSTED, method=method)), "location") or "")


@pytest.mark.parametrize(
    ("root_path", "mount"),
    [
        ("", "/mfa"),
        ("/", "/mfa"),
        ("/portal", "/portal/mfa"),
        ("/portal/", "/portal/mfa"),
        ("/a b/\u00e9", "/a%20b/%C3%A9/mfa"),
        ("//evil.example", "/evil.example/mfa"),
        ("/\\evil.example", "/%5Cevil.example/mfa"),
        ("evil.example", "/evil.example/mfa"),
        ("/x\r\nlocation: /y", "/x%0D%0Alocation%3A%20/y/mfa"),
    ],
)
def test_a13_the_mount_lies_below_the_root_path_and_never_on_another_host(root_path: str, mount: str) -> None:
    assert under(replace(BROWSER, root_path=root_path), PLACES) == mount


hostile = st.text(
    st.sampled_from("/\\.:@#?%&= \t\r\n\0aé\u20ac\u3042\u2028;") | st.characters(exclude_categories=["Cs"]),
    max_size=20,
)


@given(
    path=hostile,
    query=hostile,
    root=hostile,
    referer=hostile,
    method=st.sampled_from(["GET", "POST"]),
    decision=st.sampled_from([SignIn(), Enroll(), ASKING, Paused(until=NOW + 5)]),
)
def test_w01_w16_no_request_leads_a_browser_elsewhere_or_splits_the_answer(
    *, path: str, query: str, root: str, referer: str, method: str, decision: Decision
) -> None:
    request = GateRequest(
        method=method,
        path="/" + path,
        query=query,
        root_path=root,
        headers=(*NAVIGATION, ("host", "evil.example"), ("referer", f"https://portal.example.org/{referer}")),
    )
    response = answer(decision, request)
    location = header(response, "location")
    assert location is not None
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    parts = urlsplit(location)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("", "", "")
    for target in parse_qs(parts.query).get("next", []):
        assert safe_next(target, PLACES.public_url) == target


def test_a_redirect_turns_every_method_into_get() -> None:
    response = redirect("/there", headers=(("set-cookie", "a=b"),))
    assert response.status == 303
    assert header(response, "location") == "/there"
    assert header(response, "set-cookie") == "a=b"


# --- Preflights ---


def preflight(origin: str | None, asked: str | None = None) -> GateResponse:
    headers = [("access-control-request-method", "PUT")]
    headers += [("origin", origin)] if origin is not None else []
    headers += [("access-control-request-headers", asked)] if asked is not None else []
    return answer(Preflight(), GateRequest(method="OPTIONS", path="/api/files", headers=tuple(headers)))


def test_c04_an_origin_of_the_settings_is_answered() -> None:
    response = preflight("https://app.example.org", "content-type, x-csrf-token")
    assert (response.status, response.body) == (204, b"")
    assert header(response, "access-control-allow-origin") == "https://app.example.org"
    assert header(response, "access-control-allow-credentials") == "true"
    assert header(response, "access-control-allow-headers") == "content-type, x-csrf-token"
    assert "Origin" in (header(response, "vary") or "")
    assert header(response, "cache-control") == "no-store"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://evil.example",
        "https://app.example.org.evil.example",
        "https://app.example.org:444",
        "http://app.example.org",
        "https://APP.example.org/",
    ],
)
def test_w22_no_other_origin_is_told_yes(origin: str | None) -> None:
    response = preflight(origin)
    assert response.status == 403
    assert not any(name.startswith("access-control-") for name, _ in response.headers)


@pytest.mark.parametrize("asked", [None, "", "x-a\r\nset-cookie: a=b", "x-\u20ac", "x a", ",", "x;y", "\x00"])
def test_w16_what_is_no_list_of_header_names_is_not_repeated(asked: str | None) -> None:
    response = preflight("https://app.example.org", asked)
    assert response.status == 204
    assert header(response, "access-control-allow-headers") is None


# --- The portal's own answers ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("public, max-age=600", "private, max-age=600"),
        ("Public", "private"),
        ("max-age=600, s-maxage=900, immutable", "private, max-age=600, immutable"),
        ("s-maxage = 900", "private"),
        ("max-age=600", "private, max-age=600"),
        ("MAX-AGE=600", "private, MAX-AGE=600"),
        ('private="X-Name", max-age=600', 'private, private="X-Name", max-age=600'),
        ("private, s-maxage=900", "private"),
        ("no-store, public", "no-store"),
        (",public,", "private"),
    ],
)
def test_f18_no_shared_cache_keeps_a_gated_answer(before: str, after: str) -> None:
    headers = (("content-type", "text/plain"), ("cache-control", before), ("etag", "1"))
    assert private(headers) == (
        ("content-type", "text/plain"),
        ("etag", "1"),
        ("cache-control", after),
        ("vary", "Cookie, Authorization"),
    )


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("content-type", "text/html"), ("set-cookie", "a=b")),
        (("cache-control", "private, max-age=60"),),
        (("cache-control", "no-store"), ("expires", "0")),
        (("cache-control", "no-cache"),),
        (("cache-control", ""),),
    ],
)
def test_answers_that_no_shared_cache_keeps_stay_as_they_are(headers: Headers) -> None:
    assert private(headers) is headers


def test_f18_expires_and_what_is_said_to_caches_only() -> None:
    expires = ("expires", "Thu, 01 Jan 2099 00:00:00 GMT")
    vary = ("vary", "Cookie, Authorization")
    assert private((expires,)) == (expires, ("cache-control", "private"), vary)
    for name in ("cdn-cache-control", "surrogate-control", "x-accel-expires"):
        assert private(((name, "600"),)) == (("cache-control", "private"), vary)
        kept = ("cache-control", "no-store")
        assert private((kept, (name, "600"))) == (kept, vary)


def test_f18_several_lines_are_judged_together() -> None:
    headers = (("cache-control", "max-age=60"), ("cache-control", "public"), ("vary", "Accept"))
    assert private(headers) == (
        ("vary", "Accept"),
        ("cache-control", "private, max-age=60"),
        ("vary", "Cookie, Authorization"),
    )
