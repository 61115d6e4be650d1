"""Exports exactly those people whom a list shows: a critical act that stands in the trail before anything is read.

It knows no HTTP; who may is `Authority`'s to say. Methods may raise `StoreUnavailable`, and so may reading the lines.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.listing import ACTIVE, Filter, Sort
from mfa_gate.core.messages import printable
from mfa_gate.core.policy import Policy, is_exempt, standing, usable_factors
from mfa_gate.flows.acting import clean_reason, shell
from mfa_gate.flows.authority import ADMINS, Authority
from mfa_gate.flows.exporting import Exported, Form, moment
from mfa_gate.flows.reporting import everybody
from mfa_gate.flows.results import (
    Confirmation,
    NeedsVerification,
    NotAllowed,
    Paused,
    ReasonMissing,
    Rejected,
)
from mfa_gate.flows.spreadsheets import csv_lines
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Directory, Policies, Row


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person in an export; the fields are its columns. Times are as in RFC 3339, empty for never or none."""

    id: str
    user: str
    realm: str
    name: str
    email: str
    groups: tuple[str, ...]
    status: str
    factors: tuple[str, ...]
    deadline: str
    exempt_until: str
    exempt_because: str
    exempt_by: str
    first_seen: str
    last_verified: str


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to export, in which order and form."""

    who: Filter
    sort: Sort = "name"
    form: Form = "jsonl"


COLUMNS: Final = Person.__struct_fields__


class PeopleExport:
    """One per process."""

    def __init__(self, authority: Authority, policies: Policies, directory: Directory) -> None:
        self._authority = authority
        self._policies = policies
        self._directory = directory

    def export(
        self,
        visitor: Visitor,
        wanted: Extract,
        reason: str,
        now: int,
        *,
        confirmation: Confirmation | None,
    ) -> Exported | NotAllowed | NeedsVerification | ReasonMissing | Rejected | Paused:
        """Everybody who fits, in order. Administrators only, with a code of the app in the same request.

        # Security: names and addresses of everybody; a page of the portal must not fetch them with a session that it
        rides.
        """
        me = self._authority.enters(visitor, "export", "", now, roles=ADMINS)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        refusal = self._authority.confirmed(me, confirmation, now)
        return refusal or self._begun(wanted, me.actor, given, now)

    def export_from_shell(
        self, os_user: str, wanted: Extract, reason: str, now: int
    ) -> Exported | ReasonMissing:
        """The same by somebody on the server's own shell, with a reason and without a code."""
        given = clean_reason(reason)
        return ReasonMissing() if given is None else self._begun(wanted, shell(os_user), given, now)

    def _begun(self, wanted: Extract, actor: Actor, reason: str, now: int) -> Exported:
        # No record, no export: it is committed before anybody is read.
        self._policies.record((_exported(wanted.who, wanted.form, actor, reason, now),), now)
        people = self._people(everybody(self._directory, wanted.who, sort=wanted.sort, now=now), now)
        if wanted.form == "csv":
            return Exported(form="csv", lines=csv_lines(_rows(people)))
        return Exported(form="jsonl", lines=(msgspec.json.encode(person) + b"\n" for person in people))

    def _people(self, rows: Iterator[Row], now: int) -> Iterator[Person]:
        policy = self._policies.policy()
        return (_person(row, policy, now) for row in rows)


def _rows(people: Iterator[Person]) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for person in people:
        cells = msgspec.structs.astuple(person)
        yield tuple(cell if isinstance(cell, str) else ", ".join(cell) for cell in cells)


def _person(row: Row, policy: Policy, now: int) -> Person:
    """Security: field by field, since an account also holds secrets and hashes."""
    account = row.account
    deadline = standing(account, policy, now).deadline
    exemption = account.exemption if is_exempt(account, now) else None
    return Person(
        id=account.id,
        user=account.subject,
        realm=account.realm,
        name=account.name,
        email=account.email,
        groups=account.all_groups,
        status=row.status,
        factors=usable_factors(account, policy),
        deadline=_time(deadline),
        exempt_until=_time(exemption.until if exemption else None),
        exempt_because=exemption.reason if exemption else "",
        exempt_by=exemption.approved_by if exemption else "",
        first_seen=_time(account.first_seen_at),
        last_verified=_time(account.last_verified_at),
    )


def _time(at: int | None) -> str:
    return moment(at) if at else ""


def _exported(who: Filter, form: Form, actor: Actor, reason: str, now: int) -> Event:
    wanted = {
        "status": "" if who.statuses == ACTIVE else ", ".join(who.statuses),
        "q": who.prefix,
        "group": who.group or "",
        "never_seen": "1" if who.never_seen else "",
    }
    chosen = {name: printable(value, 100) for name, value in wanted.items() if value}
    return Event(
        kind="people_exported",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details={"form": form, **chosen, "reason": reason},
        notify=("admins",),
    )
