"""The legacy portal as a Starlette application: it asks for name and password, and knows nothing of a second step."""

import argparse
import contextlib
import functools
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket, WebSocketDisconnect

from examples.hospital import people
from examples.hospital.patients import PATIENTS
from examples.hospital.shelf import Shelf, UploadRefused, seeded

HOSPITAL: Final = Path(__file__).parents[1] / "hospital"
TEMPLATES: Final = Jinja2Templates(HOSPITAL / "templates")
POLICY_VIOLATION: Final = 1008


def create_app(secret: str) -> Starlette:
    """Make the portal; `secret` signs SessionMiddleware's cookie, which holds `user`."""
    routes = [
        Route("/", welcome),
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", sign_out, methods=["GET", "POST"]),
        Route("/files", file_list),
        Route("/files/{name}", file_content_or_upload, methods=["GET", "PUT"]),
        Route("/api/files", file_list_json),
        Route("/archive/", archive),
        WebSocketRoute("/live", live),
        Mount("/static", StaticFiles(directory=HOSPITAL / "static")),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key=secret)])
    app.state.shelf = Shelf(seeded())
    return app


def _shelf(connection: HTTPConnection) -> Shelf:
    found: Shelf = connection.app.state.shelf
    return found


def _root(connection: HTTPConnection) -> str:
    path: str = connection.scope.get("root_path", "")
    return path


def _caller(connection: HTTPConnection) -> str | None:
    return people.caller(connection.headers.get("Authorization"), connection.session.get("user"))


def _page(request: Request, template: str, status: int = 200, **context: object) -> Response:
    shown = {"root": _root(request), "people": people.PEOPLE, "user": _caller(request), **context}
    return TEMPLATES.TemplateResponse(request, template, shown, status, {"Cache-Control": "no-store"})


def _answer_json(body: dict[str, object], status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = people.CHALLENGE
    return JSONResponse(body, status, headers)


def _for_signed_in(
    endpoint: Callable[[Request, str], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Call the endpoint with the account name; send a stranger to the sign-in page, or a program away with 401."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        user = _caller(request)
        if user is not None:
            return await endpoint(request, user)
        path: str = request.scope["path"]
        query = request.scope["query_string"].decode("latin-1")
        below = path.removeprefix(_root(request))
        if people.answers_in_json(request.method, below, request.headers.get("Authorization")):
            return _answer_json({"error": "sign_in", "detail": "Sign in first."}, 401)
        return RedirectResponse(people.sign_in_location(_root(request), path, query), 302)

    return guarded


async def welcome(request: Request) -> Response:
    """Show the open page; it has nothing secret on it."""
    return _page(request, "welcome.html")


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


async def login(request: Request) -> Response:
    """Show the sign-in form, or check name and password and begin a session."""
    if request.method != "POST":
        return _page(request, "sign_in.html", next=request.query_params.get("next", ""))
    async with request.form() as form:
        username, password, target = _field(form, "username"), _field(form, "password"), _field(form, "next")
    user = people.authenticate(username, password)
    if user is None:
        return _page(request, "sign_in.html", 403, next=target, wrong=True)
    request.session.clear()
    request.session["user"] = user
    return RedirectResponse(people.page_after_sign_in(_root(request), target), 303)


async def sign_out(request: Request) -> Response:
    """End the session."""
    request.session.clear()
    return RedirectResponse(f"{_root(request)}/", 303)


@_for_signed_in
async def file_list(request: Request, _user: str) -> Response:
    """Show the list of files."""
    return _page(request, "files.html", here="files", files=_shelf(request).documents(), live=True)


@_for_signed_in
async def file_list_json(request: Request, _user: str) -> Response:
    """Give the list to a program."""
    files = [entry.summary() for entry in _shelf(request).documents()]
    return _answer_json({"handling": "confidential", "files": files})


@_for_signed_in
async def file_content_or_upload(request: Request, user: str) -> Response:
    """Give one file as it is, or take one in."""
    name: str = request.path_params["name"]
    if request.method == "PUT":
        return await _upload(request, user, name)
    found = _shelf(request).find(name)
    if found is None:
        return _answer_json({"error": "not_found", "detail": "There is no such file."}, 404)
    return Response(found.content, headers=found.headers)


async def _upload(request: Request, user: str, name: str) -> Response:
    try:
        with _shelf(request).upload(name, user) as incoming:
            async for chunk in request.stream():
                incoming.write(chunk)
    except UploadRefused as refused:
        return _answer_json({"error": "refused", "detail": str(refused)}, refused.status)
    except ClientDisconnect:
        return _answer_json({"error": "cut_off", "detail": "The upload broke off; nothing was kept."}, 400)
    return _answer_json({"name": name, "size": incoming.size}, 201)


@_for_signed_in
async def archive(request: Request, _user: str) -> Response:
    """Show the patient archive."""
    return _page(request, "archive.html", here="archive", patients=PATIENTS)


async def live(websocket: WebSocket) -> None:
    """The ward line: says hello and sends back what it hears."""
    user = _caller(websocket)
    if user is None:
        await websocket.close(POLICY_VIOLATION)
        return
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        await websocket.send_text(
            f"The ward line is open for {people.PEOPLE[user]}. What is said here is confidential."
        )
        while (message := await websocket.receive())["type"] == "websocket.receive":
            await websocket.send_text(message.get("text") or "")


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the portal alone on loopback."""
    parser = argparse.ArgumentParser(
        description="The example portal (Starlette), with nothing in front of it."
    )
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default 8080)")
    port: int = parser.parse_args(argv).port
    secret = os.environ.get("PORTAL_SECRET") or secrets.token_urlsafe(32)
    uvicorn.run(create_app(secret), host="127.0.0.1", port=port, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
