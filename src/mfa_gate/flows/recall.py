"""The way of a visitor who was here a moment ago: raw credentials → what they meant, so that nothing is read again.

First level of the facts cache (design §5). It recalls who somebody is and which rule fits a place; the verdict is
still `decide`'s, made from the facts of now. Whatever is unusual is not recalled, and takes the long way.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from mfa_gate.core.decision import Allow, Outcome, Visit, decide
from mfa_gate.core.policy import PathRule
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CAPACITY, CachedFacts

PLACES = 20_000

P = TypeVar("P")


class Recalled(Generic[P]):
    """One visitor's credentials; `payload` is what an edge wants to find again, such as the cookies to pass on.

    `visits` is keyed by the identity of the rule, since rules live as long as the process and hashing one takes time.
    """

    __slots__ = ("facts", "payload", "visits")

    def __init__(self, facts: CachedFacts, visit: Visit, payload: P) -> None:
        self.facts = facts
        self.visits: dict[int, Visit] = {id(visit.rule): visit}
        self.payload = payload


Passing = tuple[Outcome | None, P, Visit, CachedFacts]
"""What the portal is told, what the edge wanted to find again, and what a long answer is judged by again."""


class Recall(Generic[P]):
    """One per edge and process; bounded, safe to share between threads."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._visitors: OrderedDict[Hashable, Recalled[P]] = OrderedDict()
        self._places: dict[Hashable, PathRule] = {}
        self._lock = Lock()

    def passes(self, credentials: Hashable, place: Hashable) -> Passing[P] | None:
        """Somebody who may pass here now; None sends the request the long way."""
        recalled = self._visitors.get(credentials)
        if recalled is None or recalled.facts.good_until <= self._monotonic():
            return None
        rule = self._places.get(place)
        if rule is None:
            return None
        visit = recalled.visits.get(id(rule))
        if visit is None:
            return None
        decision = decide(visit, recalled.facts.known, int(self._clock()))
        if type(decision) is not Allow:
            return None
        return decision.outcome, recalled.payload, visit, recalled.facts

    def remember(self, credentials: Hashable, place: Hashable, verdict: Verdict, payload: P) -> None:
        """Keep what made `verdict`, if it is the plain case: a person who passes on facts that are still good."""
        visit, facts = verdict.visit, verdict.cached
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
        with self._lock:
            if len(self._places) >= PLACES:
                self._places.clear()
            self._places[place] = visit.rule
            recalled = self._visitors.get(credentials)
            if recalled is not None and recalled.facts is facts:
                recalled.visits[id(visit.rule)] = visit
                return
            self._visitors[credentials] = Recalled(facts, visit, payload)
            self._visitors.move_to_end(credentials)
            while len(self._visitors) > CAPACITY:
                self._visitors.popitem(last=False)
