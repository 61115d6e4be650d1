"""The rules that stand before every call: who asks, from where, with which method and which body."""

import json

import pytest

from mfa_gate.web.api_bodies import MAX_BYTES
from tests.web.api_client import API, ApiClient, enrolled, problem_of
from tests.web.house import HOME, House

CALLS = {
    "status": {"GET"},
    "totp": {"POST"},
    "totp/confirm": {"POST"},
    "verify": {"POST"},
    "admin/policy": {"GET", "PATCH"},
    "admin/users": {"GET"},
    f"admin/users/{'0' * 32}": {"GET"},
    f"admin/users/{'0' * 32}/reset": {"POST"},
    "admin/audit": {"GET"},
}
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO")
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("path", CALLS)
def test_e03_c03_a_stranger_gets_nowhere_with_any_verb(strict: House, path: str, verb: str) -> None:
    answer = ApiClient(strict, None).send(verb, path)
    there_is = verb in CALLS[path] or (verb == "HEAD" and "GET" in CALLS[path])
    assert answer.status_code == (401 if there_is else 405)
    if verb == "HEAD":
        assert not answer.content
    elif there_is:
        assert problem_of(answer) == (401, "sign_in_required")


@pytest.mark.parametrize(("path", "methods"), CALLS.items())
def test_405_names_every_method_that_there_is(strict: House, path: str, methods: set[str]) -> None:
    answer = ApiClient(strict, "alice").send("DELETE", path)
    assert problem_of(answer) == (405, "invalid")
    assert set(answer.headers["allow"].split(", ")) == methods | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize(
    "path", ["", "nothing", "status/", "totp/confirm/x", "admin", "admin/users/x/y", "v2"]
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_whatever_is_not_there_is_404_without_a_redirect(strict: House, path: str, verb: str) -> None:
    answer = ApiClient(strict, None).send(verb, path, headers={"Host": "evil.example"})
    assert problem_of(answer) == (404, "not_found")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/mfa/api/v1", "/mfa/api"])
def test_the_root_of_the_api_leads_nowhere(strict: House, path: str) -> None:
    answer = ApiClient(strict, None).client.get(path, headers={"Host": "evil.example"})
    assert problem_of(answer) == (404, "not_found")


def test_w06_no_page_is_looked_for_at_the_host_that_a_request_names(strict: House) -> None:
    answer = ApiClient(strict, None).client.get("/mfa/account/", headers={"Host": "evil.example"})
    assert problem_of(answer) == (404, "not_found")


def test_head_answers_like_get_without_the_body(strict: House) -> None:
    alice = enrolled(strict, "alice")
    shown, head = alice.get("status"), alice.send("HEAD", "status")
    assert head.status_code == 200
    assert not head.content
    assert head.headers["content-length"] == shown.headers["content-length"]


def test_a_browser_that_navigates_to_the_api_gets_json_too(strict: House) -> None:
    navigation = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    answer = ApiClient(strict, None).send("GET", "status", headers=navigation)
    assert problem_of(answer) == (401, "sign_in_required")
    assert ApiClient(strict, "alice").send("GET", "status", headers=navigation).json()["state"]


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"MFA-Gate-Request": None}, False),
        ({"MFA-Gate-Request": "0"}, False),
        ({"MFA-Gate-Request": None, "Origin": HOME}, True),
        ({"MFA-Gate-Request": None, "Sec-Fetch-Site": "same-origin"}, True),
        ({"MFA-Gate-Request": None, "Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost:8001"}, False),
        ({"Origin": "https://localhost:8000"}, False),
        ({"Origin": HOME, "Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_w03_w22_a_change_says_that_it_comes_from_here(
    strict: House, headers: dict[str, str | None], allowed: bool
) -> None:
    alice = enrolled(strict, "alice")
    body = {"factor": "totp", "code": alice.next_code()}
    answer = alice.send("POST", "verify", json=body, headers=headers)
    assert not any(name.startswith("access-control-") for name in answer.headers)
    if allowed:
        assert answer.status_code == 200, answer.text
    else:
        assert problem_of(answer) == (403, "not_allowed")
        assert strict.account("alice").totps[0].last_used_at < strict.clock()


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonp",
        "application/json, text/plain",
    ],
)
def test_d17_only_json_is_read(strict: House, kind: str | None) -> None:
    alice = enrolled(strict, "alice")
    body = json.dumps({"factor": "totp", "code": alice.next_code()}).encode()
    answer = alice.send("POST", "verify", content=body, headers={"Content-Type": kind})
    assert problem_of(answer) == (415, "invalid")
    assert alice.post("verify", factor="totp", code=alice.code()).status_code == 200


def test_compressed_bodies_are_not_read(strict: House) -> None:
    answer = ApiClient(strict, "alice").send(
        "POST", "totp", content=b"{}", headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert problem_of(answer) == (415, "invalid")


@pytest.mark.parametrize("path", ["totp", "totp/confirm", "verify", f"admin/users/{'0' * 32}/reset"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"\xff",
        b'{"code": "1"',
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b"[" * 30_000,
        b'{"a":"\\ud800"}',
    ],
)
def test_what_is_not_json_is_400(strict: House, path: str, body: bytes) -> None:
    root = enrolled(strict, "root")
    answer = root.send("POST", path, content=body, headers=JSON)
    assert problem_of(answer) in {(400, "invalid"), (422, "invalid")}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", {"factor", "code"}),
        (b"{}", {"factor", "code"}),
        (b"[]", set()),
        (b"null", set()),
        (b'"totp"', set()),
        (b'{"factor": "totp", "code": 123456}', {"code"}),
        (b'{"factor": "totp", "code": null}', {"code"}),
        (b'{"factor": "totp", "code": ["123456"]}', {"code"}),
        (b'{"factor": "totp", "code": ""}', {"code"}),
        (b'{"factor": "sms", "code": "123456"}', {"factor"}),
        (b'{"factor": ["totp"], "code": "123456"}', {"factor"}),
        (b'{"factor": "totp", "code": "123456", "user": "root"}', {"user"}),
        (b'{"factor": "totp", "code": "123456", "subject": "root", "role": 1}', {"subject", "role"}),
        (b'{"factor": "totp", "code": "123456", "code": "654321"}', {"code"}),
        (b'{"factor": "totp", "code": "' + b"1" * 300 + b'"}', {"code"}),
        (b'{"fact\\u006fr": "totp", "factor": "totp", "code": "123456"}', {"factor"}),
    ],
)
def test_w19_d22_every_wrong_field_is_named_and_nothing_is_counted(
    strict: House, body: bytes, named: set[str]
) -> None:
    alice = enrolled(strict, "alice")
    answer = alice.beside().send("POST", "verify", content=body, headers=JSON)
    assert problem_of(answer) == (422, "invalid")
    assert set(answer.json().get("errors", {})) == named
    assert strict.account("alice").totps[0].strikes.consecutive == 0


def test_many_faults_are_told_in_a_short_answer(strict: House) -> None:
    body = json.dumps({f"x{number}\x1b[2J" + "y" * 99: number for number in range(300)})
    answer = ApiClient(strict, "alice").send("POST", "totp", content=body.encode(), headers=JSON)
    assert problem_of(answer) == (422, "invalid")
    assert len(answer.content) < 8_000
    assert all(name.isprintable() for name in answer.json()["errors"])


def test_i05_a_large_body_is_refused_by_its_length(strict: House) -> None:
    body = b'{"setup_code": "' + b"x" * MAX_BYTES + b'"}'
    answer = ApiClient(strict, "alice").send("POST", "totp", content=body, headers=JSON)
    assert problem_of(answer) == (413, "invalid")


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "٣", "9" * 30])
def test_a_length_that_is_none_is_refused(strict: House, length: str) -> None:
    headers = {**JSON, "Content-Length": length.encode()}
    answer = ApiClient(strict, "alice").send("POST", "totp", content=b"{}", headers=headers)
    assert problem_of(answer)[0] in {400, 413}


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("admin/users?limit=0", {"limit"}),
        ("admin/users?limit=501", {"limit"}),
        ("admin/users?limit=ten", {"limit"}),
        ("admin/users?limit=5&limit=6", {"limit"}),
        ("admin/users?status=happy", {"status"}),
        ("admin/users?role=admin", {"role"}),
        ("admin/users?q=" + "x" * 201, {"q"}),
        ("admin/audit?before=-1", {"before"}),
        ("admin/audit?before=" + "9" * 40, {"before"}),
        ("admin/audit?kind=nothing", {"kind"}),
        ("admin/audit?kind=null&before=null", {"kind", "before"}),
        ("admin/users?status=&limit=", {"status", "limit"}),
        ("admin/audit?user=org", {"user"}),
        ("admin/policy?x", {"x"}),
        ("status?user=root", {"user"}),
    ],
)
def test_fields_of_an_address_are_judged_alike(strict: House, path: str, named: set[str]) -> None:
    answer = enrolled(strict, "root").send("GET", path)
    assert problem_of(answer) == (422, "invalid")
    assert set(answer.json()["errors"]) == named


@pytest.mark.parametrize("query", ["q=%ff", "q=%ed%a0%80", "&".join("a=1" for _ in range(40))])
def test_a_query_that_cannot_be_read_is_400(strict: House, query: str) -> None:
    assert problem_of(enrolled(strict, "root").send("GET", f"admin/users?{query}")) == (400, "invalid")


def test_w05_every_answer_is_kept_out_of_frames_and_caches(strict: House) -> None:
    alice = ApiClient(strict, "alice")
    for answer in (alice.get("status"), alice.get("nothing"), alice.get("openapi.json"), alice.get("verify")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a10_a_foreign_host_is_refused(strict: House) -> None:
    answer = ApiClient(strict, "alice").send("GET", "status", headers={"Host": "evil.example"})
    assert problem_of(answer) == (421, "invalid")


def test_a_sender_named_twice_is_refused(strict: House) -> None:
    answer = ApiClient(strict, None).client.get(
        f"{API}/status", headers=[("X-Portal-User", "alice"), ("X-Portal-User", "bob")]
    )
    assert problem_of(answer) == (400, "invalid")
