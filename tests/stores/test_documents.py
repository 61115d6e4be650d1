"""Documents in general: what lists are found by, and what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core import events
from mfa_gate.core.accounts import RecoveryCodes
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.policy import Policy, standing
from mfa_gate.core.throttle import FOREVER
from mfa_gate.stores.audit_keys import next_link
from mfa_gate.stores.documents import Documents, cursor_at, index_of, position_of, read_event
from mfa_gate.stores.registers import Register
from tests.stores.contract import NOW, event, person, totp
from tests.stores.files import sealer

CODES = RecoveryCodes(made_at=NOW, hashes=(b"h",), total=10)
STRIKES = st.fixed_dictionaries(
    {
        "paused_until": st.integers(0, 9),
        "disabled": st.booleans(),
        "shares": st.sampled_from([(), (("s", 50),)]),
    }
)


def test_an_index_row_is_derived_from_the_account() -> None:
    row = index_of(
        person(
            "U-1", name="Ærø Ünal ", email="A@Example.org", groups=("g",), last_verified_at=5, totps=(totp(),)
        )
    )
    assert (row.name_key, row.email_key, row.subject_key) == ("ærø ünal", "a@example.org", "u-1")
    assert (row.has_factor, row.paused_until, row.active) == (True, 0, True)
    assert (row.first_seen_at, row.last_verified_at, row.groups) == (NOW, 5, ("g",))
    assert index_of(person("U-1")).name_key == "u-1"


def test_an_account_that_only_a_reset_opens_is_paused_for_ever() -> None:
    assert index_of(person("u", totps=(totp(disabled=True),))).paused_until == FOREVER


@given(
    apps=st.lists(STRIKES, max_size=3),
    codes=st.none() | STRIKES,
    active=st.booleans(),
    now=st.integers(0, 10),
)
def test_the_index_tells_the_status_that_the_account_has(
    apps: list[dict[str, object]], codes: dict[str, object] | None, active: bool, now: int
) -> None:
    account = person(
        "u",
        active=active,
        totps=tuple(totp(**each) for each in apps),
        recovery=codes and replace(CODES, strikes=totp(**codes).strikes),
    )
    row = index_of(account)
    told = (
        "inactive"
        if not row.active
        else "paused"
        if row.paused_until > now
        else "enrolled"
        if row.has_factor
        else "missing"
    )
    assert told == standing(account, Policy(), now).status


@given(st.text(), st.text(alphabet="0123456789abcdef", max_size=32))
def test_a_cursor_is_the_place_that_it_was_made_for(name_key: str, account_id: str) -> None:
    assert position_of(cursor_at(name_key, account_id)) == (name_key, account_id)


@given(st.text())
def test_every_text_is_some_cursor(text: str) -> None:
    assert all(isinstance(part, str) for part in position_of(text))


@pytest.mark.parametrize("record", [b"", b"{}", b"\xff", b"[1]", b'{"kind":"unheard_of"}'])
def test_an_event_that_cannot_be_read_is_corrupt(record: bytes) -> None:
    with pytest.raises(RecordCorrupt, match="audit verify"):
        read_event(record)


def test_an_event_comes_back_as_it_was_chained() -> None:
    made = event("policy_changed", on="yes")
    assert read_event(events.canonical(made)) == made


@given(key=st.binary(min_size=1), previous=st.binary())
def test_a_link_over_written_bytes_is_the_link_of_the_event(key: bytes, previous: bytes) -> None:
    made = event("policy_changed", on="yes")
    assert next_link(key, previous, events.canonical(made)) == events.link(key, previous, made)


def test_documents_of_one_store_do_not_open_in_another() -> None:
    ours, theirs = Documents(sealer(), "ours"), Documents(sealer(), "theirs")
    sealed = ours.seal_register("a1", Register())
    assert ours.register("a1", sealed) == Register()
    for documents, account_id in ((theirs, "a1"), (ours, "a2")):
        with pytest.raises(RecordCorrupt):
            documents.register(account_id, sealed)


def test_a_document_of_another_shape_is_corrupt_and_says_why() -> None:
    documents = Documents(sealer(), "store")
    sealed = sealer().seal(b"\x81\xa4head\x07", "store", "register", "a1")
    with pytest.raises(RecordCorrupt, match="another version"):
        documents.register("a1", sealed)
    with pytest.raises(RecordCorrupt):
        documents.ledger(None)
