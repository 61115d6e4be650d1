"""Exports the audit trail, or what is chosen of it: a critical act that stands in the trail before anything is read.

It knows no HTTP; who may is `Authority`'s to say. Methods may raise `StoreUnavailable`, and so may reading the lines.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from mfa_gate.core.checkpoints import Entry
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.messages import printable
from mfa_gate.flows.acting import clean_reason, shell
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.authority import ADMINS, Authority
from mfa_gate.flows.choosing import chosen
from mfa_gate.flows.export_lines import Begin, Sign, lines
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.results import (
    Confirmation,
    NeedsVerification,
    NotAllowed,
    Paused,
    ReasonMissing,
    Rejected,
)
from mfa_gate.flows.spreadsheets import csv_lines
from mfa_gate.flows.trails import Item
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Store

Form = Literal["jsonl", "csv"]
COLUMNS: Final = (
    "at",
    "event",
    "person",
    "account",
    "by",
    "realm",
    "address",
    "surface",
    "details",
    "shard",
    "position",
)
_ALARMED: Final[tuple[Literal["admins"], ...]] = ("admins",)


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """An export that may be read, once, as a stream: `lines` read the store while they are taken."""

    form: Form
    lines: Iterator[bytes]


class Exporting:
    """One per process. `sign` and `is_ours`: with the keys that sign checkpoints."""

    def __init__(self, authority: Authority, store: Store, sign: Sign, is_ours: IsOurs) -> None:
        self._authority = authority
        self._store = store
        self._sign = sign
        self._is_ours = is_ours

    def export(
        self,
        visitor: Visitor,
        sought: Sought,
        form: Form,
        reason: str,
        now: int,
        *,
        confirmation: Confirmation | None,
    ) -> Exported | NotAllowed | NeedsVerification | ReasonMissing | Rejected | Paused:
        """The events that are meant, oldest first. Administrators only, with a code of the app in the same request.

        # Security: names, addresses and habits of everybody; a page of the portal must not fetch them with a
        session that it rides.
        """
        me = self._authority.enters(visitor, "export", "", now, roles=ADMINS)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        refusal = self._authority.confirmed(me, confirmation, now)
        return refusal or self._begun(sought, form, me.actor, given, now)

    def export_from_shell(
        self, os_user: str, sought: Sought, form: Form, reason: str, now: int
    ) -> Exported | ReasonMissing:
        """The same by somebody on the server's own shell, with a reason and without a code."""
        given = clean_reason(reason)
        return ReasonMissing() if given is None else self._begun(sought, form, shell(os_user), given, now)

    def _begun(self, sought: Sought, form: Form, actor: Actor, reason: str, now: int) -> Exported:
        # No record, no export: it is committed before anything is read, and is itself in what is exported.
        self._store.record((_exported(sought, form, actor, reason, now),), now)
        items = chosen(self._store.stream, sought, self._is_ours)
        if form == "csv":
            return Exported(form=form, lines=csv_lines(_rows(items)))
        begin = Begin(
            store=self._store.store_id,
            shards=self._store.stream.shards,
            at=now,
            by=actor.shown,
            account=sought.account_id,
            kind=sought.kind,
            since=sought.since,
            until=sought.until,
            begins=self._store.stream.beginning().number,
        )
        return Exported(form=form, lines=lines(begin, items, self._sign))


def _exported(sought: Sought, form: Form, actor: Actor, reason: str, now: int) -> Event:
    wanted = {
        "account": sought.account_id,
        "kind": sought.kind,
        "since": None if sought.since is None else moment(sought.since),
        "until": None if sought.until is None else moment(sought.until),
    }
    chosen_by = {name: printable(value, 100) for name, value in wanted.items() if value is not None}
    return Event(
        kind="trail_exported",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details={"form": form, **chosen_by, "reason": reason},
        notify=_ALARMED,
    )


def moment(at: int) -> str:
    """A time as it stands in files, whoever reads them where (RFC 3339)."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _rows(items: Iterator[Item]) -> Iterator[tuple[str | int, ...]]:
    yield COLUMNS
    for item in items:
        if isinstance(item, tuple):
            yield _row(*item)


_event: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(Event).decode


def _row(shard: str, entry: Entry) -> tuple[str | int, ...]:
    try:
        event = _event(entry.record)
    except (msgspec.MsgspecError, ValueError):
        unread = entry.record.decode("utf-8", "replace")
        return "", "", "", entry.account_id, "", "", "", "", unread, shard, entry.position
    actor = event.actor
    details = "; ".join(f"{name}: {value}" for name, value in event.details.items())
    return (
        moment(event.at),
        event.kind,
        event.subject,
        entry.account_id,
        actor.subject,
        actor.realm,
        actor.address,
        actor.surface,
        details,
        shard,
        entry.position,
    )
