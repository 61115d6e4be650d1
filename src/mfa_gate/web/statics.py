"""What is open to everybody and the same for all: style sheets, scripts, pictures, the logo, and whether we are alive.

Nobody is attributed here, and the store is asked for nothing but whether it is there.
"""

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from mfa_gate.core.messages import GateResponse, printable
from mfa_gate.web import answers, assets
from mfa_gate.web.callers import Call
from mfa_gate.web.theme import theme_css
from mfa_gate.web.views import SignInRequired

log = logging.getLogger("mfa_gate")

LOGO_KINDS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


def show_asset(call: Call) -> GateResponse:
    """A file of our own."""
    found = assets.static_asset(call.params["name"])
    if found is None:
        return call.say("not_found")
    content, kind = found
    return answers.asset(content, kind, keep=assets.may_be_kept(call.params["name"]))


def show_theme(call: Call) -> GateResponse:
    """The organization's color; its address names it, so that it can be kept."""
    accent = call.services.accent
    keep = call.query.get("v", "") == accent.lstrip("#").lower()
    return answers.asset(theme_css(accent).encode(), "text/css; charset=utf-8", keep=keep)


def logo_from(path: Path | None) -> Callable[[Call], GateResponse]:
    """The handler that shows the file of the setting `logo`, read once."""

    @cache
    def content() -> bytes | None:
        try:
            return None if path is None else path.read_bytes()
        except OSError as error:
            log.warning("logo: %s", error)
            return None

    def show_logo(call: Call) -> GateResponse:
        kind = None if path is None else LOGO_KINDS.get(path.suffix.lower())
        picture = content()
        if picture is None or kind is None:
            return call.say("not_found")
        return answers.asset(picture, kind, keep=False)

    return show_logo


def show_sign_in(call: Call) -> GateResponse:
    """Where a browser is led that nobody can be named for, if the settings do not say where people sign in."""
    return call.page(SignInRequired(sign_in_url=None), call.context())


def show_live(_: Call) -> GateResponse:
    """This process answers."""
    return answers.text("ok\n")


def show_ready(call: Call) -> GateResponse:
    """Whether this process can do its work; why not stands in the log, not in an answer to a stranger.

    A job that is late makes no process unready: taking it away from people would not bring the job on. Nor does a clock
    that is wrong: whoever is verified goes on, and of all processes each would be taken away if it is the server's.
    """
    found = call.services.ready()
    for sentence in found.missing:
        log.warning("not ready: %s", printable(sentence, 1_000))
    for sentence in found.wrong:
        log.warning("%s", printable(sentence, 1_000))
    body = {"ready": not found.missing, "jobs": found.jobs, "clock": found.clock}
    return answers.json(msgspec.json.encode(body), status=503 if found.missing else 200)
