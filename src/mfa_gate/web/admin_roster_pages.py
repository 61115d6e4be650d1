"""Users, Import: takes a roster as a file, shows what it would change, and puts it in force once that is meant."""

from dataclasses import replace as with_
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.roster import RosterHead, RosterRow
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.importing import GOOD_SECONDS, Kind, Preview, StillSettling, TooLate
from mfa_gate.flows.results import Confirmation, NeedsVerification, NotAllowed, ReasonMissing
from mfa_gate.flows.roster_desk import BadRoster, Offer, Shown, Unsure
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.ports import Recorded
from mfa_gate.web.admin_roster_views import (
    AdminRoster,
    AdminRosterOffer,
    ImportLine,
    RosterPerson,
    RosterTrouble,
)
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form, Unreadable
from mfa_gate.web.notices import tell, told
from mfa_gate.web.protect import accepted, is_foreign
from mfa_gate.web.proving import freshly_verified, paused, retry_after
from mfa_gate.web.uploads import Incomplete, opened

IMPORTS: Final = 10
"""Imports that the page lists."""
PAGE: Final = "admin/users/import"
_KINDS: Final[tuple[Kind, ...]] = ("added", "changed", "deactivated")
IMPORTED: Final = "imported"


def _show(caller: Caller) -> GateResponse:
    view = _view(caller)
    return caller.show(replace(view, imported=told(caller, (IMPORTED,)) is not None))


def _take(caller: Caller) -> GateResponse:
    """A file, read as it comes, after the fields of its form were judged."""
    call = caller.call
    if is_foreign(call):
        return call.say("form_foreign", retry=PAGE)
    body = call.body
    found = Unreadable(415) if body is None else opened(call.request, body)
    if body is None or (isinstance(found, Unreadable) and found.status == 415):
        # No form of ours sends this, so that nothing in it says that it came from one.
        return call.say("form_expired", retry=PAGE)
    if isinstance(found, Unreadable):
        too_large = found.status == 413
        return _refused(caller, "too_large" if too_large else "incomplete", 413 if too_large else 400)
    form, upload = found
    held = accepted(with_(caller, call=with_(call, sent=form)), back=PAGE)
    if isinstance(held, GateResponse):
        return held
    try:
        result = call.services.roster_desk.offer(caller.visitor, upload, call.now)
        # A browser that is still sending listens to no answer.
        body.drain()
    except Incomplete:
        return _refused(caller, "incomplete", 400)
    match result:
        case Shown(preview=preview, offer=offer):
            return caller.show(_offered(caller, preview, offer))
        case BadRoster():
            view = replace(_view(caller), bad=result.lines, bad_count=result.count, why=result.why)
            return caller.show(replace(view, trouble="unreadable"), status=422)
        case StillSettling():
            return _refused(caller, "settling", 409)
        case NotAllowed():
            return call.say("not_allowed")
        case NeedsVerification():
            return caller.go(PAGE)


def _refused(caller: Caller, trouble: RosterTrouble, status: int) -> GateResponse:
    return caller.show(replace(_view(caller), trouble=trouble), status=status)


def _confirm(caller: Caller, form: Form) -> GateResponse:
    call = caller.call
    offer = call.services.signers.roster.read(form.get("offer"), Offer, call.now, GOOD_SECONDS)
    if offer is None:
        return _refused(caller, "too_late", 409)
    view = replace(
        _offered(caller, offer.preview, offer, token=form.get("offer")),
        reason=form.get("reason"),
        meant=form.get("meant") == "1",
        reason_missing=clean_reason(form.get("reason")) is None,
        unsure=offer.preview.wants_confirmation and form.get("meant") != "1",
        again=True,
    )
    if view.reason_missing or view.unsure:
        # Before a code is spent for nothing.
        return caller.show(view, status=422)
    fresh = freshly_verified(caller, form, view, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if fresh is caller else ""
    result = call.services.roster_desk.confirm(
        fresh.visitor,
        offer,
        form.get("reason"),
        call.now,
        meant=view.meant,
        confirmation=Confirmation(factor="totp", code=code) if code else None,
    )
    match result:
        case RosterHead():
            return tell(fresh, PAGE, IMPORTED)
        case TooLate():
            return _refused(fresh, "too_late", 409)
        case ReasonMissing() | Unsure():
            return fresh.show(replace(view, reason_missing=isinstance(result, ReasonMissing)), status=422)
        case NotAllowed(reason="no_such_factor") | Rejected():
            return fresh.show(replace(view, problem="wrong"), status=422)
        case NotAllowed():
            return call.say("not_allowed")
        case Paused(until=until):
            said = replace(view, pause=paused(until))
            return fresh.show(said, status=429, headers=retry_after(until, call.now))
        case NeedsVerification():
            return fresh.show(replace(view, problem="missing"), status=422)


def _view(caller: Caller) -> AdminRoster:
    desk = caller.call.services.roster_desk
    head = desk.head()
    return AdminRoster(
        on=bool(head.import_id),
        telling=head.rows if head.import_id else 0,
        imports=tuple(map(_line, desk.imports(IMPORTS))),
    )


def _offered(caller: Caller, preview: Preview, offer: Offer, token: str = "") -> AdminRosterOffer:
    call = caller.call
    return AdminRosterOffer(
        offer=token or call.services.signers.roster.sign(offer, call.now),
        people=preview.people,
        listed=preview.listed,
        added=preview.counts["added"],
        changed=preview.counts["changed"],
        deactivated=preview.counts["deactivated"],
        unchanged=preview.counts["unchanged"],
        shown={kind: tuple(map(_person, preview.shown.get(kind, ()))) for kind in _KINDS},
        many=preview.wants_confirmation,
        administrators=preview.administrators,
    )


def _person(row: RosterRow) -> RosterPerson:
    return RosterPerson(name=row.name or row.subject, user=row.subject, email=row.email)


def _line(recorded: Recorded) -> ImportLine:
    event = recorded.event
    counts = {kind: int(event.details.get(kind, "0")) for kind in _KINDS}
    return ImportLine(at=event.at, by=event.actor.shown, reason=event.details.get("reason", ""), **counts)


show_roster = shows_to(ADMINS, _show)
take_roster = shows_to(ADMINS, _take)
"""Who may not is told before anything of the body is read."""
take_confirmation = takes_from(ADMINS, _confirm, back=PAGE)
