"""What an identity source is: from a request to whom its credential names; it must not know what they may do."""

from typing import Protocol

import msgspec

from mfa_gate.core.accounts import Identity
from mfa_gate.core.messages import GateRequest


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one source read from one request. No identities: nobody."""

    identities: tuple[Identity, ...] = ()
    """Whoever any copy of the credential names; more than one only if it came more than once."""
    duplicated: tuple[str, ...] = ()
    """Carriers that came twice, or in a spelling that two frameworks read differently."""
    unreadable: tuple[str, ...] = ()
    """Carriers with something genuine in them that the portal may believe and this source cannot read."""


NOBODY = Reading()


class IdentitySource(Protocol):
    """Reads one kind of credential. It never guesses and never raises: what it does not understand names nobody."""

    @property
    def name(self) -> str:
        """What tells this source from the others of one gate."""

    @property
    def realm(self) -> str:
        """The namespace of the people whom it names."""

    @property
    def carriers(self) -> frozenset[str]:
        """The credentials that it understands: `cookie:session`, `header:authorization` …"""

    @property
    def keyed_headers(self) -> frozenset[str]:
        """Lower-case names of the headers, beside `cookie`, on which its answer depends."""

    @property
    def stable_session_id(self) -> bool:
        """Whether its identities name the portal sign-in that they come from."""

    def read(self, request: GateRequest, now: int) -> Reading:
        """Whom the request's credential names."""
