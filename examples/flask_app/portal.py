"""The legacy portal as a Flask application: it asks for name and password, and knows nothing of a second step."""

import argparse
import functools
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Concatenate, Final, ParamSpec

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    session,
)
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response as BaseResponse

from examples.hospital import people
from examples.hospital.patients import PATIENTS
from examples.hospital.shelf import Shelf, UploadRefused, seeded

HOSPITAL: Final = Path(__file__).parents[1] / "hospital"
CHUNK_BYTES: Final = 64 * 1024

P = ParamSpec("P")
pages = Blueprint("pages", __name__)


def create_app(secret: str) -> Flask:
    """Make the portal; `secret` signs Flask's session cookie, which holds `user`."""
    app = Flask(__name__, template_folder=str(HOSPITAL / "templates"), static_folder=str(HOSPITAL / "static"))
    app.secret_key = secret
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.extensions["shelf"] = Shelf(seeded())
    app.register_blueprint(pages)
    return app


def _shelf() -> Shelf:
    found: Shelf = current_app.extensions["shelf"]
    return found


def _caller() -> str | None:
    return people.caller(request.headers.get("Authorization"), session.get("user"))


def _page(template: str, status: int = 200, **context: object) -> Response:
    html = render_template(
        template, root=request.script_root, people=people.PEOPLE, user=_caller(), **context
    )
    return Response(html, status, {"Cache-Control": "no-store"}, mimetype="text/html")


def _answer_json(body: dict[str, object], status: int = 200) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    if status == 401:
        answer.headers["WWW-Authenticate"] = people.CHALLENGE
    return answer


def _for_signed_in(view: Callable[Concatenate[str, P], BaseResponse]) -> Callable[P, BaseResponse]:
    """Call the view with the account name; send a stranger to the sign-in page, or a program away with 401."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> BaseResponse:
        user = _caller()
        if user is not None:
            return view(user, *args, **kwargs)
        if people.answers_in_json(request.method, request.path, request.headers.get("Authorization")):
            return _answer_json({"error": "sign_in", "detail": "Sign in first."}, 401)
        asked = request.script_root + request.path
        return redirect(
            people.sign_in_location(request.script_root, asked, request.query_string.decode("latin-1"))
        )

    return guarded


@pages.get("/")
def welcome() -> BaseResponse:
    """Show the open page; it has nothing secret on it."""
    return _page("welcome.html")


@pages.get("/login")
def sign_in_form() -> BaseResponse:
    """Show the sign-in form."""
    return _page("sign_in.html", next=request.args.get("next", ""))


@pages.post("/login")
def sign_in() -> BaseResponse:
    """Check name and password and begin a session."""
    target = request.form.get("next", "")
    user = people.authenticate(request.form.get("username", ""), request.form.get("password", ""))
    if user is None:
        return _page("sign_in.html", 403, next=target, wrong=True)
    session.clear()
    session["user"] = user
    return redirect(people.page_after_sign_in(request.script_root, target), 303)


@pages.route("/logout", methods=["GET", "POST"])
def sign_out() -> BaseResponse:
    """End the session."""
    session.clear()
    return redirect(f"{request.script_root}/", 303)


@pages.get("/files")
@_for_signed_in
def file_list(_user: str) -> BaseResponse:
    """Show the list of files."""
    return _page("files.html", here="files", files=_shelf().documents())


@pages.get("/api/files")
@_for_signed_in
def file_list_json(_user: str) -> BaseResponse:
    """Give the list to a program."""
    files = [entry.summary() for entry in _shelf().documents()]
    return _answer_json({"handling": "confidential", "files": files})


@pages.get("/files/<name>")
@_for_signed_in
def file_content(_user: str, name: str) -> BaseResponse:
    """Give one file as it is."""
    found = _shelf().find(name)
    if found is None:
        return _answer_json({"error": "not_found", "detail": "There is no such file."}, 404)
    return Response(found.content, headers=found.headers)


@pages.put("/files/<name>")
@_for_signed_in
def upload(user: str, name: str) -> BaseResponse:
    """Take a file in, a chunk at a time."""
    try:
        with _shelf().upload(name, user) as incoming:
            while chunk := request.stream.read(CHUNK_BYTES):
                incoming.write(chunk)
    except UploadRefused as refused:
        return _answer_json({"error": "refused", "detail": str(refused)}, refused.status)
    return _answer_json({"name": name, "size": incoming.size}, 201)


@pages.get("/archive/")
@_for_signed_in
def archive(_user: str) -> BaseResponse:
    """Show the patient archive."""
    return _page("archive.html", here="archive", patients=PATIENTS)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the portal alone on loopback."""
    parser = argparse.ArgumentParser(description="The example portal (Flask), with nothing in front of it.")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default 8080)")
    port: int = parser.parse_args(argv).port
    secret = os.environ.get("PORTAL_SECRET") or secrets.token_urlsafe(32)
    run_simple("127.0.0.1", port, create_app(secret), threaded=True)


if __name__ == "__main__":
    main()
