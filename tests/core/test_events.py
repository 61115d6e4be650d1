"""The trail: whatever is changed in it afterwards is found."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.events import ORG, SYSTEM, Actor, Event, Head, canonical, extend, link
from tests.core.samples import ACTOR, ENROLLED, NOW

KEY = b"k" * 32
EVENT = Event(
    kind="code_rejected",
    account_id=ENROLLED.id,
    subject="alice",
    at=NOW,
    actor=ACTOR,
    details={"in_a_row": "1", "factor": "totp"},
)
texts = st.text(max_size=6)
events = st.builds(
    Event,
    kind=st.sampled_from(["verified", "code_rejected", "reset"]),
    account_id=st.just(ENROLLED.id),
    subject=texts,
    at=st.integers(0, 2**40),
    actor=st.builds(
        Actor, subject=texts, realm=texts, address=texts, surface=st.sampled_from(["web", "api"])
    ),
    details=st.dictionaries(texts, texts, max_size=2),
    notify=st.sampled_from([(), ("owner",), ("owner", "admins")]),
)
trails = st.lists(events, min_size=1, max_size=6).map(tuple)


def is_whole(key: bytes, trail: tuple[Event, ...], links: tuple[bytes, ...], head: Head) -> bool:
    """What anybody with the key can find out."""
    again, expected = extend(key, Head(), trail, head.version)
    return expected == links and again == head


def test_an_event_is_chained_as_json_with_sorted_keys() -> None:
    written = canonical(EVENT)
    value = json.loads(written)
    assert list(value) == sorted(value)
    assert list(value["details"]) == ["factor", "in_a_row"]
    assert written == json.dumps(value, separators=(",", ":")).encode()


def test_the_order_in_which_details_were_given_does_not_matter() -> None:
    turned = {"factor": "totp", "in_a_row": "1"}
    other = Event(
        kind=EVENT.kind, account_id=EVENT.account_id, subject="alice", at=NOW, actor=ACTOR, details=turned
    )
    assert canonical(other) == canonical(EVENT)


def test_a_link_is_the_hmac_of_the_one_before_and_the_event() -> None:
    assert link(KEY, b"before", EVENT) == hmac.digest(KEY, b"before" + canonical(EVENT), hashlib.sha256)


def test_the_head_counts_and_names_the_version() -> None:
    head, links = extend(KEY, Head(), (EVENT, EVENT), 7)
    assert head == Head(count=2, link=links[1], version=7)
    assert links[0] != links[1]
    assert extend(KEY, head, (), 8) == (Head(count=2, link=links[1], version=8), ())


def test_only_one_event_is_like_no_other_account_s() -> None:
    organization = Event(kind="policy_changed", account_id=ORG, subject="", at=NOW, actor=SYSTEM)
    assert link(KEY, b"", organization) != link(KEY, b"", EVENT)


@given(trails, trails)
def test_a_trail_written_in_two_goes_is_the_same_trail(
    first: tuple[Event, ...], then: tuple[Event, ...]
) -> None:
    head, links = extend(KEY, Head(), first, 1)
    head, more = extend(KEY, head, then, 2)
    assert is_whole(KEY, first + then, links + more, head)


@given(trails, st.data())
def test_an_edited_event_is_found(trail: tuple[Event, ...], data: st.DataObject) -> None:
    head, links = extend(KEY, Head(), trail, 1)
    at = data.draw(st.integers(0, len(trail) - 1))
    other = data.draw(events.filter(lambda each: each != trail[at]))
    assert not is_whole(KEY, (*trail[:at], other, *trail[at + 1 :]), links, head)


@given(trails, st.data())
def test_a_dropped_event_is_found_with_its_link_or_without(
    trail: tuple[Event, ...], data: st.DataObject
) -> None:
    head, links = extend(KEY, Head(), trail, 1)
    at = data.draw(st.integers(0, len(trail) - 1))
    kept, kept_links = trail[:at] + trail[at + 1 :], links[:at] + links[at + 1 :]
    assert not is_whole(KEY, kept, links, head)
    assert not is_whole(KEY, kept, kept_links, head)


@given(trails, events, st.data())
def test_an_inserted_event_is_found(trail: tuple[Event, ...], new: Event, data: st.DataObject) -> None:
    head, links = extend(KEY, Head(), trail, 1)
    at = data.draw(st.integers(0, len(trail)))
    forged = link(b"f" * 32, links[at - 1] if at else b"", new)
    with_new = (*trail[:at], new, *trail[at:])
    assert not is_whole(KEY, with_new, links, head)
    assert not is_whole(KEY, with_new, (*links[:at], forged, *links[at:]), head)


@given(trails, st.data())
def test_two_swapped_events_are_found(trail: tuple[Event, ...], data: st.DataObject) -> None:
    head, links = extend(KEY, Head(), trail, 1)
    one, two = (data.draw(st.integers(0, len(trail) - 1)) for _ in range(2))
    swapped, swapped_links = list(trail), list(links)
    swapped[one], swapped[two] = trail[two], trail[one]
    swapped_links[one], swapped_links[two] = links[two], links[one]
    same = trail[one] == trail[two]
    assert is_whole(KEY, tuple(swapped), links, head) == same
    assert is_whole(KEY, tuple(swapped), tuple(swapped_links), head) == (one == two)


@given(trails, st.integers(1, 6))
def test_a_cut_off_end_is_found_by_the_head(trail: tuple[Event, ...], cut: int) -> None:
    head, links = extend(KEY, Head(), trail, 1)
    assert not is_whole(KEY, trail[:-cut], links[:-cut], head)


@given(trails)
def test_without_the_key_nobody_writes_a_trail(trail: tuple[Event, ...]) -> None:
    head, links = extend(b"f" * 32, Head(), trail, 1)
    assert not is_whole(KEY, trail, links, head)


@pytest.mark.parametrize("field", ["kind", "account_id", "subject", "at", "actor", "details", "notify"])
def test_every_field_is_chained(field: str) -> None:
    assert field in json.loads(canonical(EVENT))


def test_a_user_of_the_machine_is_told_apart_from_a_namesake_of_the_portal() -> None:
    assert Actor(subject="root", surface="shell").shown == "root (shell)"
    assert Actor(subject="root", realm="portal", surface="web").shown == "root"
