"""Whom a list of people shows, in which order, and where in it somebody stands; it must not know how they are found."""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec
from msgspec.structs import replace

from mfa_gate.core.policy import Status

Sort = Literal["name", "-name", "last_verified", "-last_verified"]
"""By name, or by when somebody was last verified and then by name; with `-` from the last to the first."""

SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
BACKWARDS: Final[Mapping[Sort, Sort]] = MappingProxyType(
    {
        "name": "-name",
        "-name": "name",
        "last_verified": "-last_verified",
        "-last_verified": "last_verified",
    }
)
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
ACTIVE: Final[tuple[Status, ...]] = tuple(status for status in STATUSES if status != "inactive")
"""Who counts: an account that is not active is in no coverage, and in no list that does not ask for it."""


def asked(status: Status | None) -> tuple[Status, ...]:
    """The statuses of a list for which one was chosen, or none."""
    return ACTIVE if status is None else (status,)


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom to show: who has one of these statuses and fits everything else that is set.

    `group` as the portal spells it; `never_seen`: known, but never signed in; `prefix` begins a name, an e-mail
    address or an account name, whatever its case.
    """

    statuses: tuple[Status, ...] = STATUSES
    group: str | None = None
    never_seen: bool = False
    prefix: str = ""


EVERYBODY: Final = Filter()


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where somebody stands in a list. A page begins after a place, so that whoever comes in between shifts none."""

    sort: Sort
    last_verified_at: int
    name_key: str
    account_id: str

    @property
    def backwards(self) -> "Place":
        """The same place in the list that begins at the other end."""
        return replace(self, sort=BACKWARDS[self.sort])

    @property
    def cursor(self) -> str:
        """The place as text for an address."""
        return base64.urlsafe_b64encode(_WRITE.encode(self)).rstrip(b"=").decode()

    @classmethod
    def of(cls, cursor: str, sort: Sort) -> "Place | None":
        """The place of a cursor, which comes from an address; None for one that no list in this order has made.

        # Security: a cursor is no proof of anything. A made-up one is some place in a list that its maker may see.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            place = _READ.decode(raw)
            made_here = place.cursor == cursor
        except (msgspec.MsgspecError, ValueError):
            return None
        fits = made_here and place.sort == sort and 0 <= place.last_verified_at < _LATEST
        return place if fits else None


_WRITE: Final = msgspec.json.Encoder()
_READ: Final = msgspec.json.Decoder(Place)
_LATEST: Final = 2**36
"""What nine hex digits hold."""
