"""Following the change feed: what others change is forgotten at once, and without a sign of life nothing is trusted."""

import threading
from collections.abc import Iterator

import pytest

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.policy import Policy
from mfa_gate.flows.facts import CachedFacts, FactsCache
from mfa_gate.flows.feed import ALIVE_SECONDS, Follower
from tests.waiting import until


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """A feed that says what the test puts on it, a sign of life whenever there is nothing, or that it is lost."""

    def __init__(self) -> None:
        self.news: list[tuple[str, ...] | None] = []
        self.lost = False
        self.polls = 0

    def poll(self, timeout_seconds: float) -> tuple[str, ...] | None:
        del timeout_seconds
        self.polls += 1
        threading.Event().wait(0.005)
        if self.lost:
            raise StoreUnavailable("cut")
        return self.news.pop(0) if self.news else ()

    def wake(self) -> None:
        """It never waits long."""


def keep(cache: FactsCache, name: str) -> CachedFacts:
    ticket = cache.ticket()
    policy = cache.put_policy(Policy(version=1), ticket)
    account = Account(id=name, realm="portal", subject=name)
    return cache.put(name, account, None, session_key=None, policy=policy, ticket=ticket)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> FactsCache:
    return FactsCache(clock)


@pytest.fixture
def wire(cache: FactsCache, clock: Clock) -> Iterator[Wire]:
    wire = Wire()
    follower = Follower(lambda: wire, cache, clock)
    follower.start()
    until(lambda: cache.alive_until > 0)
    yield wire
    follower.stop()
    assert cache.alive_until == 0


def test_facts_are_used_for_five_seconds_while_the_feed_lives(
    cache: FactsCache, wire: Wire, clock: Clock
) -> None:
    keep(cache, "alice")
    clock.now += 4.9
    until(lambda: cache.alive_until > clock.now)
    assert cache.get("alice", None) is not None
    clock.now += 0.2
    assert cache.get("alice", None) is None


def test_whoever_is_named_is_forgotten_at_once(cache: FactsCache, wire: Wire) -> None:
    keep(cache, "alice")
    keep(cache, "bob")
    wire.news.append(("alice",))
    until(lambda: cache.get("alice", None) is None)
    assert cache.get("bob", None) is not None


def test_everything_is_forgotten_when_everything_changed(cache: FactsCache, wire: Wire) -> None:
    keep(cache, "alice")
    wire.news.append(("*",))
    until(lambda: cache.get("alice", None) is None)
    assert cache.policy() is None


def test_f15_without_the_feed_facts_are_used_for_one_second(
    cache: FactsCache, wire: Wire, clock: Clock
) -> None:
    keep(cache, "alice")
    wire.lost = True
    until(lambda: cache.alive_until == 0)
    clock.now += 0.9
    assert cache.get("alice", None) is not None
    clock.now += 0.2
    assert cache.get("alice", None) is None


def test_silence_is_no_sign_of_life(cache: FactsCache, wire: Wire, clock: Clock) -> None:
    keep(cache, "alice")
    wire.news += [None] * 10_000
    polls = wire.polls
    until(lambda: wire.polls > polls + 2)
    clock.now += max(1.0, ALIVE_SECONDS) + 0.1
    assert cache.get("alice", None) is None


def test_what_changed_while_the_feed_was_lost_is_not_believed(cache: FactsCache, wire: Wire) -> None:
    wire.lost = True
    until(lambda: cache.alive_until == 0)
    keep(cache, "alice")
    wire.lost = False
    until(lambda: cache.alive_until > 0)
    assert cache.get("alice", None) is None
