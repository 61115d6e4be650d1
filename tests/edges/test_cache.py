"""Facts that were read a moment ago: how long they are used, and that nothing that changed is served from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from mfa_gate.core.accounts import Account
from mfa_gate.core.policy import Policy
from mfa_gate.flows.facts import MAX_TTL_SECONDS, SURE_SECONDS, CachedFacts, FactsCache
from tests.edges.rig import Clock, Rig
from tests.edges.town import REALM


@contextmanager
def gone(rig: Rig) -> Iterator[None]:
    """The store cannot be read meanwhile."""
    file = rig.town.place / "gate.db"
    file.rename(rig.town.place / "away.db")
    yield
    (rig.town.place / "away.db").rename(file)


def test_a_verified_request_asks_the_store_for_nothing_within_a_second(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    with gone(rig):
        for _ in range(5):
            rig.clock.go(0.19)
            assert alice.get().status == 200
            assert alice.get("/archive/x").status == 200
            assert alice.ask("POST", "/files").status == 200
        rig.clock.go(0.2)
        assert alice.get().status == 503
    assert alice.get().status == 200


def test_the_portal_signing_its_cookie_anew_asks_the_store_for_nothing(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    with gone(rig):
        alice.sign_in("alice")
        assert alice.get().status == 200


def test_nobody_else_profits_from_what_was_read(rig: Rig) -> None:
    assert rig.client("alice", verified=True).get().status == 200
    bob = rig.client("bob", verified=True)
    with gone(rig):
        assert bob.get().status == 503
        bob.jar["mfa_gate"] = rig.client("alice").session or "x"
        assert bob.get().status == 503


@pytest.mark.parametrize("change", ["reset", "end_sessions", "sign_out_everywhere"])
def test_what_another_process_changes_is_seen_within_a_second(rig: Rig, change: str) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    getattr(rig.town, change)("alice", rig.clock())
    rig.clock.go(SURE_SECONDS)
    assert alice.get().status == 401


def test_a_policy_that_another_process_changes_is_seen_within_a_second(lax: Rig) -> None:
    carol = lax.client("carol")
    assert carol.get().status == 200
    assert lax.get("/files").status == 200
    lax.town.require_two_step()
    lax.clock.go(SURE_SECONDS)
    assert carol.get().code == "two_step_setup_required"
    assert lax.get("/files").code == "sign_in_required"


def test_a_code_given_in_this_process_counts_at_once(rig: Rig) -> None:
    alice = rig.client("alice")
    assert alice.get().status == 401
    assert alice.verify(rig.person("alice").code(rig.clock(), 1)).status == 200
    assert alice.get().status == 200


def test_a_reset_in_this_process_counts_at_once(rig: Rig) -> None:
    alice, root = rig.client("alice", verified=True), rig.client("root", verified=True)
    assert alice.get().status == 200
    done = root.api("POST", f"admin/users/{rig.person('alice').id}/reset", {"reason": "lost the phone"})
    assert done.status == 200, done
    assert alice.get().code == "two_step_setup_required"


def test_a_policy_turned_on_in_this_process_counts_at_once(lax: Rig) -> None:
    carol, root = lax.client("carol"), lax.client("root", verified=True)
    assert carol.get().status == 200
    assert root.api("PATCH", "admin/policy", {"require_two_step": True}).status == 200
    assert carol.get().code == "two_step_setup_required"
    assert lax.get("/files").code == "sign_in_required"


def test_a_policy_turned_off_in_this_process_counts_at_once(rig: Rig) -> None:
    carol, root = rig.client("carol"), rig.client("root", verified=True)
    assert carol.get().status == 401
    code = rig.person("root").code(rig.clock(), 1)
    body = {"require_two_step": False, "confirm": {"factor": "totp", "code": code}}
    assert root.api("PATCH", "admin/policy", body).status == 200
    assert carol.get().status == 200


def test_signing_out_counts_at_once(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    for address in ("/files", "/archive/x"):
        assert alice.get(address).status == 200
    assert alice.get("/logout").status == 200
    for address in ("/files", "/archive/x"):
        assert alice.get(address).code == "two_step_code_required"


def test_a_session_ends_to_the_second_although_it_is_recalled(rig: Rig) -> None:
    """Its last seconds are judged by the clock."""
    rig.requires(session_ttl_seconds=20)
    alice = rig.client("alice", verified=True)
    for _ in range(20):
        assert alice.get().status == 200
        rig.clock.go(1)
    assert alice.get().code == "two_step_code_required"


def test_a_step_up_ends_to_the_second_although_it_is_recalled(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    for _ in range(300):
        assert alice.get("/archive/x").status == 200
        rig.clock.go(1)
    assert alice.get("/archive/x").status == 200
    rig.clock.go(1)
    refused = alice.get("/archive/x")
    assert (refused.code, refused.json()["max_age"]) == ("two_step_code_required", 300)
    assert alice.get("/files").status == 200


PEOPLE = [Account(id=name * 32, realm=REALM, subject=name, version=1) for name in "abc"]


class Forgetful(RuleBasedStateMachine):
    """Whatever `get` answers was read after the last time that its account, the policy or everything was named."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(100)
        self.cache = FactsCache(self.clock, capacity=2)
        self.reads: list[tuple[Account, tuple[float, int], Policy, int]] = []
        self.named: dict[str, int] = {}
        self.moment = 0
        self.policy = Policy(version=1)
        self.read_of: dict[int, tuple[float, int]] = {}
        self.kept_alive: list[CachedFacts] = []

    @rule(person=st.sampled_from(PEOPLE))
    def begin_a_read(self, person: Account) -> None:
        self.moment += 1
        self.reads.append((person, self.cache.ticket(), self.policy, self.moment))

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def end_a_read(self, data: Any) -> None:  # noqa: ANN401
        person, ticket, policy, moment = self.reads.pop(data.draw(st.integers(0, len(self.reads) - 1)))
        kept = self.cache.put_policy(policy, ticket)
        entry = self.cache.put(person.id, person, None, session_key=None, policy=kept, ticket=ticket)
        self.read_of[id(entry.known)] = (ticket[0], moment)
        self.kept_alive.append(entry)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.go(seconds)

    @rule(person=st.sampled_from(PEOPLE))
    def an_account_is_named(self, person: Account) -> None:
        self.moment += 1
        self.cache.drop(person.id)
        self.named[person.id] = self.moment

    @rule()
    def the_policy_changes(self) -> None:
        self.moment += 1
        self.policy = Policy(version=self.policy.version + 1)
        self.cache.drop("policy")
        self.named["policy"] = self.moment

    @rule()
    def everything_is_named(self) -> None:
        self.moment += 1
        self.cache.drop_all()
        self.named["*"] = self.moment

    @rule(seconds=st.sampled_from([0.0, 0.75]))
    def the_feed_gives_a_sign(self, seconds: float) -> None:
        self.cache.alive_until = self.clock() + seconds

    @rule(person=st.sampled_from(PEOPLE))
    def look(self, person: Account) -> None:
        entry = self.cache.get(person.id, None)
        policy = self.cache.policy()
        if policy is not None:
            assert policy.version == self.policy.version
        if entry is None:
            return
        read_at, moment = self.read_of[id(entry.known)]
        assert entry.known.account is person
        assert moment > max(self.named.get(name, 0) for name in (person.id, "policy", "*"))
        age = self.clock() - read_at
        assert age < (MAX_TTL_SECONDS if self.clock() < self.cache.alive_until else SURE_SECONDS)


TestForgetful = Forgetful.TestCase
TestForgetful.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_what_was_read_before_a_change_is_not_kept() -> None:
    clock = Clock()
    cache = FactsCache(clock)
    ticket = cache.ticket()
    policy = cache.put_policy(Policy(version=1), ticket)

    def kept(person: Account) -> CachedFacts | None:
        cache.put(person.id, person, None, session_key=None, policy=policy, ticket=ticket)
        return cache.get(person.id, None)

    assert kept(PEOPLE[0]) is not None
    cache.drop(PEOPLE[1].id)
    assert kept(PEOPLE[1]) is None
    assert kept(PEOPLE[0]) is not None
    cache.drop("policy")
    assert kept(PEOPLE[0]) is None
