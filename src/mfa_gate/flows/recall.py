"""The way of a visitor who was here a moment ago: raw credentials → what they meant, so that nothing is read again.

First level of the facts cache (design §5). It recalls who somebody is, which rule fits a place, and how long what
`decide` said of both stands while the facts do not change (`stands_until`). It hangs on the facts: once they are
dropped or too old, nothing is recalled. Whatever is unusual is not recalled either, and takes the long way.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from mfa_gate.core.decision import Allow, Visit, stands_until
from mfa_gate.core.policy import PathRule
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CAPACITY, MAX_TTL_SECONDS, CachedFacts, FactsCache

PLACES = 20_000

P = TypeVar("P")


class Passing(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """Somebody may pass a rule as long as `facts` are good.

    `told` is what the portal is told, `payload` what the edge wanted to find again; a long answer is judged again by
    `visit` and `facts`.
    """

    facts: CachedFacts
    visit: Visit
    told: dict[str, object]
    payload: P


class Recall(Generic[P]):
    """One per edge and process; bounded, safe to share between threads."""

    def __init__(self, cache: FactsCache, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._cache = cache
        self._clock = clock
        self._monotonic = monotonic
        self.visitors: OrderedDict[Hashable, dict[int, Passing[P]]] = OrderedDict()
        """Credentials → passings by the identity of the rule (rules live as long as the process)."""
        self.places: dict[Hashable, PathRule] = {}
        """Place → the rule that fits."""
        self._lock = Lock()

    def passes(self, credentials: Hashable, place: Hashable) -> Passing[P] | None:
        """Somebody who may pass here now; None sends the request the long way."""
        passings = self.visitors.get(credentials)
        passing = None if passings is None else passings.get(id(self.places.get(place)))
        if passing is None or not self._cache.is_good(passing.facts, self._monotonic()):
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
        if stands_until(visit, facts.known, verdict.decision, now) <= now + MAX_TTL_SECONDS:
            # Its last seconds: from here on every request is judged by the clock.
            return
        with self._lock:
            if len(self.places) >= PLACES:
                self.places.clear()
            self.places[place] = visit.rule
            rules = self.visitors.setdefault(credentials, {})
            self.visitors.move_to_end(credentials)
            rules[id(visit.rule)] = Passing(facts, visit, told, payload)
            while len(self.visitors) > CAPACITY:
                self.visitors.popitem(last=False)
