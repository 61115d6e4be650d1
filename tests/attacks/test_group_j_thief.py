"""Somebody who writes the store by hand (J16): whatever they put where, the gate lets nobody in who could not get in.

Mallory knows Bob's password, has an account of their own with two-step and a session of it, kept a copy of everything
as it was yesterday, and writes whatever they like. One limit is stated, and found within a minute.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from mfa_gate.core.accounts import account_id
from mfa_gate.core.events import ORG, Event
from mfa_gate.ports import Store
from tests.attacks.burglars import Burglar, Loot, Part, burglar
from tests.attacks.grounds import wrong
from tests.edges.asking import NAVIGATION
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Rig
from tests.edges.town import REALM
from tests.waiting import until

EVERYWHERE = pytest.mark.parametrize(
    ("door", "backend"), [("asgi", "sqlite"), ("wsgi", "redis-7")], indirect=True
)
PARTS: tuple[Part, ...] = ("document", "head", "live")
CAROL = account_id(REALM, "carol")


@dataclass
class Burgled:
    """A gate that runs, and Mallory in its store. `older` is what they have kept."""

    rig: Rig
    thief: Burglar
    older: dict[tuple[Part, str], Loot] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    """Browsers of Mallory's; each may try everything."""

    @property
    def bob(self) -> str:
        return self.rig.person("bob").id

    @property
    def mallory(self) -> str:
        return self.rig.person("mallory").id

    def keep(self, *whose: str) -> None:
        """Copy what there is."""
        self.older |= {(part, who): self.thief.take(part, who) for part in PARTS for who in whose}

    def put_back(self, who: str, *parts: Part) -> None:
        """Put back what was kept."""
        for part in parts:
            self.thief.put(part, who, self.older[part, who])

    def copy(self, giver: str, taker: str, *parts: Part) -> None:
        """Somebody's, in the place of somebody else's."""
        for part in parts:
            self.thief.put(part, taker, self.thief.take(part, giver))

    def erase(self, who: str, *parts: Part) -> None:
        """Take it away."""
        for part in parts:
            self.thief.put(part, who, [])


@pytest.fixture
def burgled(build: Build) -> Iterator[Burgled]:
    rig = build()
    rig.town.enroll("mallory", rig.clock())
    with burglar(rig.town) as thief:
        found = Burgled(rig, thief)
        yesterday = rig.client("bob", verified=True)
        assert yesterday.get().status == 200
        rig.requires(on=False)
        found.keep(found.bob, found.mallory, CAROL, ORG)
        rig.requires()
        rig.town.sign_out_everywhere("bob", rig.clock())
        rig.client("bob").verify(wrong(rig, "bob"))
        with_mine = rig.client("bob")
        with_mine.jar |= {rig.settings.cookie_name: mine(rig)}
        found.clients = [rig.client("bob"), with_mine, yesterday]
        rig.canary.seen.clear()
        yield found


def mine(rig: Rig) -> str:
    """The cookie of a session of Mallory's own."""
    return rig.client("mallory", verified=True).session


def lets_nobody_in(found: Burgled) -> None:
    """Bob's pages and his wizard are shut, whatever Mallory proves; Carol has nothing to prove and stays out, too."""
    rig = found.rig
    rig.clock.go(6)
    now, mallory = rig.clock(), rig.person("mallory")
    for client in found.clients:
        for target, kind in (("/files", ()), ("/archive/x", NAVIGATION), ("/mfa/account", NAVIGATION)):
            assert client.ask("GET", target, kind).status in {303, 401, 503}, target
        state = client.api("GET", "status")
        assert state.status in {401, 503} or state.json()["state"] == "code_required"
        for code, factor in ((mallory.code(now), "totp"), (mallory.codes[0], "recovery_code")):
            assert client.verify(code, factor).status in {401, 429, 503}
        begun = client.api("POST", "totp")
        assert begun.status in {401, 403, 503}, begun.text
        assert "secret" not in begun.text
    assert rig.client("carol").get().status in {401, 503}
    assert rig.client("carol").api("PATCH", "admin/policy", {"require_two_step": False}).status in {
        401,
        403,
        503,
    }
    assert rig.seen == []


Way = Callable[[Burgled], object]


def forged_session(found: Burgled) -> None:
    found.thief.live(found.bob, f"s:{secrets.token_hex(32)}", os.urandom(120), int(found.rig.clock()) + 3600)


def my_session_for_bob(found: Burgled) -> None:
    """The one whose cookie Mallory has."""
    theirs = found.thief.take("live", found.mallory)
    found.thief.put("live", found.bob, theirs)


def my_session_and_my_head_for_bob(found: Burgled) -> None:
    found.copy(found.mallory, found.bob, "live", "head")


def my_factor_for_bob(found: Burgled) -> None:
    """Mallory's record, and so their app."""
    found.copy(found.mallory, found.bob, "document")


def everything_of_mine_for_bob(found: Burgled) -> None:
    found.copy(found.mallory, found.bob, *PARTS)


def record_of_somebody_without_two_step(found: Burgled) -> None:
    found.copy(CAROL, found.bob, *PARTS)


def record_rolled_back(found: Burgled) -> None:
    """As it was before he was signed out everywhere, and before a wrong code counted."""
    found.put_back(found.bob, "document")


def sessions_rolled_back(found: Burgled) -> None:
    found.put_back(found.bob, "live")


def head_rolled_back(found: Burgled) -> None:
    found.put_back(found.bob, "head", "live")


def record_deleted(found: Burgled) -> None:
    found.erase(found.bob, "document")


def head_deleted(found: Burgled) -> None:
    found.erase(found.bob, "head")


def everything_deleted_but_the_trail(found: Burgled) -> None:
    found.erase(found.bob, *PARTS)


def record_and_trail_deleted(found: Burgled) -> None:
    found.erase(found.bob, "document", "live", "trail")


def policy_off(found: Burgled) -> None:
    """The policy of yesterday, when it was off."""
    found.put_back(ORG, "document")


def policy_off_with_its_head(found: Burgled) -> None:
    found.put_back(ORG, "document", "head")


def policy_deleted(found: Burgled) -> None:
    found.erase(ORG, "document", "head")


def policy_of_noise(found: Burgled) -> None:
    found.copy(found.mallory, ORG, "head")


def exempt_in_the_index(found: Burgled) -> None:
    """Everything that lists are made from says that Bob and Carol need nothing."""
    for who in (found.bob, CAROL):
        found.thief.index(who)


def records_exchanged(found: Burgled) -> None:
    bobs = {part: found.thief.take(part, found.bob) for part in PARTS}
    found.copy(found.mallory, found.bob, *PARTS)
    for part, loot in bobs.items():
        found.thief.put(part, found.mallory, loot)


WAYS: tuple[Way, ...] = (
    forged_session,
    my_session_for_bob,
    my_session_and_my_head_for_bob,
    my_factor_for_bob,
    everything_of_mine_for_bob,
    record_of_somebody_without_two_step,
    record_rolled_back,
    sessions_rolled_back,
    head_rolled_back,
    record_deleted,
    head_deleted,
    everything_deleted_but_the_trail,
    record_and_trail_deleted,
    policy_off,
    policy_off_with_its_head,
    policy_deleted,
    policy_of_noise,
    exempt_in_the_index,
    records_exchanged,
)


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_J16_a_thief_of_the_store_gets_nobody_in(burgled: Burgled, way: Way) -> None:
    way(burgled)
    lets_nobody_in(burgled)


@EVERYWHERE
def test_J16_the_one_stated_limit_is_alarmed_within_a_minute(burgled: Burgled) -> None:
    """Record and head put back together, from before there was two-step: believed, until they are compared."""
    rig, store = burgled.rig, burgled.rig.town.store
    dora = rig.town.meet("dora", rig.clock()).id
    burgled.keep(dora)
    rig.town.enroll("dora", rig.clock())
    assert rig.client("dora").get().code == "two_step_code_required"
    until(lambda: "checkpoints" in store.last_runs())
    burgled.put_back(dora, "document", "head")
    rig.clock.go(61)
    assert rig.client("dora").get().code == "two_step_setup_required"
    until(lambda: alarms(store))
    (alarm,) = alarms(store)
    assert alarm.details["account"] == dora
    assert alarm.notify == ("admins",)


@pytest.mark.parametrize(("door", "backend"), [("wsgi", "redis-7")], indirect=True)
def test_J16_a_thief_who_holds_the_lease_of_the_checkpoints_does_not_keep_the_alarm_from_coming(
    burgled: Burgled, caplog: pytest.LogCaptureFixture
) -> None:
    rig, store = burgled.rig, burgled.rig.town.store
    until(lambda: "checkpoints" in store.last_runs())
    burgled.thief.hold("checkpoints")
    burgled.put_back(burgled.bob, "document", "head")

    def is_alarmed() -> bool:
        rig.clock.go(1)
        return bool(alarms(store))

    until(is_alarmed)
    assert "its lease is held, and nobody does it" in caplog.text


def alarms(store: Store) -> list[Event]:
    """What was noticed so far."""
    found = store.events(account_id=ORG, kind="tampering_noticed", before=None, limit=9)
    return [recorded.event for recorded in found]


@EVERYWHERE
def test_J16_somebody_of_whom_every_trace_was_taken_is_missed_within_a_minute(burgled: Burgled) -> None:
    """With the last event gone, too, Bob was never there, and who has his password begins anew; the trail is short."""
    rig, store = burgled.rig, burgled.rig.town.store
    until(lambda: "checkpoints" in store.last_runs())
    burgled.erase(burgled.bob, *PARTS, "trail")
    rig.clock.go(61)
    assert rig.client("bob").get().code == "two_step_setup_required"
    until(lambda: alarms(store))
    assert any("fewer than were signed" in alarm.details["what"] for alarm in alarms(store))
    assert {alarm.notify for alarm in alarms(store)} == {("admins",)}
