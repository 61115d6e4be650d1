"""What pages refuse: forms of others, stages that were skipped, addresses that lead away, methods and sizes."""

import re

import pytest
from bs4 import BeautifulSoup

from mfa_gate.web.app import PAGES
from tests.web.conftest import Build
from tests.web.house import Browser, House, path_of

FORMS = sorted(path for path, table in PAGES.items() if "POST" in table)
SHOWN = sorted(path for path, table in PAGES.items() if "GET" in table)
NOBODY_NEEDED = {"/healthz/live", "/healthz/ready", "/sign-in"}
TEMPTING = {"require_two_step": "1", "version": "0", "reason": "because", "page": "admin", "how": "totp"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def address(path: str) -> str:
    return "/mfa" + path.replace("{id}", "0" * 32)


def everything(browser: Browser) -> tuple[object, ...]:
    """What a form could have changed."""
    house = browser.house
    policy = house.store.policy()
    accounts = tuple(
        (found.epoch, found.totps, found.recovery)
        for user in ("root", "alice")
        if (found := house.store.account(house.id_of(user))) is not None
    )
    return policy, accounts, house.sessions("root"), house.sessions("alice")


@pytest.fixture
def root(house: House) -> Browser:
    """An administrator who is verified, in a house where alice is too."""
    house.enrolled("alice")
    return house.enrolled("root")


@pytest.mark.parametrize("token", ["none", "garbage", "another person's", "another purpose"])
def test_w03_a_form_without_its_token_changes_nothing(root: Browser, token: str) -> None:
    alice = root.house.browser("alice")
    alice.get("/mfa/setup")
    tokens: dict[str, dict[str, str]] = {
        "none": {},
        "garbage": {"csrf": "abc.def.ghi"},
        "another person's": {"csrf": alice.form("signout")["csrf"]},
        "another purpose": {"csrf": root.client.cookies["mfa_gate"]},
    }
    for path in FORMS:
        before = everything(root)
        answer = root.post(address(path), TEMPTING | {"code": root.next_code()} | tokens[token], follow=False)
        assert everything(root) == before, path
        if path == "/verify":
            assert path_of(answer) == "/", "verified already, so there is nothing to do but to go on"
        elif path == "/setup/confirm":
            assert root.heading == "You're set up", "the same"
        else:
            assert answer.status_code == 403, path
            assert root.heading == "This form is no longer valid"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8001"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_w03_a_form_from_another_origin_changes_nothing_even_with_the_token(
    root: Browser, headers: dict[str, str]
) -> None:
    root.get("/mfa/account")
    token = root.form("signout")["csrf"]
    for path in FORMS:
        before = everything(root)
        fields = TEMPTING | {"code": root.next_code(), "csrf": token}
        answer = root.post(address(path), fields, headers, follow=False)
        assert everything(root) == before, path
        assert answer.status_code == 403, path


def test_w03_a_form_under_another_address_is_told_where_the_page_is(root: Browser) -> None:
    root.get("/mfa/account")
    token = root.form("signout")["csrf"]
    root.post("/mfa/account/turn-off", {"csrf": token}, {"Origin": "http://127.0.0.1:8000"}, follow=False)
    assert root.heading == "This page was opened under another address"
    link = root.page.find("a", class_="primary")
    assert link is not None
    assert (link["href"], link.get_text()) == (
        f"{root.house.home}/mfa/account",
        f"Go to {root.house.home}",
    )


def test_w03_a_form_without_an_origin_needs_its_token_and_has_it(root: Browser) -> None:
    root.get("/mfa/account")
    fields = root.form("signout")
    names = {"X-Portal-User": "root", "Accept": "text/html"}
    answer = root.client.post("/mfa/signout", data=fields, headers=names)
    assert answer.status_code == 200
    assert "You are signed out" in answer.text


def test_w03_nothing_is_changed_by_getting_it(root: Browser) -> None:
    for path in FORMS:
        before = everything(root)
        answer = root.get(f"{address(path)}?code={root.next_code()}", follow=False)
        if "GET" not in PAGES[path]:
            assert answer.status_code == 405, path
            assert answer.headers["allow"] == "POST"
            assert root.page.find("a", class_="primary") is not None, "no dead end"
        assert everything(root) == before, path


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "FOO"])
def test_c03_d17_other_methods_are_refused(house: House, method: str) -> None:
    browser = house.browser("alice")
    for path in PAGES:
        answer = browser.client.request(method, address(path), headers=browser.headers())
        assert answer.status_code == 405, path
        assert answer.headers["allow"], path


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_e03_nobody_gets_anything(strict: House, method: str) -> None:
    stranger = strict.browser()
    for path in {*FORMS, *SHOWN} - NOBODY_NEEDED - {"/", "/signout"}:
        answer = stranger.client.request(method, address(path))
        assert answer.status_code in {401, 405}, path
        if answer.status_code == 401:
            assert answer.headers["content-type"] == "application/problem+json"
            assert method == "HEAD" or answer.json()["code"] == "sign_in_required"


def test_e03_a_stranger_who_signs_out_is_told_so_and_loses_our_cookies(strict: House) -> None:
    stranger = strict.browser()
    answer = stranger.post("/mfa/signout", {})
    assert answer.status_code == 200
    assert stranger.heading == "You are signed out"
    assert len(answer.headers.get_list("set-cookie")) == 2
    assert stranger.post("/mfa/signout", {}, {"Origin": "https://evil.example"}).status_code == 403


def test_e03_a_strangers_browser_is_led_to_sign_in_and_back(strict: House) -> None:
    stranger = strict.browser()
    answer = stranger.get("/mfa/account", follow=False)
    assert path_of(answer) == "/login?next=%2Fmfa%2Faccount"


def test_head_is_a_get_without_a_body(house: House) -> None:
    browser = house.enrolled("root")
    for path in SHOWN:
        got = browser.client.get(address(path), headers=browser.headers())
        head = browser.client.head(address(path), headers=browser.headers())
        assert head.status_code == got.status_code, path
        assert head.content == b""


@pytest.mark.parametrize(
    "path", ["/mfa/nothing", "/mfa/setup/", "/mfa/SETUP", "/mfa/admin/settings", "/mfa/static/no.css"]
)
def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(house: House, path: str) -> None:
    browser = house.browser("alice")
    assert browser.get(path).status_code == 404
    assert browser.heading == "There is no such page"
    answer = browser.client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/mfa/verify",
        "/mfa/nothing",
        "/mfa/setup/choose",
        "/mfa/account",
        "/mfa/sign-in",
    ],
)
def test_w05_f18_every_page_is_kept_out_of_frames_caches_and_other_hosts(strict: House, path: str) -> None:
    strict.enrolled("root")
    answer = strict.browser("root").get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert len(answer.headers.get_list("content-security-policy")) == 1


def test_nothing_on_a_page_is_inline_or_from_elsewhere(strict: House) -> None:
    browser = strict.enrolled("root")
    for path in SHOWN:
        text = browser.get(address(path)).text
        page = BeautifulSoup(text, "html.parser")
        assert not page.find_all("style")
        assert not page.select("[style]")
        assert not any(script.get_text(strip=True) for script in page.find_all("script"))
        assert not re.search(r"\son[a-z]+=", text)
        assert all(str(each["src"]).startswith("/mfa/") for each in page.select("[src]"))
        assert all(str(each["href"]).startswith("/mfa/") for each in page.select("link[href]"))


@pytest.mark.parametrize(
    ("home", "name", "secure"),
    [("http://localhost:8000", "mfa_gate", False), ("https://portal.example.test", "__Host-mfa_gate", True)],
)
def test_f13_cookies_are_for_this_host_alone_and_out_of_reach(
    build: Build, home: str, name: str, secure: bool
) -> None:
    browser = build(home=home).browser("alice")
    browser.get("/mfa/setup?next=/" + "x" * 2_000)
    answer = browser.last
    assert answer is not None
    lines = [line for each in (answer, browser.enroll()) for line in each.headers.get_list("set-cookie")]
    assert {line.partition("=")[0] for line in lines} == {name, f"{name}_pending"}
    for line in lines:
        parts = line.split("; ")[1:]
        assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(parts)
        assert ("Secure" in parts) == secure
        assert not any(part.startswith("Domain") for part in parts)
        assert len(line) < 4_096


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example/",
        "///evil.example",
        "http://localhost:8000.evil.example/",
        "http://localhost:8000@evil.example/",
        "http://localhost:8001/",
        "javascript:alert(1)",
        "/%2f/evil.example",
        "/a/../../evil",
        "/ok\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        "evil.example",
        "",
    ],
)
def test_w01_nobody_is_led_elsewhere(house: House, target: str) -> None:
    browser = house.enrolled("alice")
    browser.submit("setup/saved")
    answer = browser.client.get("/mfa/verify", params={"next": target}, headers=browser.headers())
    assert path_of(answer) == "/"


@pytest.mark.parametrize(
    "target",
    [
        "/mfa/verify",
        "/mfa/account",
        "/mfa",
        "/MFA/verify",
        "/mfa/./verify",
        "/logout",
        "/logout?a=b",
        "/login",
    ],
)
def test_nobody_is_led_round_in_a_circle_or_out_again(house: House, target: str) -> None:
    browser = house.enrolled("alice")
    browser.submit("setup/saved")
    answer = browser.client.get("/mfa/verify", params={"next": target}, headers=browser.headers())
    assert path_of(answer) == "/"


def test_w01_a_next_that_comes_twice_leads_to_the_front_page(house: House) -> None:
    browser = house.enrolled("alice")
    browser.submit("setup/saved")
    assert path_of(browser.get("/mfa/verify?next=/a&next=/b", follow=False)) == "/"


def test_w16_what_is_typed_stands_in_no_header(house: House) -> None:
    browser = house.browser("alice")
    answer = browser.get("/mfa/setup?next=/a%0d%0aSet-Cookie:%20x=y&told=%0d%0a")
    assert "x=y" not in str(answer.headers)


@pytest.mark.parametrize(
    ("sent", "kind", "status"),
    [
        (b"csrf=a", "text/plain", 415),
        (b"csrf=a", "multipart/form-data; boundary=x", 415),
        (b'{"code": "1"}', "application/json", 415),
        (b"", "", 415),
        (b"code=1&code=2", "application/x-www-form-urlencoded", 400),
        (b"code=%ff", "application/x-www-form-urlencoded", 400),
        (b"code=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"f%d=1" % place for place in range(70)), "application/x-www-form-urlencoded", 400),
        (b"code=" + b"1" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 403),
        (b"", "application/x-www-form-urlencoded; charset=utf-8", 403),
    ],
)
def test_d17_d22_d24_what_is_not_the_form_is_refused_and_not_counted(
    strict: House, sent: bytes, kind: str, status: int
) -> None:
    strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.get("/files/")
    headers = browser.headers({"Origin": strict.home}) | ({"Content-Type": kind} if kind else {})
    answer = browser.client.post("/mfa/verify", content=sent, headers=headers)
    assert answer.status_code == status
    assert strict.events("alice").count("code_rejected") == 0
    browser.get("/files/")
    assert browser.heading == "Enter the code from your authenticator app"


def test_i05_a_form_that_is_too_large_is_said_to_be(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    assert browser.post("/mfa/setup/choose", {"how": "x" * 200_000}).status_code == 413
    assert browser.heading == "That was too much to send"


@pytest.mark.parametrize(
    "fields", [{}, {"code": ""}, {"code": "   "}, {"code": "1" * 60_000}, {"factor": "totp"}]
)
def test_d22_an_empty_form_leaves_one_where_one_was(strict: House, fields: dict[str, str]) -> None:
    strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.get("/files/")
    token = browser.form("verify")["csrf"]
    answer = browser.post("/mfa/verify", {"csrf": token} | fields)
    assert answer.status_code in {400, 422}
    assert strict.events("alice").count("code_rejected") == 0
    assert browser.get("/files/").text != "confidential"


@pytest.mark.parametrize("step", ["setup/saved", "setup/confirm", "setup/codes.txt", "setup/back"])
def test_d22_no_step_of_the_wizard_can_be_skipped(strict: House, step: str) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    token = browser.form("setup/choose")["csrf"]
    browser.post(f"/mfa/{step}", {"csrf": token, "code": "123456"})
    assert browser.heading.startswith("Protect your account")
    assert not strict.account("alice").has_factor
    browser.get("/files/")
    assert browser.heading.startswith("Protect your account")


@pytest.mark.parametrize("user", ["", " ", "x" * 5_000, "a\x00b", "\u202ealice"])
def test_d24_odd_names_end_quickly(strict: House, user: str) -> None:
    browser = strict.browser()
    headers = browser.headers() | {"X-Portal-User": user.encode()}
    answer = browser.client.get("/mfa/account", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code < 500
    assert browser.client.get("/mfa/healthz/live").text == "ok\n"


def test_d05_a_code_with_spaces_is_the_same_code_and_other_spellings_are_none(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    code = browser.next_code()
    browser.get("/files/")
    for spelling in (
        f"+{code}",
        f"{code}7",
        f"{code}\0",
        "".join(chr(0xFF10 + int(digit)) for digit in code),
    ):
        assert browser.submit("verify", code=spelling).status_code == 422
    assert browser.submit("verify", code=f" {code[:3]} {code[3:]}").status_code == 303
    other = strict.browser("alice")
    other.get("/files/")
    assert other.submit("verify", code=code).status_code == 422


def test_d01_a_code_that_was_used_is_refused_like_a_wrong_one(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser, other = strict.browser("alice"), strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/")
    code = browser.next_code()
    assert browser.submit("verify", code=code).status_code == 303
    other.get("/files/")
    used = other.submit("verify", code=code)
    used_page = other.words
    wrong = other.submit("verify", code="000000")
    assert used.status_code == wrong.status_code
    assert used_page == other.words


def test_d13_a_right_code_in_a_pause_is_answered_like_a_wrong_one(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    strict.clock.go(30)
    browser.get("/files/")
    while browser.submit("verify", code="000000").status_code != 429:
        pass
    wrong, words = browser.submit("verify", code="000000"), browser.words
    right = browser.submit("verify", code=browser.code())
    assert right.status_code == wrong.status_code == 429
    assert browser.words == words


def test_w10_what_people_are_called_does_nothing(strict: House) -> None:
    name = "<img src=x onerror=alert(1)>\"'</script>"
    browser = strict.browser("alice")
    browser.client.headers["X-Portal-Name"] = name
    headers = browser.headers() | {"X-Portal-Name": name}
    for path in ("/mfa/setup", "/mfa/account"):
        text = browser.client.get(path, headers=headers).text
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def test_w06_links_are_made_from_the_settings_and_never_from_host(strict: House) -> None:
    browser = strict.browser("alice")
    answer = browser.client.get("/mfa/setup", headers=browser.headers({"Host": "evil.example"}))
    assert answer.status_code == 421
    assert "evil" not in answer.text


def test_e06_the_key_is_never_shown_again(house: House) -> None:
    browser = house.enrolled("root")
    raw = house.account("root").totps[0].secret
    for path in SHOWN:
        text = browser.get(address(path).replace("0" * 32, house.id_of("root"))).text.lower()
        assert browser.secret.lower() not in text
        assert raw.hex() not in text


def test_e12_sessions_of_others_are_not_there(house: House) -> None:
    house.enrolled("bob")
    alice = house.enrolled("alice")
    other = house.browser("alice")
    other.secret = alice.secret
    other.verify()
    alice.get("/mfa/account")
    [of_bob] = house.sessions("bob")
    theirs = alice.submit("account/sessions/end", session=of_bob)
    unknown = theirs.text, theirs.status_code
    alice.get("/mfa/account")
    nobodys = alice.submit("account/sessions/end", session="0" * 64)
    assert (nobodys.text, nobodys.status_code) == unknown
    assert nobodys.status_code == 404
    assert house.sessions("bob") == (of_bob,)


def test_e10_a_recovery_code_makes_no_new_recovery_codes(house: House) -> None:
    alice = house.enrolled("alice")
    browser = house.browser("alice")
    browser.get("/mfa/verify?factor=recovery_code")
    browser.submit("verify", code=alice.recovery_codes[0])
    browser.get("/mfa/account")
    browser.submit("account/recovery-codes")
    assert browser.heading == "Confirm it's you"
    assert browser.submit("account/recovery-codes", code=alice.recovery_codes[1]).status_code == 422
