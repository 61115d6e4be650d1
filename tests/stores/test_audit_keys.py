"""Chains go on over an exchange of the audit key, in whatever order two processes notice it."""

from mfa_gate.core.events import Event, Head, canonical, extend
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Tally
from tests.stores.contract import event

OLD, NEW, THIEF = b"o" * 32, b"n" * 32, b"t" * 32
MADE: tuple[Event, ...] = tuple(event("verified") for _ in range(6))


def chained(*keys: bytes) -> tuple[Head, list[tuple[bytes, bytes]]]:
    """One event chained with each key."""
    head, found = Head(), []
    for key, each in zip(keys, MADE, strict=False):
        head, links = extend(key, head, (each,), 1)
        found.append((canonical(each), links[0]))
    return head, found


def broken(keys: AuditKeys | bytes, head: Head, records: list[tuple[bytes, bytes]]) -> str | None:
    tally = Tally()
    for position, (record, link) in enumerate(records):
        tally.take(keys, position, record, link)
    return tally.break_of("a" * 32, head)


def test_any_key_of_the_ring_may_have_made_a_link() -> None:
    head, records = chained(OLD, OLD, NEW, OLD, NEW, NEW)
    assert broken(AuditKeys(OLD, NEW), head, records) is None
    assert "position 2" in (broken(OLD, head, records) or "")
    assert "position 0" in (broken(AuditKeys(NEW), head, records) or "")


def test_no_other_key_may() -> None:
    head, records = chained(OLD, NEW, THIEF)
    assert "position 2" in (broken(AuditKeys(OLD, NEW), head, records) or "")


def test_who_stole_the_old_key_cannot_change_what_the_new_one_made() -> None:
    head, records = chained(OLD, OLD, NEW)
    _, forged = chained(OLD)
    assert broken(AuditKeys(OLD, NEW), head, [*forged, *records[2:]])
    _, instead = chained(OLD, OLD, OLD)
    assert broken(AuditKeys(OLD, NEW), head, instead)


def test_the_last_key_makes_new_links_also_once_renewed() -> None:
    keys = AuditKeys(OLD)
    assert keys.newest == OLD
    keys.renew(OLD, NEW)
    assert keys.newest == NEW
    assert AuditKeys.of(keys) is keys
    assert list(AuditKeys.of(OLD)) == [OLD]
