"""What pages say when something is not there: the store, a file, a page; and what they give to nobody in particular."""

import logging
from dataclasses import replace as rebuilt
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from webtest import TestApp

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.web.assets import static_url
from tests.web.conftest import Build
from tests.web.house import Browser, House, path_of

GONE = StoreUnavailable("the store is away: /secret/path")
BROKEN = KeyError("seed JBSWY3DPEHPK3PXP")
LOGO = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
def alice(strict: House) -> Browser:
    return strict.enrolled("alice")


@pytest.mark.parametrize("path", ["/mfa/account", "/mfa/verify", "/mfa/setup", "/mfa/admin"])
def test_c12_without_the_store_there_is_a_page_that_says_so_and_nothing_else(
    alice: Browser, path: str
) -> None:
    alice.house.faulty.failures = {"*": GONE}
    answer = alice.get(path, follow=False)
    assert answer.status_code == 503
    assert alice.heading == "We can't check your second step right now"
    assert "secret" not in answer.text
    names = {"X-Portal-User": "alice"}
    assert alice.client.get(path, headers=names).json()["code"] == "unavailable"


@pytest.mark.parametrize("error", [GONE, BROKEN, TimeoutError("x"), ValueError("x")])
def test_c12_a_store_that_fails_in_the_middle_is_no_pass(alice: Browser, error: Exception) -> None:
    browser = alice.house.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/")
    fields = browser.form("verify") | {"code": browser.next_code()}
    alice.house.faulty.failures = {"commit": error}
    assert browser.post("/mfa/verify", fields).status_code == (503 if error is GONE else 500)
    assert "mfa_gate" not in browser.client.cookies
    assert browser.get("/files/").text != "confidential"


def test_j_an_enrollment_that_cannot_be_stored_shows_no_codes(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    assert key is not None
    browser.secret = "".join(key.get_text().split())
    fields = browser.form("setup/confirm") | {"code": browser.code()}
    strict.faulty.failures = {"commit": GONE}
    assert browser.post("/mfa/setup/confirm", fields).status_code == 503
    assert not browser.page.select("#codes")
    strict.faulty.failures = {}
    assert browser.post("/mfa/setup/confirm", fields).status_code == 200
    assert len(browser.page.select("#codes li")) == 10


def test_w23_an_error_of_ours_shows_a_reference_and_no_trace(
    alice: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    alice.house.faulty.failures = {"sessions": BROKEN}
    with caplog.at_level(logging.ERROR, logger="mfa_gate"):
        answer = alice.get("/mfa/account", follow=False)
    assert answer.status_code == 500
    assert "JBSWY3DP" not in answer.text
    assert "Traceback" not in answer.text
    assert {"server", "x-powered-by"}.isdisjoint(answer.headers)
    shown = alice.page.find(class_="mono")
    assert shown is not None
    assert f"request {shown.get_text()} failed" in caplog.text
    body = alice.client.get("/mfa/account", headers={"X-Portal-User": "alice"})
    assert body.status_code == 500
    assert body.json()["code"] == "unavailable"


def test_ready_says_whether_and_the_log_says_why(house: House, caplog: pytest.LogCaptureFixture) -> None:
    browser, now = house.browser(), int(house.clock())
    assert browser.get("/mfa/healthz/live").text == "ok\n"
    house.store.note_run("checkpoints", now - 10)
    house.store.note_run("examination", now - 2 * 86_400)
    said = browser.get("/mfa/healthz/ready").json()
    assert said.keys() == {"ready", "jobs", "clock"}
    assert said["ready"]
    assert said["clock"] == {"skew_seconds": 0, "refuses_codes": False}
    jobs = {each.pop("name"): each for each in said["jobs"]}
    assert jobs["checkpoints"] == {"last_run_at": now - 10, "late": False}
    assert jobs["examination"] == {"last_run_at": now - 2 * 86_400, "late": True}
    assert jobs["reminders"] == {"last_run_at": None, "late": False}
    house.faulty.failures = {"*": GONE}
    answer = browser.get("/mfa/healthz/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "jobs": [], "clock": None}
    assert "the store is away" in caplog.text
    assert browser.get("/mfa/healthz/live").status_code == 200


def test_static_files_need_nobody_and_no_store(house: House) -> None:
    house.faulty.failures = {"*": GONE}
    browser = house.browser()
    for name, kind in (
        ("gate.css", "text/css"),
        ("gate.js", "text/javascript"),
        ("icons/check.svg", "image/svg+xml"),
    ):
        answer = browser.get(f"/mfa/{static_url(name)}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "set-cookie" not in answer.headers
        assert browser.get(f"/mfa/static/{name}").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "templates/base.html",
        "",
        "theme.css/",
        "icons",
        "gate.css%00",
    ],
)
def test_a19_nothing_but_static_files_is_there(house: House, name: str) -> None:
    answer = house.browser().client.get(f"/mfa/static/{name}")
    assert answer.status_code in {400, 404}


def test_the_color_is_kept_under_its_own_address(house: House) -> None:
    browser = house.browser()
    browser.get("/mfa/sign-in")
    link = next(str(each["href"]) for each in browser.page.select("link") if "theme.css" in str(each["href"]))
    kept = browser.get(link)
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "--accent: #2f5bd8" in kept.text
    assert browser.get("/mfa/static/theme.css?v=aabbcc").headers["cache-control"] == "no-cache"


def test_the_logo_is_shown_and_cannot_do_anything(build: Build, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text(LOGO)
    browser = build(logo=str(tmp_path / "logo.svg")).browser()
    browser.get("/mfa/sign-in")
    logo = browser.page.find("img", class_="logo")
    assert logo is not None
    answer = browser.get(str(logo["src"]))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.text == LOGO


@pytest.mark.parametrize("name", ["logo.svg", "logo.html", "logo"])
def test_a_logo_that_is_no_picture_or_not_there_is_not_shown(build: Build, tmp_path: Path, name: str) -> None:
    if name != "logo.svg":
        (tmp_path / name).write_text(LOGO)
    assert build(logo=str(tmp_path / name)).browser().get("/mfa/logo").status_code == 404
    assert build().browser().get("/mfa/logo").status_code == 404


def test_where_no_sign_in_page_is_known_ours_says_what_to_do(build: Build) -> None:
    house = build(portal={"rules": [{"kind": "sign_out", "path": "/logout"}]})
    house.require_two_step()
    stranger = house.browser()
    assert path_of(stranger.get("/files/", follow=False)) == "/mfa/sign-in"
    stranger.get("/mfa/sign-in")
    assert stranger.heading == "Sign in first"


def test_pages_speak_the_readers_language(house: House) -> None:
    browser = house.browser("alice")
    browser.get("/mfa/account", {"Accept-Language": "de-AT, en;q=0.5"})
    html = browser.page.find("html")
    assert html is not None
    assert html["lang"] == "de"
    browser.get("/mfa/account", {"Accept-Language": "xx"})
    assert browser.heading == "Account Settings"


def test_below_a_root_path_every_address_begins_with_it(house: House) -> None:
    browser = house.browser("alice")
    browser.client = TestClient(
        below(house.app, "/portal"), base_url=house.home, follow_redirects=False, client=("127.0.0.1", 5)
    )
    browser.get("/portal/mfa/setup?next=/portal/files/", follow=False)
    assert browser.page.find("form", action="/portal/mfa/setup/choose") is not None
    fields = {"csrf": str(browser.page.select("[name=csrf]")[0]["value"])}
    assert path_of(browser.post("/portal/mfa/setup/later", fields, follow=False)) == "/portal/files/"
    assert path_of(browser.get("/portal/mfa/", follow=False)) == "/portal/mfa/account"
    assert path_of(browser.get("/portal/mfa/verify", follow=False)) == "/portal/"


def below(app: ASGIApp, root: str) -> ASGIApp:
    """The application as a server runs it below a root path."""

    async def served(scope: dict[str, object], receive: object, send: object) -> None:
        await app({**scope, "root_path": root}, receive, send)  # type: ignore[arg-type]

    return served  # type: ignore[return-value]


def test_behind_wsgi_the_pages_are_the_same(house: House) -> None:
    def portal(environ: object, start_response: object) -> list[bytes]:
        del environ
        start_response("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [b"confidential"]

    client = TestApp(
        house.gate.wsgi(portal), extra_environ={"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}
    )
    names = {"X-Portal-User": "alice", "Accept": "text/html"}
    page = client.get("/mfa/setup", headers=names)
    assert page.html.h1.get_text() == "Protect your account with a second step"
    scan = page.forms[0].submit(headers=names).follow(headers=names)
    browser = house.browser("alice")
    browser.secret = "".join(scan.html.find(id="key").get_text().split())
    form = next(each for each in scan.forms.values() if each.action == "/mfa/setup/confirm")
    form["code"] = browser.code()
    codes = form.submit(headers=names)
    assert codes.html.h1.get_text() == "Save your recovery codes"
    assert len(codes.headers.getall("Set-Cookie")) >= 1
    assert house.account("alice").has_factor


def test_pages_without_a_door_answer_nobody(house: House) -> None:
    pages = TestClient(house.gate.parts.door().pages(), base_url=house.home)
    with pytest.raises(TypeError, match="through the gate only"):
        pages.get("/mfa/account")


def test_a_person_whose_spelling_is_anothers_gets_no_page(house: House) -> None:
    house.enrolled("alice")
    browser = house.browser("Alice")
    assert browser.get("/mfa/account").status_code == 403
    assert "two-step is on" not in browser.words.lower()


def test_b14_while_nobody_is_asked_another_spelling_is_nobody_here(house: House) -> None:
    house.browser("alice").get("/files/")
    browser = house.browser("ALICE")
    assert browser.get("/files/").text == "confidential"
    assert browser.get("/mfa/account").status_code == 403


def test_an_account_that_is_not_active_gets_no_page(strict: House) -> None:
    strict.enrolled("alice")
    account = strict.account("alice")
    strict.commit(replace(account, active=False))
    browser = strict.browser("alice")
    assert browser.get("/mfa/setup").status_code == 403
    assert browser.heading == "This is not open to you"


def test_what_a_door_refuses_is_told_to_a_person_in_their_own_words(strict: House) -> None:
    alice = strict.enrolled("alice")
    answer = alice.get("/files//report")
    assert answer.status_code == 400
    assert alice.heading == "This request could not be understood"
    assert "The path cannot be judged" in alice.words
    strict.faulty.failures["*"] = GONE
    strict.clock.go(10)
    answer = alice.get("/files/report", {"Accept-Language": "de"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert alice.heading == "Ihr zweiter Schritt lässt sich gerade nicht prüfen"
    again = alice.page.find("a", class_="primary")
    assert again is not None
    assert again["href"] == "", "what was asked for"
    assert alice.page.find("html", lang="de") is not None


def test_when_even_that_page_fails_the_refusal_stands(strict: House) -> None:
    alice = strict.enrolled("alice")
    current = strict.gate.parts.current
    assert current is not None

    def fails(*_: object) -> NoReturn:
        message = "no words"
        raise ValueError(message)

    strict.gate.parts.current = rebuilt(current, in_words=fails)
    answer = alice.get("/files//report")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
