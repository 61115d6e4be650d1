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
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CAPACITY, MAX_TTL_SECONDS, CachedFacts, FactsCache

PLACES = 20_000

P = TypeVar("P")
Key = tuple[Hashable, Hashable, Hashable, int | None]
"""Cookie line, host, whatever else attributes or tells the client, and the number of what the place says."""


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What let somebody pass, by which a long answer is judged again; a stranger's is not (`lasting`)."""

    visit: Visit
    facts: CachedFacts | None
    lasting: bool = True


class Passing(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """Somebody may pass a rule as long as `facts` are good: `told` is for the portal, `payload` is the edge's own."""

    facts: CachedFacts
    basis: Basis
    told: dict[str, object]
    payload: P


class Recall(Generic[P]):
    """One per edge and process; bounded, safe to share between threads.

    The doors look into `places` and `passings` by themselves, and hold a passing's facts to what `FactsCache.is_good`
    says: three calls would cost as much again as all that they do.
    """

    def __init__(self, cache: FactsCache, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self.cache = cache
        self.monotonic = monotonic
        """Whose facts they are, and the clock of their ages."""
        self.passings: OrderedDict[Key, Passing[P]] = OrderedDict()
        self.places: dict[Hashable, int] = {}
        """Place → number of what it says: which rule fits (rules live as long as the process), and of the client."""
        self._numbers: dict[Hashable, int] = {}
        self._lock = Lock()

    def remember(
        self,
        credentials: tuple[Hashable, Hashable, Hashable],
        place: Hashable,
        verdict: Verdict,
        told: dict[str, object],
        payload: P,
    ) -> None:
        """Keep what made `verdict`, if it is the plain case: a person who passes on facts that are still good.

        `credentials`: cookie line, host, and whatever else attributes.
        """
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
            said = (id(visit.rule), verdict.told_by_path)
            number = self.places[place] = self._numbers.setdefault(said, len(self._numbers))
            key: Key = (*credentials, number)
            self.passings[key] = Passing(facts, Basis(visit, facts), told, payload)
            self.passings.move_to_end(key)
            while len(self.passings) > CAPACITY:
                self.passings.popitem(last=False)
