"""Carries one API request to the call that it asks for, and the answer back: who may ask at all, and by which rules.

What a call does stands in `api.py` and `api_admin.py`. Whatever goes wrong on the way is 503, never a pass or a trace.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec

from mfa_gate.core.decision import SPELLING, Deny, Malformed, Unavailable
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import GateRequest, GateResponse, Headers, printable
from mfa_gate.core.origins import origin_verdict
from mfa_gate.core.responses import problem, respond, unavailable
from mfa_gate.core.throttle import OTHERS
from mfa_gate.core.transitions import same_spelling
from mfa_gate.flows.checking import Said, Verdict
from mfa_gate.flows.results import Kept, Opened
from mfa_gate.flows.visitor import Visitor, visitor_of
from mfa_gate.signing import Pending
from mfa_gate.web import answers, pending
from mfa_gate.web.api_bodies import acceptable, acceptable_file, decode_body, decode_query
from mfa_gate.web.api_schema import Proof, Taken
from mfa_gate.web.cookies import (
    browser_cookie,
    clear_cookie,
    held_by,
    pending_name,
    set_cookie,
    the_cookie,
)
from mfa_gate.web.services import Services
from mfa_gate.web.uploads import Body

log = logging.getLogger("mfa_gate")

REQUEST_HEADER = "mfa-gate-request"
Method = Literal["GET", "POST", "PATCH", "DELETE"]

B = TypeVar("B", bound=Taken)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request by somebody whom the portal names. `way`: the pending cookie to answer with, if one is needed."""

    services: Services
    request: GateRequest
    visitor: Visitor
    now: int
    params: Mapping[str, str]
    way: Pending | None

    def answer(
        self, body: msgspec.Struct, *, opened: Opened | None = None, kept: Kept | None = None
    ) -> GateResponse:
        """200 with `body`, and the cookies of the session that was opened and of the browser that is remembered."""
        said, services = answers.json(msgspec.json.encode(body)), self.services
        cookies = () if opened is None else self._session_cookies(opened)
        if kept is not None:
            cookies += (browser_cookie(services.cookie_name, kept, self.now, secure=services.secure),)
        return msgspec.structs.replace(said, headers=(*said.headers, *cookies))

    def on_its_way(self, said: GateResponse) -> GateResponse:
        """The same answer with the pending cookie, so that a client that keeps cookies is counted by itself."""
        if self.way is None or any(name == "set-cookie" for name, _ in said.headers):
            return said
        services = self.services
        token = services.signers.pending.sign(pending.shown(self.way, self.now), self.now)
        cookie = set_cookie(pending_name(services.cookie_name), token, secure=services.secure)
        return msgspec.structs.replace(said, headers=(*said.headers, cookie))

    def _session_cookies(self, opened: Opened) -> Headers:
        """The session's cookie, as pages set it. What was counted and begun before it under another name is over."""
        services, name = self.services, pending_name(self.services.cookie_name)
        token = services.signers.session.sign(opened.cookie, self.now)
        cookie = set_cookie(services.cookie_name, token, secure=services.secure)
        if the_cookie(self.request, name) is None:
            return (cookie,)
        return (cookie, clear_cookie(name, secure=services.secure))


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[B]):
    """One method of one path. `guard` says what somebody gets who may not ask, whatever they sent; None for who may.

    `refuses` are the (status, code) pairs beside those that every call may answer with.
    """

    method: Method
    path: str
    name: str
    summary: str
    takes: type[B]
    answers: type[msgspec.Struct]
    run: Callable[[Call, B], GateResponse]
    refuses: tuple[tuple[int, str], ...] = ()
    guard: Callable[[Call], GateResponse | None] | None = None
    example: B | None = None
    media: tuple[str, ...] = ()
    """What kinds of file it answers with; empty: JSON of `answers`."""
    file: str = ""
    """What kind of file it takes in place of JSON, which `reads` reads as it comes; empty: none."""
    reads: "Callable[[Call, Body], GateResponse] | None" = None

    @property
    def changes(self) -> bool:
        """True if it changes anything, and hence stands under the protection rule."""
        return self.method != "GET"

    @property
    def takes_body(self) -> bool:
        """True if it is told in a body what to do."""
        return self.method not in {"GET", "DELETE"}

    def admit(
        self, services: Services, request: GateRequest, params: Mapping[str, str], said: Said | None = None
    ) -> Call | GateResponse:
        """The call, if this may be asked at all: the portal names somebody, and no other site asks in their name.

        `said` is what `expects` has found.
        """
        call = _identify(services, request, params, said)
        if isinstance(call, GateResponse) or not self.changes:
            return call
        fits = None
        if self.takes_body:
            fits = acceptable_file(request, self.file) if self.file else acceptable(request)
        return _ridden(request, services.places.public_url) or fits or call

    def take(self, call: Call, body: Body) -> GateResponse:
        """The answer to a file. Raises whatever the flows raise."""
        if self.reads is None:
            raise TypeError(f"{self.name} takes no file.")
        return call.on_its_way(self.reads(call, body))

    def expects(self, services: Services, request: GateRequest) -> Said | None:
        """What the request says of who asks, if its body may be read before the store is asked; never blocks.

        # Security: nothing of the body is read unless the portal names one person, no other site asks in their name,
        # and it is not too large (C13). Whether this person may ask, `admit` says.
        """
        if _ridden(request, services.places.public_url) or acceptable(request):
            return None
        try:
            said = services.checker.said(request)
        except Exception:
            log.exception("who asks could not be read")
            return None
        return said if said.attribution.identity is not None and not said.twice else None

    def perform(self, call: Call, body: bytes) -> GateResponse:
        """The answer. Raises whatever the flows raise."""
        return call.on_its_way(self._perform(call, body))

    def _perform(self, call: Call, body: bytes) -> GateResponse:
        if self.takes_body:
            sent = decode_body(body, self.takes)
            # The act itself says who may not, and records it. Who may not is not told how to ask.
            refusal = self.guard and isinstance(sent, GateResponse) and self.guard(call)
        else:
            sent = decode_query(call.request.query, self.takes)
            refusal = self.guard and self.guard(call)
        if refusal:
            return refusal
        return sent if isinstance(sent, GateResponse) else self.run(call, sent)


def safely(act: Callable[[], GateResponse | T]) -> GateResponse | T:
    """What `act` answers; 503 without a word about the cause if it fails (W23, C12)."""
    try:
        return act()
    except StoreUnavailable as error:
        log.warning("store unavailable: %s", printable(str(error)))
    except Exception:
        log.exception("an API call failed")
    return unavailable()


def proof(opened: Opened) -> Proof:
    """A session as the API tells it."""
    session = opened.session
    return Proof(expires_at=session.expires_at, amr=session.amr, acr=session.acr)


def _identify(
    services: Services, request: GateRequest, params: Mapping[str, str], said: Said | None
) -> Call | GateResponse:
    now = int(services.clock())
    verdict = services.checker.check(request, said, look="fresh")
    visitor = visitor_of(verdict, request, OTHERS, "api", now)
    if visitor is None:
        return _turned_away(verdict, request, services, now)
    # Security: where the policy is off another spelling passes to the portal, but the account is not theirs (B14).
    if not same_spelling(visitor.account, visitor.identity):
        return respond(Deny(reason=SPELLING), request, services.places, now) or unavailable()
    way, sign_in = _way(services, request, visitor, now)
    return Call(
        services=services,
        request=request,
        visitor=msgspec.structs.replace(
            visitor, sign_in=sign_in, held=held_by(request, services.cookie_name)
        ),
        now=now,
        params=params,
        way=way,
    )


def _way(services: Services, request: GateRequest, visitor: Visitor, now: int) -> tuple[Pending | None, str]:
    """The pending cookie to answer with, and the name under which wrong codes are counted.

    # Security: who sends no cookie shares one count with everybody who sends none for this account, and no success
    # clears it. Under a name of its own the owner's next sign-in would forgive an attacker's guesses (design §7).
    """
    if visitor.identity.session_id:
        return None, visitor.identity.session_id
    if visitor.session is not None:
        return None, visitor.session.key
    if not (visitor.account.has_factor or services.self_service.asks_setup_code(visitor.account)):
        # There is no code that could be guessed.
        return None, OTHERS
    token = the_cookie(request, pending_name(services.cookie_name))
    found = token and services.signers.pending.read(token, Pending, now, pending.KEPT_SECONDS)
    way = pending.resumed(found or None, visitor.account, now, services.random)
    return way, way.id if way is found else OTHERS


def _turned_away(verdict: Verdict, request: GateRequest, services: Services, now: int) -> GateResponse:
    decision = verdict.would_have or verdict.decision
    if isinstance(decision, Malformed | Deny | Unavailable):
        return respond(decision, request, services.places, now) or unavailable()
    return problem(401, "sign_in_required", "Sign in to the portal first.")


def _ridden(request: GateRequest, public_url: str) -> GateResponse | None:
    """403 where a page of another site may have sent this with the visitor's cookies (W03)."""
    match origin_verdict(request, public_url):
        case "foreign":
            return problem(403, "not_allowed", "Pages of other sites may not do this.")
        case "absent" if request.values(REQUEST_HEADER) != ("1",):
            return problem(
                403, "not_allowed", "Send `Origin`, or where there is no page, `MFA-Gate-Request: 1`."
            )
        case _:
            return None
