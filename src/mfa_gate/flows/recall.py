"""The way of a visitor who was here a moment ago: raw credentials → what they meant, so that nothing is read again.

First level of the facts cache (design §5). It recalls who somebody is, which rule fits a place, and how long what
`decide` said of both stands while the facts do not change (`stands_until`). It hangs on the facts: once they are
dropped or a second old, nothing is recalled. Whatever is unusual is not recalled either, and takes the long way.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from mfa_gate.core.decision import Allow, Visit, stands_until
from mfa_gate.core.policy import PathRule
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CAPACITY, CachedFacts

PLACES = 20_000

P = TypeVar("P")


class Passing(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """Somebody may pass a rule from `since` until before `until` (UTC seconds).

    `told` is what the portal is told, `payload` what the edge wanted to find again; a long answer is judged again by
    `visit` and `facts`.
    """

    since: int
    until: int
    facts: CachedFacts
    visit: Visit
    told: dict[str, object]
    payload: P


class Recall(Generic[P]):
    """One per edge and process; bounded, safe to share between threads."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        # A visitor's passings are keyed by the identity of the rule: rules live as long as the process.
        self._visitors: OrderedDict[Hashable, dict[int, Passing[P]]] = OrderedDict()
        self._places: dict[Hashable, PathRule] = {}
        self._lock = Lock()

    def passes(self, credentials: Hashable, place: Hashable) -> Passing[P] | None:
        """Somebody who may pass here now; None sends the request the long way."""
        rules = self._visitors.get(credentials)
        if rules is None:
            return None
        passing = rules.get(id(self._places.get(place)))
        if (
            passing is None
            or passing.facts.good_until <= self._monotonic()
            or not passing.since <= self._clock() < passing.until
        ):
            return None
        return passing

    def remember(
        self, credentials: Hashable, place: Hashable, verdict: Verdict, told: dict[str, object], payload: P
    ) -> None:
        """Keep what made `verdict`, if it is the plain case: a person who passes on facts that are still good."""
        visit, facts = verdict.visit, verdict.cached
        now = int(self._clock())
        if (
            facts is None
            or facts.good_until <= 0
            or type(verdict.decision) is not Allow
            or verdict.would_have is not None
            or visit.identity is None
            or visit.unclear
            or visit.unclaimed
            or visit.rule.kind not in ("default", "step_up")
        ):
            return
        until = stands_until(visit, facts.known, verdict.decision, now)
        with self._lock:
            if len(self._places) >= PLACES:
                self._places.clear()
            self._places[place] = visit.rule
            rules = self._visitors.setdefault(credentials, {})
            self._visitors.move_to_end(credentials)
            rules[id(visit.rule)] = Passing(now, until, facts, visit, told, payload)
            while len(self._visitors) > CAPACITY:
                self._visitors.popitem(last=False)
