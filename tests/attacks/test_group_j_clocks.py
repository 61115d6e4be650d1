"""A gate that lives in another time than its store's server (J13): no code of an app counts, all else goes on."""

import os
import time

import pyotp
import pytest

from mfa_gate.gate import Gate
from mfa_gate.wiring import Sources
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Clock, Rig
from tests.waiting import until

ON_SERVERS = pytest.mark.parametrize(
    ("door", "backend"), [("asgi", "redis-7"), ("wsgi", "redis-8")], indirect=True
)
IN_FILE = pytest.mark.parametrize(("door", "backend"), [("asgi", "sqlite")], indirect=True)


def on_a_machine_of_its_own(rig: Rig) -> Clock:
    """From here on the gate's machine is off by what is said here; codes are judged by the rig's clock, as ever."""
    off = Clock(0.0)
    sources = Sources(
        clock=rig.clock, monotonic=rig.clock, random=os.urandom, machine=lambda: time.time() + off.now
    )
    rig.gate = Gate(rig.settings, sources=sources)
    rig.asgi, rig.wsgi = rig.gate.asgi(rig.canary.asgi), rig.gate.wsgi(rig.canary.wsgi)
    return off


def clock_of(client: Client) -> object:
    answer = client.get("/mfa/healthz/ready")
    assert answer.status == 200
    said: object = answer.json()["clock"]
    return said


@ON_SERVERS
@pytest.mark.parametrize("seconds", [95, -95, 3_600, -86_400])
def test_J13_a_machine_that_is_off_takes_no_code_of_an_app_until_its_clock_is_set(
    build: Build, seconds: int
) -> None:
    rig = build()
    off = on_a_machine_of_its_own(rig)
    rig.clock.go(30)
    alice, root = rig.client("alice", verified=True), rig.client("root", verified=True)
    bob, carol, person = rig.client("bob"), rig.client("carol"), rig.person("bob")
    assert alice.get().status == 200
    begun = carol.api("POST", "totp").json()
    fits = {"enrollment": begun["enrollment"], "code": pyotp.TOTP(begun["secret"]).at(int(rig.clock()))}
    given = person.code(rig.clock())
    weaker = {"factor": "totp", "code": rig.person("root").code(rig.clock())}

    off.now = seconds
    for _ in range(2):
        refused = (
            bob.verify(given),
            bob.verify("000000"),
            carol.api("POST", "totp/confirm", fits),
            root.api("PATCH", "admin/policy", {"require_two_step": False, "confirm": weaker}),
        )
        assert {(each.status, each.code) for each in refused} == {(503, "unavailable")}
    assert bob.get().status == 401
    assert carol.get().status == 401
    assert not rig.town.account("carol").has_factor
    assert rig.town.store.policy().require_two_step
    assert alice.get().status == 200, "whoever is verified goes on"
    assert clock_of(alice) == {"skew_seconds": pytest.approx(-seconds, abs=2), "refuses_codes": True}
    assert rig.client("bob").verify(person.codes[0], "recovery_code").status == 200, "it hangs on no clock"

    off.now = 0
    assert bob.verify(given).status == 200, "nothing of it was spent or counted"
    assert "code_rejected" not in rig.town.events("bob")
    assert carol.api("POST", "totp/confirm", fits).status == 200
    assert root.api("PATCH", "admin/policy", {"require_two_step": False, "confirm": weaker}).status == 200
    assert clock_of(alice) == {"skew_seconds": 0, "refuses_codes": False}


@ON_SERVERS
def test_J13_a_clock_that_parts_is_told_by_the_gate_that_runs_and_so_is_that_it_is_mended(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    rig = build()
    off = on_a_machine_of_its_own(rig)
    rig.clock.go(30)
    bob, person = rig.client("bob"), rig.person("bob")
    off.now = 20
    assert bob.verify(person.code(rig.clock())).status == 200, "it is not far enough off"

    def said(what: str) -> bool:
        rig.clock.go(1)
        return what in caplog.text

    until(lambda: said("the store's server is 20 s behind this machine. Let both follow NTP."))
    off.now = 0
    until(lambda: said("the store's server and this machine agree again"))


@IN_FILE
def test_J13_a_store_in_a_file_has_no_clock_but_the_machines_own(build: Build) -> None:
    """Nothing there tells which time is right: what is spent or shut stays so, whatever the clock does."""
    rig = build()
    off = on_a_machine_of_its_own(rig)
    rig.clock.go(30)
    bob, person = rig.client("bob"), rig.person("bob")
    assert clock_of(bob) == {"skew_seconds": 0, "refuses_codes": False}
    off.now = -3_600
    assert bob.verify(person.code(rig.clock())).status == 200
    assert rig.client("bob").verify(person.code(rig.clock())).status == 401
