"""What turning the requirement on would do now: how many, who, and which traffic would be refused; lists to export.

It judges everybody by the saved policy as if its switch were on. It knows no HTTP; who may is `Authority`'s to say.
Methods may raise `StoreUnavailable`, and so may reading the lines of an export.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.impact import LISTS, ListName, lists_of, turned_on
from mfa_gate.core.listing import Filter, Place
from mfa_gate.core.policy import Standing, standing
from mfa_gate.flows.acting import clean_reason, shell
from mfa_gate.flows.authority import ADMINS, Authority
from mfa_gate.flows.exporting import Exported, Form, moment
from mfa_gate.flows.finding import LONGEST_PAGE
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
from mfa_gate.ports import Directory, Policies, Traffic

MOST: Final = 20_000
"""How many people one answer is counted from; the command line counts everybody."""
WITHOUT_FACTOR: Final = Filter(statuses=("missing", "grace"))
COLUMNS: Final = ("user", "realm", "name", "email", "groups", "first_seen", "deadline")

Judged = tuple[Account, Standing]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of people without two-step, exemptions aside; `traffic` by (route prefix, kind of credential).

    `complete`: False if there are more people than were looked at, so that each number may be larger.
    """

    stopped: int = 0
    has_time: int = 0
    not_asked: int = 0
    never_seen: int = 0
    without_email: int = 0
    complete: bool = True
    traffic: dict[tuple[str, str], int] = {}


class Impacts:
    """One per process."""

    def __init__(
        self, authority: Authority, policies: Policies, directory: Directory, traffic: Traffic
    ) -> None:
        self._authority = authority
        self._policies = policies
        self._directory = directory
        self._traffic = traffic

    def preview(self, now: int, *, most: int | None = MOST) -> Preview:
        """What would come of it; counted from at most `most` people, or from all."""
        counts = dict.fromkeys(LISTS, 0)
        complete = True
        for number, judged in enumerate(self._everybody(now)):
            if most is not None and number >= most:
                complete = False
                break
            for name in lists_of(*judged):
                counts[name] += 1
        return Preview(
            stopped=counts["stopped"],
            has_time=counts["has_time"],
            not_asked=counts["not_asked"],
            never_seen=counts["never_seen"],
            without_email=counts["without_email"],
            complete=complete,
            traffic=self._traffic.traffic(),
        )

    def export(
        self,
        visitor: Visitor,
        name: ListName,
        reason: str,
        now: int,
        *,
        confirmation: Confirmation | None,
        form: Form = "csv",
    ) -> Exported | NotAllowed | NeedsVerification | ReasonMissing | Rejected | Paused:
        """One list as a file. Administrators only, with a code of the app in the same request."""
        me = self._authority.enters(visitor, "export", "", now, roles=ADMINS)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        refusal = self._authority.confirmed(me, confirmation, now)
        return refusal or self._begun(name, me.actor, given, now, form)

    def export_from_shell(
        self, os_user: str, name: ListName, reason: str, now: int
    ) -> Exported | ReasonMissing:
        """The same by somebody on the server's own shell, with a reason and without a code."""
        given = clean_reason(reason)
        return ReasonMissing() if given is None else self._begun(name, shell(os_user), given, now)

    def _begun(self, name: ListName, actor: Actor, reason: str, now: int, form: Form = "csv") -> Exported:
        # No record, no export: it is committed before anything is read.
        details = {"list": name, "reason": reason}
        exported = Event(
            kind="list_exported",
            account_id=ORG,
            subject="",
            at=now,
            actor=actor,
            details=details,
            notify=("admins",),
        )
        self._policies.record((exported,), now)
        rows = self._traffic_rows() if name == "traffic" else self._rows(name, now)
        if form == "csv":
            return Exported(form="csv", lines=csv_lines(rows))
        columns = next(rows)
        objects = (dict(zip(columns, row, strict=True)) for row in rows)
        return Exported(form="jsonl", lines=(msgspec.json.encode(each) + b"\n" for each in objects))

    def _rows(self, name: ListName, now: int) -> Iterator[tuple[str | int, ...]]:
        yield COLUMNS
        for account, stands in self._everybody(now):
            if name in lists_of(account, stands):
                seen, deadline = account.first_seen_at, stands.deadline
                yield (
                    account.subject,
                    account.realm,
                    account.name,
                    account.email,
                    ", ".join(account.all_groups),
                    moment(seen) if seen else "",
                    "" if deadline is None else moment(deadline),
                )

    def _traffic_rows(self) -> Iterator[tuple[str | int, ...]]:
        yield "route", "credential", "requests"
        for (route, credential), count in sorted(self._traffic.traffic().items()):
            yield route, credential, count

    def _everybody(self, now: int) -> Iterator[Judged]:
        """Everybody without two-step and without an exemption, as they would stand if it were on."""
        policy = turned_on(self._policies.policy(), now)
        after: Place | None = None
        while True:
            page = self._directory.people(WITHOUT_FACTOR, after=after, limit=LONGEST_PAGE, now=now)
            for row in page.rows:
                yield row.account, standing(row.account, policy, now)
            after = page.next
            if after is None:
                return
