"""Attacks on codes (D): replay, guessing, lockout; on every surface that takes one, through both doors."""

from typing import Any

import pytest

from tests.attacks.crew import Crew
from tests.attacks.grounds import (
    EVERYWHERE,
    TURNING_OFF,
    WEAKENING,
    Surface,
    app,
    forgive,
    stale,
)
from tests.edges.rig import Rig

STRICT = (*EVERYWHERE, WEAKENING)
LAX = (*EVERYWHERE, TURNING_OFF)


def test_D01_code_reuse(rig: Rig) -> None:
    """A code that was accepted opens nothing again: in the same browser, in another, nor does an older one."""
    rig.clock.go(60)
    person, first = rig.person("alice"), rig.client("alice")
    older, code = person.code(rig.clock(), -1), person.code(rig.clock())
    second = rig.client("alice")
    assert first.verify(code).status == 200
    for client in (first, second, rig.client("alice", peer="198.51.100.4")):
        for spent in (code, older):
            forgive(rig, "alice")
            got = client.verify(spent)
            assert (got.status, got.code) == (401, "code_rejected")
    assert second.get().status == 401
    rig.clock.go(30)
    forgive(rig, "alice")
    assert second.verify(person.code(rig.clock())).status == 200


@pytest.mark.parametrize("first", STRICT, ids=lambda each: each.name)
def test_D01_code_reuse_on_another_surface(rig: Rig, first: Surface) -> None:
    """Wherever a code was taken, it is taken nowhere else; and that it is old is not told."""
    clients = stale(rig, STRICT)
    code, bare = rig.person("root").code(rig.clock()), rig.clock()
    rig.ask(first.give(clients[first.name], code))
    step = app(rig, "root").last_step
    assert step == bare // 30, "the first surface did not take the code"
    for other in STRICT:
        forgive(rig, "root")
        before = rig.town.account("root")
        got = rig.ask(other.give(clients[other.name], code))
        after = rig.town.account("root")
        assert got.status in {401, 403, 422, 303}, other.name
        assert after.totps[0].last_step == step
        assert after.last_verified_at == before.last_verified_at
        assert after.epoch == before.epoch
    assert rig.town.store.policy().require_two_step
    assert not rig.seen


def test_D01_code_reuse_on_every_worker(rig: Rig, crew: Crew) -> None:
    """What one process has taken, no other takes."""
    crew.join(rig)
    rig.clock.go(60)
    client, code = rig.client("alice"), rig.person("alice").code(rig.clock())
    assert client.verify(code).status == 200
    fresh = rig.client("alice")
    for got in crew.each(_verify(fresh, code), rig.clock()):
        assert (got.status, got.code) == (401, "code_rejected")


def _verify(client: Any, code: str) -> Any:  # noqa: ANN401 -- whatever the client answers with
    from tests.attacks.grounds import api_ask

    return api_ask(client, "POST", "verify", {"factor": "totp", "code": code})
