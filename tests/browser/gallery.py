"""Serves every sample page as the gate would, under the same content security policy, and nothing behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import msgspec

from mfa_gate.web import assets, theme, translations
from mfa_gate.web.rendering import Renderer
from tests.web import samples
from tests.web.pseudo import LANGUAGE, PseudoTranslations

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
RENDERER = Renderer(samples.CHROME, translations.load_translations() | {LANGUAGE: PseudoTranslations()})


class Handler(BaseHTTPRequestHandler):
    """`/NAME?language=…` shows the sample, any other path an empty portal; a form comes back as sent."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.startswith("/mfa/static/"):
            self._static(address.path.removeprefix("/mfa/static/"))
            return
        name = address.path.removeprefix("/")
        if name not in samples.VIEWS:
            self._answer(200, b"<!doctype html><title>portal</title>", "text/html")
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        page = msgspec.structs.replace(
            samples.page_of(name),
            language=query.get("language", "en"),
            observing="observe" in query,
            role="admin",
        )
        self._answer(
            200, RENDERER.render(samples.VIEWS[name], page=page).encode(), "text/html; charset=utf-8"
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, b"<!doctype html><title>sent</title><pre>" + body, "text/html")

    def _static(self, name: str) -> None:
        if name == "theme.css":
            self._answer(200, theme.theme_css(samples.CHROME.accent).encode(), "text/css")
        elif asset := assets.static_asset(name):
            self._answer(200, *asset)
        else:
            self._answer(404, b"", "text/plain")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests tell what went wrong."""


@contextmanager
def gallery() -> Iterator[str]:
    """The address of a running gallery."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
