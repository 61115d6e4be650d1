"""The quick way: whoever was here a moment ago passes after one look over the environment and two look-ups.

It takes what is plain and nothing else, and decides nothing: it finds again what the long way has found. Nearly every
request of a verified person runs through `answer` and little else, hence a closure that calls as little as it can.
"""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from mfa_gate.core.clients import DEVICE_HEADER
from mfa_gate.door import Door, Harmless, Parts
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.recall import Recall
from mfa_gate.wsgi.answers import Answer, Answers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Credentials = tuple[Hashable, Hashable, Hashable]

_DEVICE = "HTTP_" + DEVICE_HEADER.upper().replace("-", "_")
_READ_ANYWAY = frozenset({"HTTP_COOKIE", "HTTP_HOST", "REMOTE_USER"})


class Payload:
    """What the quick way needs of somebody: the environment's changed entries, and those that go."""

    __slots__ = ("changed", "gone")

    def __init__(self, changed: dict[str, str], gone: tuple[str, ...]) -> None:
        self.changed = changed
        self.gone = gone


class QuickWay:
    """One for each middleware and process."""

    def __init__(self, door: Door, parts: Parts, answers: Answers) -> None:
        self._trusted = door.trusted
        self._query_matters = door.query_matters
        self._recall: Recall[Payload] = Recall(door.cache, door.clock, door.monotonic)
        self._keyed = tuple(
            "HTTP_" + name.upper().replace("-", "_") for name in sorted(door.forwarding.source_headers)
        )
        telling = tuple(
            "HTTP_" + name.upper().replace("-", "_")
            for name in sorted(door.forwarding.telling - {DEVICE_HEADER})
        )
        self._more = (*self._keyed, *telling, "REMOTE_USER", "REMOTE_ADDR")
        self._looks_beside = bool(self._keyed or telling) or door.reads_remote_user
        anyway = _READ_ANYWAY.union(self._keyed, telling)
        self._harmless: Harmless[str] = Harmless(
            lambda name: (
                name not in anyway and name.startswith("HTTP_") and door.forwarding.is_special(name[5:])
            )
        )
        self.answer = self._finder(door, parts, answers)
        """(environment, start_response) → where the answer goes; None sends the request the long way."""

    def _finder(
        self, door: Door, parts: Parts, answers: Answers
    ) -> Callable[["WSGIEnvironment", "StartResponse"], Answer | None]:
        all_harmless, is_plain = self._harmless.names.issuperset, self._is_plain
        query_matters, looks_beside, beside = self._query_matters, self._looks_beside, self._beside
        passing_of, rule_of = self._recall.passings.get, self._recall.places.get
        cache, monotonic = door.cache, door.monotonic

        def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Answer | None:
            if parts.current is not door:
                return None
            token = None
            if not all_harmless(environ):
                if not is_plain(environ):
                    return None
                token = environ.get(_DEVICE)
            if query_matters and environ.get("QUERY_STRING"):
                return None
            passing = passing_of(
                (
                    environ.get("HTTP_COOKIE"),
                    environ.get("HTTP_HOST"),
                    (beside(environ), token) if looks_beside else token,
                    rule_of(_place(environ)),
                )
            )
            if passing is None:
                return None
            facts, now = passing.facts, monotonic()
            if not (now < facts.good_until and (now < cache.alive_until or now < facts.sure_until)):
                return None
            payload = passing.payload
            environ.update(payload.changed)
            for name in payload.gone:
                environ.pop(name, None)
            environ["mfa_gate"] = passing.told.copy()
            return Answer(start_response, answers, passing.basis, now)

        return answer

    def credentials(self, environ: "WSGIEnvironment") -> Credentials | None:
        """Everything that says who asks, raw, where the request is a plain one."""
        if self._query_matters and environ.get("QUERY_STRING"):
            return None
        cookie, token = environ.get("HTTP_COOKIE"), environ.get(_DEVICE)
        # A device may do without cookies, where the portal's sign-in is in something else.
        if (cookie is None and token is None) or not self._is_plain(environ):
            return None
        if any(name in environ for name in self._keyed) and not self._is_trusted(environ):
            return None
        return (
            cookie,
            environ.get("HTTP_HOST"),
            (self._beside(environ), token) if self._looks_beside else token,
        )

    def remember(
        self,
        credentials: Credentials,
        environ: "WSGIEnvironment",
        verdict: Verdict,
        told: dict[str, object],
        payload: Payload,
    ) -> None:
        """Keep what came out of the long way: the portal was `told`, and sees what `payload` makes."""
        self._recall.remember(credentials, _place(environ), verdict, told, payload)

    def _is_plain(self, environ: "WSGIEnvironment") -> bool:
        """Learn names one by one; a name that was never judged is never harmless. A token may stand beside them."""
        names = self._harmless.names
        return all(name in names or name == _DEVICE or self._harmless.learn(name) for name in environ)

    def _is_trusted(self, environ: "WSGIEnvironment") -> bool:
        return environ.get("REMOTE_ADDR", "") in self._trusted

    def _beside(self, environ: "WSGIEnvironment") -> Hashable:
        """What attributes beside the cookies: the peer, and what it says in headers and as `REMOTE_USER`."""
        return tuple(map(environ.get, self._more))


def _place(environ: "WSGIEnvironment") -> Hashable:
    """What the rule depends on; where it depends on the query, too, nobody who sends one takes the quick way."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return (
        environ.get("PATH_INFO"),
        target.partition("?")[0],
        environ.get("SCRIPT_NAME"),
        environ["REQUEST_METHOD"],
    )
