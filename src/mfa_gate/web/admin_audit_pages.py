"""Audit: what happened, found by person, kind and day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import get_args

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.events import EventKind
from mfa_gate.core.listing import Filter
from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.finding import Sought, Trailing
from mfa_gate.web.admin_views import AdminAudit, AuditKind
from mfa_gate.web.admins import ADMINS, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.dates import begin_of, day_from, zone_named
from mfa_gate.web.lines import history_lines

EVENTS = 50
LOOKED_THROUGH = 200
_NOBODY = "nobody"
"""The id of no account: what somebody unknown did is nothing."""


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What a form was sent with, as far as it means anything."""

    person: str
    name: str
    kind: str
    first: date | None
    last: date | None
    sought: Sought
    """Which events it means."""

    @classmethod
    def of(cls, caller: Caller, fields: Mapping[str, str]) -> "AuditFilter":
        """The filter in an address or a form."""
        person, kind = fields.get("person", "").strip(), fields.get("kind", "")
        first, last = day_from(fields.get("from", "")), day_from(fields.get("to", ""))
        account = _account_of(caller, person) if person else None
        kind = kind if kind in get_args(EventKind) else ""
        zone = zone_named(caller.call.services.time_zone)
        return cls(
            person=person,
            name="" if account is None else account.name,
            kind=kind,
            first=first,
            last=last,
            sought=Sought(
                account_id=(_NOBODY if account is None else account.id) if person else None,
                kind=kind or None,
                since=None if first is None else begin_of(first, zone),
                until=None if last is None else begin_of(last + timedelta(days=1), zone),
            ),
        )

    @property
    def means_nobody(self) -> bool:
        """Whether it names somebody whom nobody knows."""
        return self.sought.account_id == _NOBODY

    @property
    def fields(self) -> dict[str, str]:
        """It as fields of an address."""
        fields = {
            "person": self.person,
            "kind": self.kind,
            "from": str(self.first or ""),
            "to": str(self.last or ""),
        }
        return {name: value for name, value in fields.items() if value}


def _audit(caller: Caller) -> GateResponse:
    call = caller.call
    wanted = AuditFilter.of(caller, call.query)
    before = call.query.get("before", "")
    is_position = before.isascii() and before.isdigit() and len(before) < 19
    trail = call.services.reporting.audit(
        wanted.sought, before=int(before) if is_position else None, limit=EVENTS
    )
    return caller.show(_view(caller, wanted, trail, is_first=not before))


def _view(caller: Caller, wanted: AuditFilter, trail: Trailing, *, is_first: bool) -> AdminAudit:
    url, fields = caller.call.url, wanted.fields
    stands = caller.call.services.reporting.wholeness()
    is_whole = stands.whole_at is not None and (stands.tampered_at or 0) < stands.whole_at
    return AdminAudit(
        lines=history_lines(trail.events, lambda account_id: url(f"admin/users/{account_id}")),
        kinds=tuple(AuditKind(value=each, current=each == wanted.kind) for each in get_args(EventKind)),
        person=wanted.person,
        kind=wanted.kind,
        since=fields.get("from", ""),
        until=fields.get("to", ""),
        first_href=None if is_first else url("admin/audit", **fields),
        next_href=url("admin/audit", **fields, before=trail.before) if trail.before else None,
        archived_before=trail.archived_before,
        verified_at=stands.whole_at if is_whole else None,
        tampered_at=None if is_whole else stands.tampered_at,
        tampered_href=url("admin/audit", kind="tampering_noticed"),
        export_href=url("admin/audit/export", **fields),
    )


def _account_of(caller: Caller, person: str) -> Account | None:
    """The account that an account name, a name or an e-mail address means; the first if several do."""
    call, wanted = caller.call, fold_subject(person)
    found = call.services.reporting.everybody(Filter(prefix=person), now=call.now)
    accounts = [row.account for row in islice(found, LOOKED_THROUGH)]
    ranked = [
        *(account for account in accounts if fold_subject(account.subject) == wanted),
        *(
            account
            for account in accounts
            if wanted in {fold_subject(account.name), fold_subject(account.email)}
        ),
    ]
    return ranked[0] if ranked else None


show_audit = shows_to(ADMINS, _audit)
