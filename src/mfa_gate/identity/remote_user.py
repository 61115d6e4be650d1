"""Decides whom the server's own REMOTE_USER names; it must not look at any header."""

from mfa_gate.core.accounts import Identity
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.claims import subject_from, utf8
from mfa_gate.identity.source import NOBODY, Reading
from mfa_gate.settings import RemoteUser

CARRIER = "remote_user"


class RemoteUserSource:
    """REMOTE_USER (RFC 3875 §4.1.11). It claims no `Authorization`: the portal may read that in another way."""

    def __init__(self, name: str, settings: RemoteUser) -> None:
        self.name = name
        self.realm = settings.realm
        self.carriers = frozenset((CARRIER,))
        self.keyed_headers: frozenset[str] = frozenset()
        self.stable_session_id = False
        self._case_insensitive = settings.case_insensitive

    def read(self, request: GateRequest, now: int) -> Reading:
        """Whom the server says it has authenticated."""
        del now
        if not request.remote_user:
            return NOBODY
        subject = subject_from(utf8(request.remote_user))
        if subject is None:
            return Reading(unreadable=(CARRIER,))
        identity = Identity(
            source=self.name, realm=self.realm, subject=subject, case_insensitive=self._case_insensitive
        )
        return Reading(identities=(identity,))
