"""Measures candidates in turns, so that a busy machine slows all of them alike, and compares them round by round.

What counts is this thread's own CPU time, and of all rounds the median.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median

Call = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


class Times:
    """Microseconds per call: a list of rounds for each candidate."""

    def __init__(self, taken: Mapping[str, list[float]]) -> None:
        self._taken = taken

    def of(self, name: str) -> float:
        """The median of one candidate."""
        return median(self._taken[name])

    def added(self, wrapped: str, bare: str) -> float:
        """By how much the one takes longer than the other: the median of the rounds' differences."""
        return median(self._differences(wrapped, bare))

    def share(self, wrapped: str, bare: str, baseline: str, baseline_bare: str | None = None) -> float:
        """What the one adds, as a part of a baseline (or of what that adds): the median of the rounds' quotients."""
        below = self._taken[baseline] if baseline_bare is None else self._differences(baseline, baseline_bare)
        above = self._differences(wrapped, bare)
        return median(part / whole for part, whole in zip(above, below, strict=True))

    def _differences(self, wrapped: str, bare: str) -> list[float]:
        pairs = zip(self._taken[wrapped], self._taken[bare], strict=True)
        return [one - other for one, other in pairs]


async def in_turns(
    candidates: Mapping[str, Call],
    asynchronous: Mapping[str, AsyncCall],
    *,
    rounds: int = 150,
    calls: int = 300,
) -> Times:
    """Every candidate `calls` times in each round, the plain ones first."""
    taken: dict[str, list[float]] = {name: [] for name in (*candidates, *asynchronous)}
    for _ in range(rounds):
        for name, call in candidates.items():
            taken[name].append(_timed(call, calls))
        for name, call in asynchronous.items():
            taken[name].append(await _timed_async(call, calls))
    return Times(taken)


def _timed(call: Call, calls: int) -> float:
    call()
    turns = range(calls)
    begun = time.thread_time()
    for _ in turns:
        call()
    return (time.thread_time() - begun) / calls * 1e6


async def _timed_async(call: AsyncCall, calls: int) -> float:
    await call()
    turns = range(calls)
    begun = time.thread_time()
    for _ in turns:
        await call()
    return (time.thread_time() - begun) / calls * 1e6
