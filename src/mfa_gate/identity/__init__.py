"""Identity sources: who the first factor says this is. They read a request; they know no account and no policy."""

from collections import Counter
from typing import assert_never

from mfa_gate.identity.attribution import Attribution, attribute
from mfa_gate.identity.flask_session import flask_opener
from mfa_gate.identity.header_user import HeaderUserSource
from mfa_gate.identity.remote_user import RemoteUserSource
from mfa_gate.identity.session_cookie import SessionCookieSource
from mfa_gate.identity.source import IdentitySource, Reading
from mfa_gate.identity.starlette_session import starlette_opener
from mfa_gate.settings import (
    FlaskSession,
    HeaderUser,
    RemoteUser,
    Settings,
    SourceSettings,
    StarletteSession,
)

__all__ = ["Attribution", "IdentitySource", "Reading", "attribute", "build_sources"]


def build_sources(settings: Settings) -> tuple[IdentitySource, ...]:
    """The configured sources, in the file's order. A kind that is there twice is told apart by what it reads."""
    kinds = Counter(source.source for source in settings.identity)
    return tuple(_built(source, alone=kinds[source.source] == 1) for source in settings.identity)


def _built(settings: SourceSettings, *, alone: bool) -> IdentitySource:
    kind = settings.source
    match settings:
        case FlaskSession():
            name = kind if alone else f"{kind}:{settings.cookie}"
            return SessionCookieSource(name, settings, flask_opener(settings))
        case StarletteSession():
            name = kind if alone else f"{kind}:{settings.cookie}"
            return SessionCookieSource(name, settings, starlette_opener(settings))
        case HeaderUser():
            return HeaderUserSource(kind if alone else f"{kind}:{settings.name.lower()}", settings)
        case RemoteUser():
            return RemoteUserSource(kind, settings)
        case _:
            assert_never(settings)
