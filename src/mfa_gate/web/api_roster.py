"""The roster by the API: sent as a file, answered with what it would change, and put in force like on its page."""

from typing import Any, Final, get_args

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.responses import problem
from mfa_gate.core.roster import RosterHead, RosterRow
from mfa_gate.flows.importing import GOOD_SECONDS, Kind, StillSettling, TooLate
from mfa_gate.flows.results import Confirmation, NotAllowed, Rejected
from mfa_gate.flows.roster_desk import BadRoster, Offer, Shown, Unsure
from mfa_gate.ports import Recorded
from mfa_gate.web.api_admin import REFUSES, no_admin
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_problems import Refusal, refused
from mfa_gate.web.api_roster_schema import (
    ImportRoster,
    RosterImport,
    RosterOffer,
    RosterPerson,
    RosterState,
)
from mfa_gate.web.api_schema import Doer, GiveCode, Nothing
from mfa_gate.web.uploads import Body, Incomplete, Whole

IMPORTS: Final = 50
_SETTLING: Final = "The import before this one has not reached every account yet. Try again in a while."
_TOO_LATE: Final = "Another import was quicker, or the offer is too old. Send the roster again."
_UNSURE: Final = "It deactivates so many, or who administers: send `meant` if the file is complete."


def _offer(call: Call, body: Body) -> GateResponse:
    desk = call.services.roster_desk
    try:
        result = desk.offer(call.visitor, Whole(body, call.request), call.now)
    except Incomplete:
        return problem(400, "invalid", "The file did not arrive as a whole. Send it again.")
    match result:
        case Shown(preview=preview, offer=offer):
            return call.answer(
                RosterOffer(
                    offer=call.services.signers.roster.sign(offer, call.now),
                    people=preview.people,
                    listed=preview.listed,
                    counts=preview.counts,
                    shown={kind: tuple(map(_person, rows)) for kind, rows in preview.shown.items()},
                    deactivates_many=preview.wants_confirmation,
                    administrators=preview.administrators,
                )
            )
        case BadRoster():
            errors = {f"line {line}": why for line, why in result.lines}
            detail = result.why or f"{result.count:,} lines cannot be read. Nothing was imported."
            return problem(422, "invalid", detail, errors=errors or None)
        case StillSettling():
            return problem(409, "conflict", _SETTLING)
        case refusal:
            return refused(call, refusal, power="administer")


def _import(call: Call, sent: ImportRoster) -> GateResponse:
    offer = call.services.signers.roster.read(sent.offer, Offer, call.now, GOOD_SECONDS)
    if offer is None:
        return no_admin(call) or problem(409, "conflict", _TOO_LATE)
    confirmation, confirm = None, sent.confirm
    if confirm is not None:
        if confirm.factor == "access_pass":
            return no_admin(call) or refused(call, Rejected())
        confirmation = Confirmation(factor=confirm.factor, code=confirm.code)
    result: RosterHead | TooLate | Unsure | Refusal = call.services.roster_desk.confirm(
        call.visitor, offer, sent.reason, call.now, meant=sent.meant, confirmation=confirmation
    )
    match result:
        case RosterHead():
            return call.answer(_told(call))
        case TooLate():
            return problem(409, "conflict", _TOO_LATE)
        case Unsure():
            return problem(422, "invalid", _UNSURE, errors={"meant": _UNSURE})
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case refusal:
            return refused(call, refusal, power="administer")


def _state(call: Call, _: Nothing) -> GateResponse:
    return call.answer(_told(call))


def _told(call: Call) -> RosterState:
    desk = call.services.roster_desk
    head = desk.head()
    return RosterState(
        number=head.number,
        telling=head.rows if head.import_id else 0,
        imports=tuple(map(_past, desk.imports(IMPORTS))),
    )


def _past(recorded: Recorded) -> RosterImport:
    event = recorded.event
    return RosterImport(
        at=event.at,
        by=Doer.of(event.actor),
        reason=event.details.get("reason", ""),
        counts={kind: int(event.details.get(kind, "0")) for kind in get_args(Kind)},
        sha256=event.details.get("sha256", ""),
    )


def _person(row: RosterRow) -> RosterPerson:
    return RosterPerson(subject=row.subject, realm=row.realm, name=row.name, email=row.email)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="GET",
        path="/admin/roster",
        name="read_roster",
        summary="Which roster is in force, and who imported before",
        takes=Nothing,
        answers=RosterState,
        run=_state,
        refuses=REFUSES,
        guard=no_admin,
    ),
    Operation(
        method="POST",
        path="/admin/roster/offers",
        name="offer_roster",
        summary="Send a roster as a CSV file and read what it would change; nothing of it counts yet",
        takes=Nothing,
        answers=RosterOffer,
        run=_state,
        file="text/csv",
        reads=_offer,
        refuses=(*REFUSES, (409, "conflict"), (411, "invalid")),
        guard=no_admin,
        example=Nothing(),
    ),
    Operation(
        method="POST",
        path="/admin/roster",
        name="import_roster",
        summary="Put an offered roster in force, as a whole; carries a fresh code",
        takes=ImportRoster,
        answers=RosterState,
        run=_import,
        refuses=(*REFUSES, (401, "code_rejected"), (409, "conflict"), (429, "paused")),
        guard=no_admin,
        example=ImportRoster(
            offer="eyJ…", reason="Roster of March", confirm=GiveCode(factor="totp", code="123456")
        ),
    ),
)
