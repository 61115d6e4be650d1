"""Decides whom a portal's own session cookie names, whichever framework signed it; it must not know how that is signed.

It sees at least what the portal sees: where two frameworks would read a cookie differently, it says so.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from mfa_gate.core.accounts import Identity
from mfa_gate.core.cookies import cookie_values, join_cookie_headers
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.claims import groups_from, subject_from, text_from
from mfa_gate.identity.fit import Fit
from mfa_gate.identity.source import NOBODY, Reading
from mfa_gate.settings import FlaskSession, StarletteSession

MAX_SESSION_BYTES: Final = 64 * 1024
"""How much a session may unfold to: a compressed cookie of 4 KB can hold 4 MB."""
SKEW_SECONDS: Final = 60
"""How far the portal's clock may differ from ours; a cookie must not be nobody's here while the portal believes it."""

MOST_OTHERS: Final = 20
"""Cookies of one request in which a session is looked for that did not come under its name."""
_SHORTEST: Final = 30
"""Characters of payload, time and SHA-1 signature. Shorter text is not worth a signature check."""


class Unreadable(msgspec.Struct, frozen=True):
    """The portal signed it, but there is no session in it that we can read."""


UNREADABLE: Final = Unreadable()

Session = Mapping[str, object]
Opener = Callable[[str, int], Session | Unreadable | None]
"""(cookie's value, now) → the session in it; None if the portal did not sign it, or too long ago."""


class SessionCookieSource:
    """A signed session cookie and where in it the person stands."""

    def __init__(self, name: str, settings: FlaskSession | StarletteSession, opener: Opener) -> None:
        self.name = name
        self.realm = settings.realm
        self.carriers = frozenset((f"cookie:{settings.cookie}",))
        self.keyed_headers: frozenset[str] = frozenset()
        self.stable_session_id = bool(settings.session_id_field)
        self._settings = settings
        self._open = opener
        self._fit = Fit(settings)

    def read(self, request: GateRequest, now: int) -> Reading:
        """Whom the cookie names; whoever any copy names if it came twice."""
        line = join_cookie_headers(request.values("cookie"))
        values = cookie_values(line, self._settings.cookie)
        if not values:
            if line and self._fit.wants_other_cookies:
                self._look_elsewhere(line, now)
            return NOBODY
        identities: dict[Identity, None] = {}
        unreadable, ambiguous = False, len(values) > 1
        for value in dict.fromkeys(values):
            text, odd = _as_frameworks_read(value)
            ambiguous = ambiguous or odd
            session = self._open(text, now) if len(text) >= _SHORTEST else None
            found = UNREADABLE if isinstance(session, Unreadable) else session and self._person(session)
            if isinstance(found, Unreadable):
                unreadable = True
            elif found:
                identities[found] = None
        return Reading(
            identities=tuple(identities),
            duplicated=tuple(self.carriers) if ambiguous else (),
            unreadable=tuple(self.carriers) if unreadable else (),
        )

    def _person(self, session: Session) -> Identity | Unreadable | None:
        wanted = self._settings
        value = within(session, wanted.field)
        if value is None:
            self._fit.lacks("field", wanted.field, session)
        if value is None or value is False or value == "":
            return None
        subject = subject_from(value)
        if subject is None:
            return UNREADABLE
        session_id = (
            subject_from(within(session, wanted.session_id_field)) if wanted.session_id_field else None
        )
        # Security: without the promised id a new sign-in would look like the old one, and not be asked for a code.
        if wanted.session_id_field and session_id is None:
            self._fit.lacks("session_id_field", wanted.session_id_field, session)
            return None
        self._fit.named()
        return Identity(
            source=self.name,
            realm=self.realm,
            subject=subject,
            session_id=session_id,
            name=text_from(within(session, wanted.name_field)),
            email=text_from(within(session, wanted.email_field)),
            groups=groups_from(within(session, wanted.groups_field)) if wanted.groups_field else None,
            case_insensitive=wanted.case_insensitive,
        )

    def _look_elsewhere(self, line: str, now: int) -> None:
        """Whether the portal's session came under another name than that of the settings."""
        for pair in line.split(";", MOST_OTHERS)[:MOST_OTHERS]:
            name, _, value = pair.partition("=")
            text, _ = _as_frameworks_read(value)
            session = self._open(text, now) if len(text) >= _SHORTEST else None
            if isinstance(session, Mapping) and within(session, self._settings.field) is not None:
                self._fit.found_elsewhere(name.strip())
                return


def within(session: Session, path: str) -> object:
    """What stands at a dotted path, or None."""
    if "." not in path:
        return session.get(path)
    found: object = session
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _as_frameworks_read(value: str) -> tuple[str, bool]:
    """The value without blanks and quotes around it, and whether frameworks disagree about where it ends."""
    trimmed = value.strip()
    if not trimmed.startswith('"'):
        return trimmed, False
    inner = trimmed[1:-1]
    if len(trimmed) > 1 and trimmed.endswith('"') and '"' not in inner and "\\" not in inner:
        return inner, False
    # Security: Werkzeug reads an open quote past the semicolon, Starlette does not, both undo backslashes.
    return trimmed.strip('"'), True
