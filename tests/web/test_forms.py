"""Reading a form: within bounds, in one way only, and never with an error."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.messages import GateRequest
from mfa_gate.web.forms import MAX_BYTES, MAX_FIELDS, Form, Unreadable, parse_form, parse_query, read_form

FORM = ("content-type", "application/x-www-form-urlencoded")
NAMES = st.text(min_size=1, max_size=20)


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def posted(*headers: tuple[str, str]) -> GateRequest:
    return GateRequest(method="POST", path="/mfa/verify", headers=headers)


@given(st.dictionaries(NAMES, st.text(max_size=50), max_size=MAX_FIELDS))
def test_what_a_browser_encodes_is_read_as_it_was_typed(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == Form(fields)


@given(st.binary(max_size=300))
def test_whatever_is_sent_is_a_form_with_each_field_once_or_none(body: bytes) -> None:
    read = parse_form(body)
    assert read == Unreadable(400) or isinstance(read, Form)


@given(NAMES, st.text(max_size=9), st.text(max_size=9))
def test_a_field_that_comes_twice_is_no_field(name: str, one: str, other: str) -> None:
    body = urlencode([(name, one), ("x" + name, "kept"), (name, other)])
    assert parse_form(body.encode()) == Unreadable(400)
    assert parse_query(body) == {"x" + name: "kept"}


@pytest.mark.parametrize(
    "query", ["%ff=1", "a=%ff", "&".join(f"f{place}=1" for place in range(MAX_FIELDS + 1))]
)
def test_a_query_that_cannot_be_read_has_no_fields(query: str) -> None:
    assert parse_query(query) == {}


async def test_a_form_that_comes_in_pieces_is_one_form() -> None:
    assert await read_form(posted(FORM), pieces(b"a=", b"1&", b"", b"b=2")) == Form({"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((FORM, FORM), 415),
        ((), 415),
        ((FORM, ("content-encoding", "gzip")), 415),
        ((("content-type", "multipart/form-data; boundary=a"),), 415),
        ((FORM, ("content-length", str(MAX_BYTES + 1))), 413),
        ((FORM, ("content-length", "9" * 40)), 413),
        ((FORM, ("content-length", "-1")), 400),
        ((FORM, ("content-length", "1_0")), 400),
    ],
)
async def test_the_body_of_what_is_no_form_is_left_alone(
    headers: tuple[tuple[str, str], ...], status: int
) -> None:
    asked = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b"a=1"

    read = await read_form(posted(*headers), body())
    assert isinstance(read, Unreadable)
    assert read.status == status
    assert not asked


async def test_i05_an_endless_body_is_left_after_64_kilobytes() -> None:
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 4_096

    assert await read_form(posted(FORM), body()) == Unreadable(413)
    assert taken == MAX_BYTES // 4_096 + 1
