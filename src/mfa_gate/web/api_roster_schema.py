"""What the API says and takes about a roster, as typed values; the companion of `api_schema.py`."""

from typing import Annotated

from msgspec import Meta, Struct

from mfa_gate.flows.importing import Kind
from mfa_gate.web.api_schema import Doer, GiveCode, Reason, Taken


class RosterPerson(Struct, frozen=True, kw_only=True):
    """Somebody whom an import would add, change or deactivate."""

    subject: str
    realm: str
    name: str
    email: str


class RosterOffer(Struct, frozen=True, kw_only=True):
    """What a roster would change. Nothing of it counts before `offer` is sent back, within half an hour."""

    offer: str
    people: int
    listed: Annotated[int, Meta(description="People who were on the roster and active before.")]
    counts: dict[Kind, int]
    shown: Annotated[dict[Kind, tuple[RosterPerson, ...]], Meta(description="The first 20 of each kind.")]
    deactivates_many: Annotated[
        bool, Meta(description="It takes `meant`: a file that was cut short looks like that.")
    ]
    administrators: Annotated[tuple[str, ...], Meta(description="Who administers and would be deactivated.")]


class ImportRoster(Taken, frozen=True, kw_only=True):
    """Puts what was offered in force, as a whole. Critical: carries a fresh code."""

    offer: Annotated[str, Meta(max_length=4000, description="As `offer_roster` answered it.")]
    reason: Reason
    meant: Annotated[bool, Meta(description="That it deactivates so many, or who administers, is meant.")] = (
        False
    )
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None


class RosterImport(Struct, frozen=True, kw_only=True):
    """One import."""

    at: int
    by: Doer
    reason: str
    counts: dict[Kind, int]
    sha256: Annotated[str, Meta(description="Of the file; empty where it was none.")]


class RosterState(Struct, frozen=True, kw_only=True):
    """Which roster is in force: how many times the pointer was moved, and how many accounts are still being told."""

    number: int
    telling: int
    imports: tuple[RosterImport, ...]
