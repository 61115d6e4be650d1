"""What the two legacy portals do by themselves: the ground on which every journey through the gate stands."""

import base64
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from webtest import TestApp
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from examples.flask_app import portal as flask_portal
from examples.hospital import people
from examples.hospital.shelf import Shelf, UploadRefused, document, seeded
from examples.starlette_app import portal as starlette_portal

SECRET = "a secret of this test"
REPOSITORY = Path(__file__).parents[2]
OPEN_PAGES = [
    "/",
    "/login",
    "/login?next=/files",
    "/static/portal.css",
    "/static/portal.js",
    "/static/icon.svg",
]
SECRET_PAGES = ["/files", "/files/report.txt", "/files/no-such-file", "/archive/"]


def basic(username: str, password: str = "demo") -> dict[str, str]:
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def client_of(app: Flask | Starlette) -> httpx2.Client:
    if isinstance(app, Flask):
        return httpx2.Client(transport=httpx2.WSGITransport(app), base_url="http://localhost")
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture(params=[flask_portal.create_app, starlette_portal.create_app], ids=["flask", "starlette"])
def app(request: pytest.FixtureRequest) -> Flask | Starlette:
    made: Flask | Starlette = request.param(SECRET)
    return made


@pytest.fixture
def stranger(app: Flask | Starlette) -> Iterator[httpx2.Client]:
    with client_of(app) as client:
        yield client


@pytest.fixture
def alice(app: Flask | Starlette) -> Iterator[httpx2.Client]:
    with client_of(app) as client:
        assert sign_in(client, "alice").status_code == 303
        yield client


def sign_in(client: httpx2.Client, username: str, password: str = "demo", **more: str) -> httpx2.Response:
    return client.post("/login", data={"username": username, "password": password, **more})


@pytest.mark.parametrize("path", OPEN_PAGES)
def test_open_pages_say_nothing_confidential(stranger: httpx2.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 200
    assert "confidential" not in answer.text.lower()


def test_the_welcome_page_greets_who_is_signed_in_and_stays_open(alice: httpx2.Client) -> None:
    page = alice.get("/").text
    assert "Alice Moreau" in page
    assert "Sign out" in page
    assert "confidential" not in page.lower()


@pytest.mark.parametrize("path", SECRET_PAGES)
def test_a_strangers_browser_is_sent_to_the_form_and_back(stranger: httpx2.Client, path: str) -> None:
    answer = stranger.get(f"{path}?page=2")
    assert answer.status_code == 302
    assert "confidential" not in answer.text
    form = stranger.get(answer.headers["Location"])
    field = BeautifulSoup(form.text, "html.parser").select_one("input[name=next]")
    assert field is not None
    assert field["value"] == f"{path}?page=2"
    assert sign_in(stranger, "bob", next=str(field["value"])).headers["Location"] == f"{path}?page=2"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/files"), ("PUT", "/files/notes.txt"), ("PUT", "/files/report.txt")]
)
def test_a_strange_program_gets_401_in_json(stranger: httpx2.Client, method: str, path: str) -> None:
    answer = stranger.request(method, path, content=b"x" if method == "PUT" else None)
    assert answer.status_code == 401
    assert answer.json()["error"] == "sign_in"
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("username", sorted(people.PEOPLE))
def test_everybody_signs_in_and_reads(stranger: httpx2.Client, username: str) -> None:
    answer = sign_in(stranger, username)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/files")
    page = stranger.get("/files")
    assert people.PEOPLE[username] in page.text
    assert "confidential" in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", "wrong"), ("alice", ""), ("mallory", "demo"), ("", ""), ("ALICE", "demo")],
)
def test_a_wrong_name_or_password_opens_nothing(
    stranger: httpx2.Client, username: str, password: str
) -> None:
    answer = sign_in(stranger, username, password, next="/archive/")
    assert answer.status_code == 403
    assert "not right" in answer.text
    assert 'value="/archive/"' in answer.text
    assert stranger.get("/files").status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "evil",
        "",
        "/\r\nX: y",
    ],
)
def test_after_signing_in_nobody_is_led_away(stranger: httpx2.Client, target: str) -> None:
    assert sign_in(stranger, "alice", next=target).headers["Location"] == "/files"


def test_what_a_link_puts_into_the_form_is_escaped(stranger: httpx2.Client) -> None:
    page = stranger.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_ends_the_session(alice: httpx2.Client, method: str) -> None:
    answer = alice.request(method, "/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert alice.get("/files").status_code == 302


def test_a_forged_session_is_nobody(stranger: httpx2.Client, app: Flask | Starlette) -> None:
    other = type(app)
    make = flask_portal.create_app if other is Flask else starlette_portal.create_app
    with client_of(make("another secret")) as elsewhere:
        sign_in(elsewhere, "admin")
        stranger.cookies.update(elsewhere.cookies)
    assert "session" in stranger.cookies
    assert stranger.get("/files").status_code == 302


@pytest.mark.parametrize("path", ["/", "/files", "/files/report.txt", "/api/files", "/archive/"])
def test_basic_works_on_every_path_and_leaves_no_session(stranger: httpx2.Client, path: str) -> None:
    answer = stranger.get(path, headers=basic("carol"))
    assert answer.status_code == 200
    assert ("confidential" in answer.text) == (path != "/")
    assert not stranger.cookies


@pytest.mark.parametrize(
    "header", [basic("carol", "wrong")["Authorization"], "Basic", "Basic !", "basic Y2Fyb2w=", "Basic /w=="]
)
def test_a_wrong_basic_header_is_refused_even_beside_a_session(alice: httpx2.Client, header: str) -> None:
    answer = alice.get("/files", headers={"Authorization": header})
    assert answer.status_code == 401
    assert "confidential" not in answer.text


def test_basic_speaks_before_the_session(alice: httpx2.Client) -> None:
    page = alice.get("/files", headers=basic("bob"))
    assert "Bob Okafor" in page.text
    assert "Alice Moreau" not in page.text


def test_another_kind_of_authorization_is_not_read(alice: httpx2.Client) -> None:
    assert alice.get("/files", headers={"Authorization": "Bearer abc"}).status_code == 200


def test_every_file_in_the_list_is_there_and_confidential(alice: httpx2.Client) -> None:
    page = BeautifulSoup(alice.get("/files").text, "html.parser")
    links = [str(link["href"]) for link in page.select("td a")]
    listed = alice.get("/api/files")
    assert links == [f"/files/{entry['name']}" for entry in listed.json()["files"]]
    assert "confidential" in listed.text
    assert "/files/report.txt" in links
    for link in links:
        answer = alice.get(link)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "confidential" in answer.text
    assert alice.get("/files/no-such-file").status_code == 404


def test_the_patient_archive_is_confidential(alice: httpx2.Client) -> None:
    page = alice.get("/archive/")
    assert page.status_code == 200
    assert "confidential" in page.text
    assert "Patient archive" in page.text


def test_an_upload_comes_back_as_it_went(alice: httpx2.Client) -> None:
    content = bytes(range(256)) * 1000
    answer = alice.put("/files/scan.bin", content=content)
    assert (answer.status_code, answer.json()) == (201, {"name": "scan.bin", "size": len(content)})
    back = alice.get("/files/scan.bin")
    assert back.content == content
    assert back.headers["Content-Disposition"] == 'attachment; filename="scan.bin"'
    assert "scan.bin" in alice.get("/files").text


def test_an_uploaded_page_is_shown_as_text(alice: httpx2.Client) -> None:
    assert alice.put("/files/page.html", content=b"<script>alert(1)</script>").status_code == 201
    back = alice.get("/files/page.html")
    assert back.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert back.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "size", "status"),
    [
        ("report.txt", 1, 409),
        (".hidden", 1, 400),
        ("a%22b", 1, 400),
        ("x" * 81, 1, 400),
        ("big", 33 << 20, 413),
    ],
)
def test_an_upload_that_does_not_fit_leaves_nothing(
    alice: httpx2.Client, name: str, size: int, status: int
) -> None:
    before = alice.get("/api/files").json()
    answer = alice.put(f"/files/{name}", content=b"\0" * size)
    assert (answer.status_code, answer.json()["error"]) == (status, "refused")
    assert alice.get("/api/files").json() == before


@pytest.fixture(params=["flask", "starlette"])
def under_a_prefix(request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    if request.param == "flask":
        mounted = DispatcherMiddleware(NotFound(), {"/wards": flask_portal.create_app(SECRET)})
        client = httpx2.Client(transport=httpx2.WSGITransport(mounted), base_url="http://localhost")
    else:
        client = client_of(Starlette(routes=[Mount("/wards", starlette_portal.create_app(SECRET))]))
    with client:
        yield client


def test_the_portal_works_under_a_prefix(under_a_prefix: httpx2.Client) -> None:
    assert under_a_prefix.get("/wards/api/files").status_code == 401
    location = under_a_prefix.get("/wards/files").headers["Location"]
    assert location == "/wards/login?next=%2Fwards%2Ffiles"
    assert 'href="/wards/static/portal.css"' in under_a_prefix.get(location).text
    answer = under_a_prefix.post("/wards/login", data={"username": "alice", "password": "demo"})
    assert answer.headers["Location"] == "/wards/files"
    assert "confidential" in under_a_prefix.get("/wards/files").text


def test_the_form_is_all_that_a_browser_needs() -> None:
    browser = TestApp(flask_portal.create_app(SECRET))
    form = browser.get("/archive/", status=302).follow().form
    form["username"], form["password"] = "help", "demo"
    page = form.submit(status=303).follow()
    assert page.request.path == "/archive/"
    assert "Hanna Lindqvist" in page
    assert page.form.submit(status=303).follow().request.path == "/"
    browser.get("/archive/", status=302)


def test_an_upload_that_breaks_off_leaves_nothing_wsgi() -> None:
    app = flask_portal.create_app(SECRET)
    browser = TestApp(app, extra_environ={"HTTP_AUTHORIZATION": basic("alice")["Authorization"]})
    browser.put("/files/half.txt", b"half", headers={"Content-Length": "8"}, status=400)
    assert app.extensions["shelf"].find("half.txt") is None


async def test_an_upload_that_breaks_off_leaves_nothing_asgi() -> None:
    app = starlette_portal.create_app(SECRET)
    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", basic("alice")["Authorization"].encode())]
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/files/half.txt",
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert app.state.shelf.find("half.txt") is None


@pytest.mark.parametrize("carrier", ["cookie", "basic"])
def test_the_ward_line_answers_who_is_signed_in(carrier: str) -> None:
    with TestClient(starlette_portal.create_app(SECRET), follow_redirects=False) as client:
        if carrier == "cookie":
            sign_in(client, "alice")
        with client.websocket_connect("/live", headers=basic("alice") if carrier == "basic" else {}) as line:
            assert "confidential" in line.receive_text()
            line.send_text("hello ward 3")
            assert line.receive_text() == "hello ward 3"


@pytest.mark.parametrize("headers", [{}, basic("alice", "wrong")])
def test_the_ward_line_is_closed_to_strangers(headers: dict[str, str]) -> None:
    client = TestClient(starlette_portal.create_app(SECRET))
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/live", headers=headers):
        pytest.fail("a stranger was let in")
    assert closed.value.code == 1008


def test_the_shelf_has_an_end_and_gives_room_back() -> None:
    shelf = Shelf(
        [document("kept.txt", "records", b"kept")], max_file_bytes=6, max_total_bytes=10, max_uploads=2
    )
    with shelf.upload("a", "alice") as first:
        first.write(b"123456")
    with shelf.upload("a", "alice") as again, pytest.raises(UploadRefused, match="no room"):
        again.write(b"12345")
    assert shelf.find("a") == document("a", "alice", b"")
    with shelf.upload("a", "alice") as third:
        third.write(b"123456")
    with shelf.upload("b", "alice") as second:
        second.write(b"1234")
    with pytest.raises(UploadRefused, match="too many") as refused, shelf.upload("c", "alice"):
        pass
    assert refused.value.status == HTTPStatus.INSUFFICIENT_STORAGE
    assert [entry.name for entry in shelf.documents()] == ["a", "b", "kept.txt"]


def test_every_seeded_file_is_marked() -> None:
    files = seeded()
    assert len(files) >= 5
    assert all(b"confidential" in entry.content for entry in files)


@pytest.mark.parametrize("name", ["flask_app", "starlette_app"])
def test_the_portal_is_untouched(name: str) -> None:
    source = (REPOSITORY / "examples" / name / "portal.py").read_text()
    assert not re.search(r"mfa|totp|webauthn", source, re.IGNORECASE)


@pytest.mark.parametrize("name", ["flask_app", "starlette_app"])
def test_the_portal_runs_alone(name: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", f"examples.{name}.portal", "--port", str(port)]
    environment = {key: value for key, value in os.environ.items() if key != "PORTAL_SECRET"}
    with (
        subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL) as server,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", transport=httpx2.HTTPTransport(retries=7)
        ) as client,
    ):
        try:
            assert "Example Files" in client.get("/").text
            chunks = (b"x" * 65536 for _ in range(100))
            assert client.put("/files/big", content=chunks, headers=basic("bob")).json()["size"] == 6553600
            if name == "starlette_app":
                speak_on_the_line(port)
        finally:
            server.terminate()
        server.wait(timeout=5)


def speak_on_the_line(port: int) -> None:
    address = f"ws://127.0.0.1:{port}/live"
    with connect(address, additional_headers=basic("bob")) as line:
        assert "confidential" in str(line.recv())
        line.send("hello")
        assert line.recv() == "hello"
    with pytest.raises(InvalidStatus) as refused:
        connect(address)
    assert refused.value.response.status_code == 403
