"""The quick way: whoever was here a moment ago passes after one loop over the headers and two look-ups.

It takes what is plain and nothing else, and decides nothing: it finds again what the long way has found. Nearly every
request of a verified person runs through `answer` and little else, hence a closure that calls as little as it can.
"""

from asyncio import current_task
from collections.abc import Callable, Hashable, Iterable
from operator import itemgetter
from typing import cast

from mfa_gate.asgi.answers import Answer, Answers
from mfa_gate.core.clients import DEVICE_HEADER
from mfa_gate.door import Door, Harmless, Parts, Scope, Send
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.recall import Recall

Header = tuple[bytes, bytes]

_copy = cast("Callable[[Scope], Scope]", dict.copy)
_PLACE = ("type", "path", "raw_path", "root_path", "method")
"""What the rule depends on; where it depends on the query, too, only requests without one take the quick way."""


_DEVICE = DEVICE_HEADER.encode()


class Payload:
    """What the quick way needs of somebody: the cookies to pass on, where they stood, and the headers to add."""

    __slots__ = ("added", "at", "cookie")

    def __init__(self, headers: list[Header], sent: list[Header]) -> None:
        at = _index(headers)
        self.cookie = headers[at] if at >= 0 else None
        # Nearly always nothing but the cookies differs, and two looks tell.
        same = at >= 0 and headers[:at] == sent[:at] and headers[at + 1 :] == sent[at + 1 :]
        self.added = [] if same else [pair for pair in headers if pair[0] != b"cookie" and pair not in sent]
        plain = self.cookie is not None and not self.added and (same or _DEVICE not in dict(sent))
        self.at = at if plain else None
        """Where the one header stands that is exchanged; None where that is not all to be done."""

    def put_into(self, headers: Iterable[Header]) -> list[Header]:
        """The same headers with the portal's cookies only, in their place, without a token, and with those to add."""
        passed = [pair for pair in headers if pair[0] != _DEVICE]
        at = _index(passed)
        if at >= 0:
            passed[at : at + 1] = [] if self.cookie is None else [self.cookie]
        return passed + self.added


class QuickWay:
    """One for each middleware and process."""

    def __init__(self, door: Door, parts: Parts, answers: Answers) -> None:
        self._trusted = door.trusted
        self._keyed = frozenset(name.encode() for name in door.forwarding.source_headers)
        self._telling = frozenset(name.encode() for name in door.forwarding.telling) - self._keyed
        self._judged = self._telling | {b"cookie", b"host"}
        """Names whose values are part of what is remembered."""
        self._query_matters = door.query_matters
        self._place = itemgetter(*_PLACE, *(("query_string",) if door.query_matters else ()))
        self._recall: Recall[Payload] = Recall(door.cache, door.clock, door.monotonic)
        self._harmless: Harmless[bytes] = Harmless(
            lambda name: door.forwarding.is_special(name.decode("latin-1"))
        )
        self.answer = self._finder(door, parts, answers)
        """(scope, send) → what goes on and where its answer goes; None sends the connection the long way."""

    def _finder(  # noqa: C901 - a call more would cost as much as all that is done here
        self, door: Door, parts: Parts, answers: Answers
    ) -> Callable[[Scope, Send], Answer | None]:
        harmless, is_plain = self._harmless.names, self._is_plain
        place, keyed, keyed_by, telling = self._place, self._keyed, self._keyed_by, self._telling
        passing_of, rule_of = self._recall.passings.get, self._recall.places.get
        cache, monotonic = door.cache, door.monotonic

        def answer(scope: Scope, send: Send) -> Answer | None:
            if parts.current is not door:
                return None
            try:
                rule = rule_of(place(scope))
                headers = scope["headers"]
                cookie = host = None
                tells: tuple[bytes, ...] = ()
                for name, value in headers:
                    if name in harmless:
                        continue
                    if name == b"cookie" and cookie is None:
                        cookie = value
                    elif name == b"host" and host is None:
                        host = value
                    elif name in telling:
                        tells += (name, value)
                    elif not is_plain(name, scope):
                        return None
                passing = passing_of((cookie, host, keyed_by(scope, tells) if keyed else tells, rule))
                if passing is None:
                    return None
                facts, now = passing.facts, monotonic()
                if not (now < facts.good_until and (now < cache.alive_until or now < facts.sure_until)):
                    return None
                payload, passed = passing.payload, [*headers]
                at = payload.at
                if at is not None and passed[at][0] == b"cookie":
                    passed[at] = payload.cookie
                else:
                    passed = payload.put_into(headers)
                # A copy, since what stands around the gate shall not see what is taken away and added.
                scope = _copy(scope)
            except (LookupError, TypeError):
                # No HTTP, a part missing that most servers give, or cookies that stand further in front now.
                return None
            scope["headers"] = passed
            scope["mfa_gate"] = passing.told.copy()
            task = current_task(answers.loop) or answers.running_task()
            return Answer(scope, send, answers, passing.basis, task)

        return answer

    def remember(
        self, scope: Scope, verdict: Verdict, told: dict[str, object], headers: list[Header]
    ) -> None:
        """Keep what came out of the long way: `headers` went on, and the portal was `told`."""
        if self._query_matters and scope.get("query_string"):
            return
        sent = list(scope["headers"])
        names = [name for name, _ in sent]
        # A device may do without cookies, where the portal's sign-in is in something else.
        cookies = (0, 1) if _DEVICE in names else (1,)
        if names.count(b"cookie") not in cookies or names.count(b"host") != 1:
            return
        judged, harmless = self._judged, self._harmless.names
        unknown = [name for name in names if name not in harmless and name not in judged]
        if not all(self._is_plain(name, scope) for name in unknown):
            return
        payload = Payload(headers, sent)
        # Security: where the quick way would pass on anything else than was passed on now (a header that names
        # somebody, from a peer that nobody trusts), it is not taken.
        if payload.put_into(sent) != headers:
            return
        carried = dict(sent)
        telling = self._telling
        tells = tuple([part for pair in sent if pair[0] in telling for part in pair]) if telling else ()
        keyed = self._keyed_by(scope, tells) if self._keyed else tells
        try:
            place = self._place(scope)
        except KeyError:
            return
        self._recall.remember(
            (carried.get(b"cookie"), carried[b"host"], keyed), place, verdict, told, payload
        )

    def _is_plain(self, name: bytes, scope: Scope) -> bool:
        """True if the header goes on as it is: a harmless one, or an identity source's from a trusted peer."""
        if name in self._keyed:
            return peer_of(scope) in self._trusted
        return name in self._harmless.names or self._harmless.learn(name)

    def _keyed_by(self, scope: Scope, tells: tuple[bytes, ...]) -> Hashable:
        """What attributes or tells the client beside the cookies: the peer, and the headers of an identity source."""
        return peer_of(scope), tells, *(pair for pair in scope["headers"] if pair[0] in self._keyed)


def peer_of(scope: Scope) -> str:
    """The address of who is connected; `""` where the server says none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _index(headers: list[Header]) -> int:
    """Where the cookies stand; -1 for nowhere."""
    names = [name for name, _ in headers]
    return names.index(b"cookie") if b"cookie" in names else -1
