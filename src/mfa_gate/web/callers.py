"""One request to one of our pages, and the person behind it: what a page may use, and how it answers.

It decides who is asked to sign in first, and that every page goes out with the cookies it needs. It knows no page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from mfa_gate.core.decision import Deny, Malformed, SignIn, Unavailable
from mfa_gate.core.messages import GateRequest, GateResponse, Headers, is_navigation
from mfa_gate.core.origins import MAX_NEXT_LENGTH, safe_next
from mfa_gate.core.responses import problem, redirect, respond, unavailable, under
from mfa_gate.core.transitions import same_spelling
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.results import Kept, Opened
from mfa_gate.flows.visitor import Visitor, visitor_of
from mfa_gate.signing import Csrf, Pending
from mfa_gate.web import answers, pending
from mfa_gate.web.cookies import (
    browser_cookie,
    clear_cookie,
    held_by,
    pending_name,
    set_cookie,
    the_cookie,
)
from mfa_gate.web.forms import NOTHING, Sent, parse_query
from mfa_gate.web.services import Services
from mfa_gate.web.translations import choose_language
from mfa_gate.web.uploads import Body
from mfa_gate.web.views import Followed, Message, MessageKind, PageContext

if TYPE_CHECKING:
    from mfa_gate.flows.authority import Role
    from mfa_gate.web.rendering import View

_PROBLEMS: Mapping[MessageKind, tuple[int, str, str]] = {
    "bad_request": (400, "invalid", "The request cannot be understood."),
    "too_large": (413, "invalid", "The form is larger than this page takes."),
    "form_expired": (403, "not_allowed", "The form is no longer valid. Open the page again."),
    "form_foreign": (403, "not_allowed", "The form was sent from a page of another address."),
    "not_allowed": (403, "not_allowed", "This is not open to this account."),
    "not_found": (404, "not_found", "There is no such page."),
    "conflict": (409, "conflict", "Somebody else changed it. Look at it again."),
}
_REFUSALS: Mapping[int, MessageKind] = {
    400: "bad_request",
    403: "not_allowed",
    414: "bad_request",
    421: "elsewhere",
    503: "unavailable",
}
"""What a person is told where a door refuses."""


class _Problem(msgspec.Struct, frozen=True):
    detail: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to one of our pages, its body read."""

    services: Services
    request: GateRequest
    now: int
    sent: Sent = NOTHING
    body: Body | None = None
    """What is still to be read of a request that brings a file."""
    params: Mapping[str, str]
    """What stands in the path."""

    @property
    def query(self) -> Mapping[str, str]:
        """The fields of the address that occur once."""
        return parse_query(self.request.query)

    @property
    def below(self) -> str:
        """This page's path below the mount, with its query."""
        request = self.request
        path = quote(request.path.removeprefix(self.services.places.mount).lstrip("/"), safe="/-_.~")
        return f"{path}?{request.query}" if request.query else path

    @property
    def portal(self) -> str:
        """Path of the portal's front page."""
        return f"{self.mount.removesuffix(self.services.places.mount)}/"

    @property
    def mount(self) -> str:
        """Path of the mount as the browser sees it."""
        return under(self.request, self.services.places)

    def url(self, page: str, /, **query: str | int) -> str:
        """Address of another page of ours; `page` is its path below the mount."""
        return PageContext(now=self.now, mount=self.mount).url(page, **query)

    def context(self) -> PageContext:
        """What a page needs of a request by nobody in particular."""
        services = self.services
        return PageContext(
            now=self.now,
            mount=self.mount,
            portal_url=self.portal,
            language=choose_language(
                ",".join(self.request.values("accept-language")), services.renderer().languages
            ),
            observing=services.observing,
        )

    def page(
        self, view: "View", context: PageContext, *, status: int = 200, headers: Headers = ()
    ) -> GateResponse:
        """`view` as a page."""
        html = self.services.renderer().render(view, page=context)
        asks_again = isinstance(view, Followed) and view.on
        return answers.page(html, status=status, headers=headers, asks_again=asks_again)

    def say(
        self, kind: MessageKind, *, status: int | None = None, retry: str | None = None, reference: str = ""
    ) -> GateResponse:
        """A page that only says something; problem+json for whoever is no browser. `retry`: a path below the mount."""
        if kind == "unavailable" and not is_navigation(self.request):
            return unavailable()
        usual, code, detail = _PROBLEMS.get(kind, (503, "unavailable", ""))
        if not is_navigation(self.request):
            return problem(status or usual, code, detail)
        context, home = self.context(), self.services.places.public_url
        here = home if kind == "form_foreign" else ""
        view = Message(
            kind=kind,
            retry_url=None if retry is None else f"{here}{self.mount}/{retry}",
            address=here or None,
            reference=reference or None,
        )
        return self.page(view, context, status=status or usual)

    def in_words(self, refused: GateResponse) -> GateResponse:
        """A door's refusal as a page, if a browser is about to show it; else as it is."""
        kind = _REFUSALS.get(refused.status)
        if kind is None or not is_navigation(self.request):
            return refused
        home = self.services.places.public_url if kind == "elsewhere" else None
        # An empty address is the one in the browser: what was asked for.
        again = "" if kind == "unavailable" and self.request.method in {"GET", "HEAD"} else None
        detail = msgspec.json.decode(refused.body, type=_Problem).detail
        view = Message(
            kind=kind,
            retry_url=f"{home}{self.portal}" if home else again,
            address=home,
            detail=detail if kind in {"bad_request", "not_allowed"} else None,
        )
        kept = tuple(pair for pair in refused.headers if pair[0] == "retry-after")
        return self.page(view, self.context(), status=refused.status, headers=kept)

    def goodbye(self) -> GateResponse:
        """The page that says that one is signed out; our cookies are gone with it."""
        services, context = self.services, self.context()
        names = (services.cookie_name, pending_name(services.cookie_name))
        gone = tuple(clear_cookie(name, secure=services.secure) for name in names)
        path = services.sign_out_path
        view = Message(kind="signed_out", sign_out_url=f"{self.portal}{path[1:]}" if path else None)
        return self.page(view, context, headers=gone)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A call by somebody whom the portal names. `role` is None for who does not administer."""

    call: Call
    visitor: Visitor
    pending: Pending
    role: "Role | None"
    lapsed: bool = False
    """Whether this browser began an enrollment so long ago that it can no longer finish it."""
    cookies: Headers = ()

    @property
    def holder(self) -> str:
        """To whom forms are given: this session, or before there is one, this browser."""
        session = self.visitor.session
        return self.pending.id if session is None else session.key

    @property
    def context(self) -> PageContext:
        """What the person's pages have around them."""
        account, call = self.visitor.account, self.call
        csrf = call.services.signers.csrf.sign(Csrf(holder=self.holder), call.now)
        return msgspec.structs.replace(
            call.context(), csrf=csrf, person=account.name or account.subject, role=self.role
        )

    @property
    def leads_to(self) -> str:
        """Where this person wanted to go; the portal's front page if nowhere else."""
        return self.pending.next or self.call.portal

    def show(self, view: "View", *, status: int = 200, headers: Headers = ()) -> GateResponse:
        """`view` as a page for this person."""
        return self.call.page(
            view, self.context, status=status, headers=(*headers, *self.cookies, *self._way())
        )

    def go(self, path: str, **query: str) -> GateResponse:
        """To another page of ours."""
        return redirect(self.call.url(path, **query), headers=(*self.cookies, *self._way()))

    def leave(self) -> GateResponse:
        """To the page first asked for; nothing is pending any more."""
        return redirect(self.leads_to, headers=(*self.cookies, *self.without_way()))

    def leading_to(self, target: str) -> "Caller":
        """The same person, to be brought to `target` when this is over; to the front page if it fits no cookie."""
        # In the cookie a quotation mark would take two characters.
        encoded = target.replace('"', "%22")
        fits = len(encoded) <= MAX_NEXT_LENGTH
        return replace(self, pending=msgspec.structs.replace(self.pending, next=encoded if fits else ""))

    def leading_here(self) -> "Caller":
        """The same person, to be brought back to this page; without its query where that is too long to keep."""
        here, home = f"{self.call.mount}/{self.call.below}", self.call.services.places.public_url
        return self.leading_to(safe_next(here, home) or here.partition("?")[0])

    def enrolling(self, challenge: str | None) -> "Caller":
        """The same person, with this enrollment begun, or none."""
        return replace(self, pending=msgspec.structs.replace(self.pending, enrollment=challenge))

    def with_session(self, opened: Opened) -> "Caller":
        """The same person, just verified. The way goes on under another name: what was given to the old one is void."""
        call, services = self.call, self.call.services
        token = services.signers.session.sign(opened.cookie, call.now)
        way = pending.fresh(self.visitor.account, call.now, services.random, leads_to=self.pending.next)
        return replace(
            self,
            visitor=msgspec.structs.replace(self.visitor, session=opened.session),
            pending=way,
            cookies=(*self.cookies, set_cookie(services.cookie_name, token, secure=services.secure)),
        )

    def keeping(self, kept: Kept | None) -> "Caller":
        """The same person in a browser that is remembered and holds this now; None: in one that holds nothing."""
        services = self.call.services
        cookie = browser_cookie(services.cookie_name, kept, self.call.now, secure=services.secure)
        held = None if kept is None else kept.held
        return replace(
            self,
            visitor=msgspec.structs.replace(self.visitor, held=held),
            cookies=(*self.cookies, cookie),
        )

    def signed_out(self) -> "Caller":
        """The same person, whose session is over."""
        services = self.call.services
        gone = clear_cookie(services.cookie_name, secure=services.secure)
        return replace(
            self,
            visitor=msgspec.structs.replace(self.visitor, session=None),
            cookies=(*self.cookies, gone),
        )

    def without_way(self) -> Headers:
        """What takes the pending cookie away from a browser that has one."""
        services, name = self.call.services, pending_name(self.call.services.cookie_name)
        has_one = the_cookie(self.call.request, name) is not None
        return (clear_cookie(name, secure=services.secure),) if has_one else ()

    def _way(self) -> Headers:
        if self.visitor.session is not None and not (self.pending.next or self.pending.enrollment):
            return self.without_way()
        services, now = self.call.services, self.call.now
        token = services.signers.pending.sign(pending.shown(self.pending, now), now)
        return (set_cookie(pending_name(services.cookie_name), token, secure=services.secure),)


def identify(call: Call) -> Caller | GateResponse:
    """The person behind a call, or what to answer if the portal names nobody."""
    services, request = call.services, call.request
    verdict = services.checker.check(request, look="fresh")
    if verdict is None:
        return call.in_words(unavailable())
    visitor = visitor_of(verdict, request, "", "web", call.now)
    if visitor is None:
        return _turned_away(call, verdict)
    # Security: without the policy another spelling passes to the portal; the account is still not theirs (B14).
    if not same_spelling(visitor.account, visitor.identity):
        return call.say("not_allowed")
    found = _way_found(call)
    way = pending.resumed(found, visitor.account, call.now, services.random)
    session = visitor.session
    sign_in = visitor.identity.session_id or (way.id if session is None else session.key)
    return Caller(
        call=call,
        visitor=msgspec.structs.replace(
            visitor, sign_in=sign_in, held=held_by(request, services.cookie_name)
        ),
        pending=way,
        role=services.authority.role(visitor),
        lapsed=found is not None
        and found.account == visitor.account.id
        and found.enrollment is not None
        and found.id != way.id,
    )


def _way_found(call: Call) -> Pending | None:
    token = the_cookie(call.request, pending_name(call.services.cookie_name))
    if token is None:
        return None
    return call.services.signers.pending.read(token, Pending, call.now, pending.KEPT_SECONDS)


def _turned_away(call: Call, verdict: Verdict) -> GateResponse:
    decision = verdict.would_have or verdict.decision
    if not isinstance(decision, Malformed | Deny | Unavailable):
        decision = SignIn()
    said = respond(decision, call.request, call.services.places, call.now)
    return unavailable() if said is None else call.in_words(said)
