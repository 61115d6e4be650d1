"""What a last line says is what was signed of one form, and nothing else has such a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.attested import Form, attested, read, to_sign

FORMS: tuple[Form, ...] = ("html", "csv", "json")


@given(
    form=st.sampled_from(FORMS), body=st.binary(max_size=200), signature=st.binary(min_size=64, max_size=64)
)
def test_what_is_put_there_is_read(form: Form, body: bytes, signature: bytes) -> None:
    found = read(attested(form, body + b"\n", "2026-01", signature))
    assert found is not None
    assert (found.form, found.key, found.signature) == (form, "2026-01", signature)
    assert found.message == to_sign(form, body + b"\n")


@given(content=st.binary(max_size=300))
def test_anything_else_is_none(content: bytes) -> None:
    assert read(content) is None


@pytest.mark.parametrize("key", ["", "a b", "ä", '"', "\n"])
def test_a_key_that_no_line_can_hold(key: str) -> None:
    assert read(attested("json", b"{\n", key, b"x" * 64)) is None


def test_no_form_passes_for_another() -> None:
    assert len({to_sign(form, b"the same\n") for form in FORMS}) == len(FORMS)
