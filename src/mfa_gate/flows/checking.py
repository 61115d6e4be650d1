"""From one request to a verdict: attribute, recall or read the facts, end what must end, decide.

The only place where the doors ask. It knows no server interface, and its own code never lets anybody pass: whatever
goes wrong on the way leaves the facts unknown, and `decide` makes that `Unavailable`.
"""

import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, account_id
from mfa_gate.core.clients import DEVICE_HEADER, ClientRule, rules_at
from mfa_gate.core.cookies import own_values
from mfa_gate.core.decision import (
    Allow,
    Decision,
    Known,
    Unavailable,
    Visit,
    decide,
    ends_session,
    observed,
)
from mfa_gate.core.devices import DeviceToken, named
from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.headers import fold_header
from mfa_gate.core.messages import GateRequest, is_navigation, printable
from mfa_gate.core.origins import origin_of
from mfa_gate.core.policy import PathRule, Policy, match_rule
from mfa_gate.core.transitions import event, same_spelling, seen
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.facts import CachedFacts, FactsCache
from mfa_gate.flows.granting import Granted
from mfa_gate.flows.noting import Notes
from mfa_gate.flows.traffic import Unattributed
from mfa_gate.ports import Attribution, Change, FactsReader, Grants, Sessions
from mfa_gate.signing import SessionCookie

log = logging.getLogger("mfa_gate")

MAX_CANDIDATES = 4
RULES = 1_024
"""Paths whose rule is remembered: what strangers can fill is small."""
REMEMBERED = 256
"""Characters of a path whose rule is worth remembering."""
Look = Literal["cache", "store", "fresh"]
"""How far to look for facts: in the cache alone, in the store where it has none, in the store always."""

_OVERRIDES = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
_MAX_HOST = 300
"""Characters of a name (RFC 1035 has 253) and a port."""
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Bearings(msgspec.Struct, frozen=True, kw_only=True):
    """What a checker needs of the settings."""

    rules: tuple[PathRule, ...]
    public_url: str
    cookie_name: str
    store_id: str
    clients: tuple[ClientRule, ...] = ()
    observing: bool = False
    narrow_cookie: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with what it was made from. `cached` may serve the same credentials again until it is dropped."""

    decision: Decision
    visit: Visit
    known: Known | None
    cached: CachedFacts | None = None
    would_have: Decision | None = None
    unclaimed: tuple[str, ...] = ()
    """Carriers of credentials that nobody claimed; `AllowWithout` goes on without them."""
    told_by_path: tuple[int, ...] = ()
    """What the path says of the kind of client; see `core.clients.rules_at`."""


class Said(msgspec.Struct, frozen=True):
    """What one request says of who asks, read from it once."""

    attribution: Attribution
    cookie: SessionCookie | None
    twice: bool
    """The gate's own cookie, or a device's token, came twice."""
    device: DeviceToken | None = None


class WouldBlock(Exception):
    """Facts must be read from the store first."""

    said: Said


class Checker:
    """One per process. `check` may block on the store unless told not to."""

    def __init__(
        self,
        *,
        bearings: Bearings,
        attribute: Callable[[GateRequest, int], Attribution],
        read_cookie: Callable[[str, int], SessionCookie | None],
        facts: FactsReader,
        sessions: Sessions,
        committer: Committer,
        cache: FactsCache,
        traffic: Unattributed,
        clock: Callable[[], float],
        grants: Grants | None = None,
        is_token: Callable[[bytes, DeviceToken], bool] = lambda _, __: False,
    ) -> None:
        self._bearings = bearings
        self._attribute = attribute
        self._read_cookie = read_cookie
        self._facts = facts
        self._sessions = sessions
        self._committer = committer
        self._notes = Notes(sessions, committer)
        self._traffic = traffic
        self._cache = cache
        self._clock = clock
        self._granted = Granted(grants)
        self._rule_of = lru_cache(RULES)(partial(match_rule, bearings.rules))
        self._is_token = is_token

    def check(
        self, request: GateRequest, said: Said | None = None, *, look: Literal["store", "fresh"] = "store"
    ) -> Verdict:
        """The verdict on one request; `fresh` reads the store even if the facts are known. May block.

        `said` is what `check_cached` has already read from the same request.
        """
        try:
            return self._check(request, look, said)
        except WouldBlock as signal:
            message = "Facts were missing although the store might be asked."
            raise StoreUnavailable(message) from signal

    def said(self, request: GateRequest) -> Said:
        """What one request says of who asks. Never blocks; raises whatever goes wrong."""
        return self._said(request, int(self._clock()))

    def check_cached(self, request: GateRequest) -> Verdict | Said:
        """The verdict on one request, or, if that takes the store, what it says. Never blocks."""
        try:
            return self._check(request, "cache", None)
        except WouldBlock as signal:
            return signal.said

    def _check(self, request: GateRequest, look: Look, said: Said | None) -> Verdict:
        now = int(self._clock())
        visit = Visit(rule=self.rule(request), method=request.method, client=request.client)
        known: Known | None = None
        cached: CachedFacts | None = None
        bears_session = True
        unclaimed: tuple[str, ...] = ()
        try:
            said = said or self._said(request, now)
            attribution, cookie = said.attribution, said.cookie
            bears_session, unclaimed = cookie is not None, attribution.unclaimed
            visit = self._visit(request, visit, attribution, now, twice=said.twice)
            known, cached = self._know(request, visit, attribution, cookie, now, look=look)
            visit = self._with_device(visit, known, said.device)
            decision = self._decide(request, visit, known, now, look=look)
            self._note(request, decision, visit, known, cached, now, look=look)
        except WouldBlock as signal:
            if said is not None:
                signal.said = said
            raise
        except Exception as error:
            if isinstance(error, StoreUnavailable):
                log.warning("store unavailable: %s", printable(str(error)))
            else:
                log.exception("checking a request failed")
            known = cached = None
            # Security: a session that could not be ended would go on: after signing out, and without a code after
            # signing in anew.
            lost = visit.rule.kind in {"sign_in", "sign_out"} and bears_session
            decision = Unavailable() if lost else self._decide(request, visit, None, now, look=look)
        verdict = Verdict(
            decision=decision,
            visit=visit,
            known=known,
            cached=cached,
            unclaimed=unclaimed,
            told_by_path=rules_at(self._bearings.clients, request.path),
        )
        return self._observed(verdict) if self._bearings.observing else verdict

    def forget_policy(self) -> None:
        """The policy has changed in this process."""
        self._cache.drop("policy")

    def again(self, visit: Visit, facts: CachedFacts | None) -> bool:
        """Whether a visit that passed would still pass now; for answers that take long. May block on the store."""
        now = int(self._clock())
        # What has begun to be shown is not broken off to ask whether somebody wants to set up two-step.
        visit = replace(visit, granted=self._granted.names(visit.identity, now), navigates=False)
        try:
            if facts is not None:
                known = self._read(*facts.key, now, look="store").known
            elif visit.identity is not None:
                named = account_id(visit.identity.realm, visit.identity.subject)
                known = self._read(named, None, now, look="store").known
            else:
                known = Known(account=None, session=None, policy=self._policy("store"))
        except Exception:
            log.exception("checking a long answer again failed")
            return self._bearings.observing or (visit.granted and isinstance(decide(visit, None, now), Allow))
        return self._bearings.observing or isinstance(decide(visit, known, now), Allow)

    def rule(self, request: GateRequest) -> PathRule:
        """The path rule that fits, with a method override judged as a method that no relaxing rule names."""
        # Security: in every spelling; a portal behind CGI or WSGI takes `_` for `-`. No spelling changes a letter.
        overridden = "_method=" in request.query or not _OVERRIDES.isdisjoint(
            [fold_header(name) for name, _ in request.headers if "method" in name]
        )
        path, method = request.path, request.method
        if len(path) > REMEMBERED or len(method) > REMEMBERED:
            return match_rule(self._bearings.rules, path, method, overridden=overridden)
        return self._rule_of(path, method, overridden=overridden)

    def _decide(
        self, request: GateRequest, visit: Visit, known: Known | None, now: int, *, look: Look
    ) -> Decision:
        """The verdict; one that rests on a break-glass grant stands only once its use is written down."""
        decision = decide(visit, known, now)
        if not isinstance(decision, Allow) or not decision.by_grant:
            return decision
        honored = self._granted.honored(request, visit.identity, now, may_block=look != "cache")
        if honored is None:
            raise WouldBlock
        return decision if honored else decide(replace(visit, granted=False), known, now)

    def _observed(self, verdict: Verdict) -> Verdict:
        passing = observed(verdict.decision)
        if passing is verdict.decision:
            return verdict
        refused = type(verdict.decision).__name__
        who = verdict.visit.identity.subject if verdict.visit.identity else "nobody"
        log.warning("observe: would have answered %s to %s", refused, printable(who))
        return replace(verdict, decision=passing, would_have=verdict.decision)

    def _said(self, request: GateRequest, now: int) -> Said:
        cookie, twice = self._cookie(request, now)
        tokens = request.values(DEVICE_HEADER)
        return Said(
            attribution=self._attribute(request, now),
            cookie=cookie,
            twice=twice or len(tokens) > 1,
            device=DeviceToken.read(tokens[0]) if len(tokens) == 1 else None,
        )

    def _with_device(self, visit: Visit, known: Known, token: DeviceToken | None) -> Visit:
        """The visit with the device whose token came along; whether it counts is for the decision to say.

        # Security: a token names nobody. It has to be of the account that the portal's sign-in names.
        """
        account = known.account
        if token is None or account is None or visit.identity is None:
            return visit
        if token.account_id != account.id:
            return replace(visit, foreign_device=True)
        device = named(account, token.id)
        if device is None or not self._is_token(device.token_hash, token):
            return visit
        return replace(visit, device=device.id)

    def _cookie(self, request: GateRequest, now: int) -> tuple[SessionCookie | None, bool]:
        values = [
            value
            for header in request.values("cookie")
            for value in own_values(header, self._bearings.cookie_name)
        ]
        if len(values) != 1:
            return None, len(values) > 1
        cookie = self._read_cookie(values[0], now)
        return (cookie if cookie is not None and cookie.store == self._bearings.store_id else None), False

    def _visit(
        self, request: GateRequest, visit: Visit, attribution: Attribution, now: int, *, twice: bool
    ) -> Visit:
        return replace(
            visit,
            identity=attribution.identity,
            unclear=attribution.duplicated or attribution.conflicting or twice,
            unclaimed=bool(attribution.unclaimed),
            preflight=(
                request.method == "OPTIONS"
                and request.header("origin") is not None
                and request.header("access-control-request-method") is not None
            ),
            foreign_host=foreign_host(request, self._bearings.public_url),
            cross_site=request.header("sec-fetch-site") == "cross-site",
            granted=self._granted.names(attribution.identity, now),
            navigates=request.method == "GET" and is_navigation(request),
        )

    def _know(
        self,
        request: GateRequest,
        visit: Visit,
        attribution: Attribution,
        cookie: SessionCookie | None,
        now: int,
        *,
        look: Look,
    ) -> tuple[Known, CachedFacts | None]:
        named = None if visit.identity is None else account_id(visit.identity.realm, visit.identity.subject)
        if cookie is not None:
            facts = self._read(cookie.account, session_key(cookie.id), now, look=look)
            ended = self._ends(visit, facts.known, named, now, look=look)
            if cookie.account == named and not ended:
                return self._seen(visit, facts, now, look=look)
        if named is not None:
            return self._seen(visit, self._read(named, None, now, look=look), now, look=look)
        policy = self._policy(look)
        others = not policy.require_two_step and self._others(attribution, now, look=look)
        if not policy.require_two_step and visit.rule.kind == "default":
            self._traffic.note(request.path, attribution.unclaimed)
        return Known(account=None, session=None, policy=policy, others_two_step=others), None

    def _read(self, account: str, key: str | None, now: int, *, look: Look) -> CachedFacts:
        cached = None if look == "fresh" else self._cache.get(account, key)
        if cached is not None:
            return cached
        if look == "cache":
            raise WouldBlock
        ticket = self._cache.ticket()
        facts = self._facts.facts(account, key, now, to_change=look == "fresh")
        policy = self._cache.policy()
        if policy is None or policy.version != facts.policy_version:
            policy = self._cache.put_policy(self._facts.policy(), ticket)
        if policy.version < facts.policy_version:
            # Security: the document is written before its version is told, so this one was put back (J12).
            raise RecordCorrupt("The store answered with an older policy than the one that is in force.")
        return self._cache.put(
            account, facts.account, facts.session, session_key=key, policy=policy, ticket=ticket
        )

    def _note(  # noqa: PLR0917 - a verdict, and what it was made from
        self,
        request: GateRequest,
        decision: Decision,
        visit: Visit,
        known: Known,
        cached: CachedFacts | None,
        now: int,
        *,
        look: Look,
    ) -> None:
        if self._notes.has_to_note_refusal(decision, visit, known, now):
            if look == "cache":
                raise WouldBlock
            self._notes.note_refusal(visit, known, now)
        if look != "cache":
            self._notes.touch(decision, known, cached, now)
            self._notes.used(decision, visit, known, request.client_address or request.peer, now)

    def _policy(self, look: Look) -> Policy:
        policy = None if look == "fresh" else self._cache.policy()
        if policy is not None:
            return policy
        if look == "cache":
            raise WouldBlock
        ticket = self._cache.ticket()
        return self._cache.put_policy(self._facts.policy(), ticket)

    def _ends(self, visit: Visit, known: Known, named: str | None, now: int, *, look: Look) -> bool:
        """End the session if this very request does; True if it did."""
        session, account = known.session, known.account
        if session is None or account is None:
            return False
        why = ends_session(visit, session, named, narrow_cookie=self._bearings.narrow_cookie)
        if why is None:
            return False
        if look == "cache":
            raise WouldBlock
        try:
            self._sessions.end_session(session, (event(account, "session_ended", SYSTEM, now, why=why),), now)
        finally:
            self._cache.drop(session.account_id)
        return True

    def _seen(
        self, visit: Visit, facts: CachedFacts, now: int, *, look: Look
    ) -> tuple[Known, CachedFacts | None]:
        """Record who is seen for the first time, or under a changed name."""
        identity, account = visit.identity, facts.known.account
        if identity is None or (account is not None and not same_spelling(account, identity)):
            return facts.known, None
        after, events = seen(account, identity, now)
        if not events:
            return facts.known, facts
        if look == "cache":
            raise WouldBlock
        self._committer.run(after.id, lambda found: _sighting(found, identity, now), now)
        # Security: read anew, since what is stored may be less than what is true: a roster in force that this account
        # has not been told of yet may say that it is not active (J12).
        return self._read(*facts.key, now, look="fresh").known, None

    def _others(self, attribution: Attribution, now: int, *, look: Look) -> bool:
        """Whether anybody who may be meant has two-step; too many to look at counts as yes."""
        if len(attribution.candidates) > MAX_CANDIDATES:
            return True
        for identity in attribution.candidates:
            facts = self._read(account_id(identity.realm, identity.subject), None, now, look=look)
            if facts.known.account is not None and facts.known.account.has_factor:
                return True
        return False


def _sighting(found: Account | None, identity: Identity, now: int) -> tuple[Change | None, Account]:
    if found is not None and not same_spelling(found, identity):
        return None, found
    after, events = seen(found, identity, now)
    return (Change(account=after, events=events) if events else None), after


def session_key(session_id: str) -> str:
    """What the store keeps of a session's id, so that a thief of the store cannot make its cookie."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def foreign_host(request: GateRequest, public_url: str) -> bool:
    """True if the request was not addressed to `public_url`'s host. All loopback names are one host."""
    hosts = request.values("host")
    return len(hosts) != 1 or len(hosts[0]) > _MAX_HOST or _is_foreign(hosts[0], public_url)


@lru_cache(64)
def _is_foreign(host: str, public_url: str) -> bool:
    if any(mark in host for mark in "/?#@\\"):
        return True
    asked = origin_of(f"{urlsplit(public_url).scheme}://{host}")
    ours = origin_of(public_url)
    return asked is None or ours is None or _loopback_as_one(asked) != _loopback_as_one(ours)


def _loopback_as_one(origin: str) -> str:
    parts = urlsplit(origin)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://loopback:{parts.port}" if host in _LOOPBACK else origin
