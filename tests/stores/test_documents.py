"""Documents in general: what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core import events
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.stores.audit_keys import next_link
from mfa_gate.stores.documents import Documents, read_event
from mfa_gate.stores.registers import Register
from tests.stores.contract import event
from tests.stores.files import sealer


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
