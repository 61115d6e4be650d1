"""The trail of each store exported, whole and in part, and verified with the keys and without."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.core.events import ORG
from mfa_gate.flows.authority import Authority
from mfa_gate.flows.checkpoints import Checkpointer
from mfa_gate.flows.export_lines import Reading
from mfa_gate.flows.exporting import Exported, Exporting
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.results import ReasonMissing
from mfa_gate.flows.spreadsheets import harmless
from mfa_gate.flows.verifying import Verified, verify
from mfa_gate.keys import Key
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.ports import Store
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Followed
from tests.stores import files, redis_servers
from tests.stores.contract import NOW, event, person, put
from tests.stores.redis_servers import Servers, servers

__all__ = ["servers"]
KEY = Key(id="c1", secret=bytes(range(32)))


def is_ours(signed: Signed) -> bool:
    return is_signed(to_sign(signed.body), signed.signature, public_of(KEY))


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Iterator[Store]:
    """Three minutes in which twenty people come, each signed; then somebody whom nothing signs yet."""
    made: Store = (
        files.make(tmp_path)
        if request.param == "sqlite"
        else redis_servers.make(servers.emptied("redis-8").url)
    )
    with closing(made):
        signer = Checkpointer(made, None, lambda message: (KEY.id, sign(KEY, message)), is_ours)
        for minute in range(3):
            for number in range(20):
                put(made, made.account(person(f"u{number}").id) or person(f"u{number}"))
            made.record((event("act_refused"),), NOW)
            assert signer.tick(NOW + 60 * minute + 60)
        put(made, person("late"))
        yield made


def exported(store: Store, sought: Sought) -> list[bytes]:
    exporting = Exporting(
        cast("Authority", None), store, lambda message: (KEY.id, sign(KEY, message)), is_ours
    )
    assert exporting.export_from_shell("root", sought, "jsonl", " ", NOW) == ReasonMissing()
    found = exporting.export_from_shell("root", sought, "jsonl", "yearly audit", NOW)
    assert isinstance(found, Exported)
    return list(found.lines)


def verified(lines: list[bytes], *, keys: bool) -> Verified:
    reading = Reading(iter(lines))
    chains = Followed(AuditKeys(files.AUDIT_KEY), whole=reading.trail.chains_are_whole) if keys else None
    found = verify(reading.trail, is_ours, "store-1", chains=chains)
    assert reading.is_intact == (found.broken is None)
    return found


SOUGHT = (
    (Sought(), 64, 0),
    (Sought(account_id=person("u7").id), 3, None),
    (Sought(account_id=ORG, kind="act_refused"), 3, None),
    (Sought(kind="verified"), 40, None),
    (Sought(until=NOW - 10_000), 0, 0),
)


def test_what_is_exported_is_whole_and_what_is_edited_is_named(store: Store) -> None:
    """Of one person, with the audit key, the event; without it, the minute."""
    for sought, signed, left_out in SOUGHT:
        lines = exported(store, sought)
        for keys in (True, False):
            found = verified(lines, keys=keys)
            assert found.broken is None
            assert found.signed == signed, sought
            assert left_out is None or found.left_out == left_out
    was_edited(store)


def was_edited(store: Store) -> None:
    lines = exported(store, Sought(account_id=person("u7").id))
    at = [number for number, line in enumerate(lines) if b'"is":"event"' in line][1]
    lines[at] = lines[at].replace(b"u7", b"u8")
    assert "breaks at position" in (verified(lines, keys=True).broken or "")
    assert "Between checkpoint 1" in (verified(lines, keys=False).broken or "")
    del lines[at]
    assert "1 fewer" in (verified(lines, keys=False).broken or "")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless(f"a{cell}") == f"a{cell}"
