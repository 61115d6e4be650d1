"""Keys that are exchanged while the gate runs (J15), on either store: nobody notices, until old ones are retired."""

import os
from collections.abc import Callable

import pytest

from mfa_gate.files import replace_file
from mfa_gate.keys import KeyRing
from mfa_gate.keys.ring import Purpose
from mfa_gate.keys.rotation import finished, prepared, retired
from mfa_gate.ports import Resealed
from tests.edges.fixtures import Build
from tests.edges.rig import Rig
from tests.edges.town import Town
from tests.waiting import until

PURPOSES: tuple[Purpose, ...] = ("seal", "cookie", "pepper")
EVERYWHERE = pytest.mark.parametrize(
    ("door", "backend"), [("asgi", "redis-8"), ("wsgi", "sqlite")], indirect=True
)


def put(rig: Rig, ring: KeyRing) -> None:
    """Put a key file in the place of the one that is there."""
    replace_file(rig.town.place / "keys.json", ring.text())
    rig.clock.go(2)


def walk(step: Callable[[str | None, int], Resealed]) -> list[Resealed]:
    """Everything that is sealed, step by step."""
    steps = [step(None, 1000)]
    while steps[-1].next is not None:
        steps.append(step(steps[-1].next, 1000))
    return steps


@EVERYWHERE
def test_J15_keys_are_exchanged_and_a_retired_one_is_worth_nothing(build: Build) -> None:
    rig = build()
    now = int(rig.clock())
    alice, bob = rig.client("alice", verified=True), rig.person("bob")
    assert alice.get().status == 200
    first = KeyRing.load(rig.town.place / "keys.json")

    ring, exchanged = prepared(first, PURPOSES, os.urandom, now)
    put(rig, ring)
    assert alice.get().status == 200
    ring, _ = finished(ring, PURPOSES, now)
    put(rig, ring)
    another = Town(
        rig.town.place, rig.town.people
    )  # a process that begins now, and seals and signs with the new ones
    root = rig.client("root")
    root.jar[rig.settings.cookie_name] = another.session("root", rig.clock())
    assert root.get().status == 200, "before anybody told this process of the new keys"
    assert alice.get().status == 200
    assert rig.client("bob").verify(bob.codes[0], "recovery_code").status == 200, "hashed with the old pepper"
    rig.clock.go(30)
    assert rig.client("bob").verify(bob.code(rig.clock())).status == 200
    assert rig.client("alice").verify(rig.person("alice").code(rig.clock())).status == 200

    assert sum(step.changed for step in walk(another.store.seals.reseal)) > 5
    steps = walk(another.store.seals.survey)
    assert {key for step in steps for key in step.needed} == {ring.writing("seal").id}
    assert [step.broken for step in steps if step.broken] == []
    for each in exchanged:
        if each.purpose != "pepper":
            ring, _ = retired(ring, each.old)
    put(rig, ring)

    def is_out() -> bool:
        rig.clock.go(1)
        return alice.get().code == "two_step_code_required"

    until(is_out)
    assert root.get().status == 200
    assert rig.client("bob").verify(bob.codes[1], "recovery_code").status == 200
    another.close()
