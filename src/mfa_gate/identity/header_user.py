"""Decides whom the headers of a trusted proxy name; it must not decide which proxy is trusted."""

from mfa_gate.core.accounts import Identity
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.claims import groups_from, subject_from, text_from, utf8
from mfa_gate.identity.source import NOBODY, Reading
from mfa_gate.settings import HeaderUser


class HeaderUserSource:
    """A header with the user's name, and perhaps more with name, e-mail and groups."""

    def __init__(self, name: str, settings: HeaderUser) -> None:
        self.name = name
        self.realm = settings.realm
        self.stable_session_id = False
        self._user = settings.name.lower()
        self._name = settings.name_header.lower()
        self._email = settings.email_header.lower()
        self._groups = settings.groups_header.lower()
        self._case_insensitive = settings.case_insensitive
        self.keyed_headers = frozenset(filter(None, (self._user, self._name, self._email, self._groups)))
        self.carriers = frozenset((f"header:{self._user}",))

    def read(self, request: GateRequest, now: int) -> Reading:
        """Whom the proxy names; nobody unless the peer is a trusted one."""
        del now
        # Security: from anybody else it is the client's own word (Caddy CVE-2026-30851, Gogs CVE-2026-25119).
        if not request.peer_trusted:
            return NOBODY
        # Security: WSGI servers join two headers of one name by a comma, so a comma is a second header.
        spoken = [utf8(part).strip() for value in request.values(self._user) for part in value.split(",")]
        if not any(spoken):
            return NOBODY
        subjects = [subject_from(part) for part in dict.fromkeys(spoken) if part]
        twice = [name for name in self.keyed_headers if len(request.values(name)) > 1]
        if len(spoken) > 1 and self._user not in twice:
            twice.append(self._user)
        return Reading(
            identities=tuple(self._identity(subject, request) for subject in subjects if subject is not None),
            duplicated=tuple(sorted(f"header:{name}" for name in twice)),
            unreadable=tuple(self.carriers) if None in subjects else (),
        )

    def _identity(self, subject: str, request: GateRequest) -> Identity:
        return Identity(
            source=self.name,
            realm=self.realm,
            subject=subject,
            name=text_from(_only(request, self._name)),
            email=text_from(_only(request, self._email)),
            groups=groups_from(_only(request, self._groups)) if self._groups else None,
            case_insensitive=self._case_insensitive,
        )


def _only(request: GateRequest, name: str) -> str:
    values = request.values(name) if name else ()
    return utf8(values[0]) if len(values) == 1 else ""
