"""What the pages of the roster show, as plain values; the companion of `admin_views.py`, under the same rules."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from mfa_gate.web.views import CodeProblem, Followed, Pause

RosterTrouble = Literal["unreadable", "incomplete", "too_large", "settling", "too_late"]


class ImportLine(Struct, frozen=True, kw_only=True):
    """One import as the trail has it."""

    at: int
    by: str
    reason: str
    added: int
    changed: int
    deactivated: int


class AdminRoster(Followed, frozen=True, kw_only=True):
    """Admin, Users, Import: the form for a file, what is in force, and who imported before.

    * `GET admin/users/import`
    * `POST` to the same, multipart: `csrf`, then `file`

    `on`: an import is in force that not every account has been told of; `telling`: how many it changes.
    """

    imports: tuple[ImportLine, ...] = ()
    telling: int = 0
    imported: bool = False
    trouble: RosterTrouble | None = None
    why: str = ""
    bad: tuple[tuple[int, str], ...] = ()
    bad_count: int = 0


class RosterPerson(Struct, frozen=True, kw_only=True):
    """Somebody whom an import would add, change or deactivate."""

    name: str
    user: str
    email: str


class AdminRosterOffer(Struct, frozen=True, kw_only=True):
    """What a roster would change, and the form that puts it in force.

    * `POST admin/users/import/confirm`: `offer`, `meant`, `reason`, `code`

    `many`: it deactivates so many, or somebody who administers, that it has to be said that this is meant.
    `again`: people are not named any more.
    """

    offer: str
    people: int
    listed: int
    added: int
    changed: int
    deactivated: int
    unchanged: int
    shown: Mapping[str, tuple[RosterPerson, ...]] = MappingProxyType({})
    many: bool = False
    administrators: tuple[str, ...] = ()
    meant: bool = False
    again: bool = False
    unsure: bool = False
    reason: str = ""
    reason_missing: bool = False
    problem: CodeProblem | None = None
    pause: Pause | None = None
