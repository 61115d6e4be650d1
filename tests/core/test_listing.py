"""Places in a list, and the cursors that name them in an address."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.listing import ACTIVE, SORTS, STATUSES, Place, Sort, asked

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(sort=st.sampled_from(SORTS), at=st.integers(0, 2**36 - 1), name_key=TEXT, account_id=TEXT)
def test_a_cursor_is_the_place_that_it_was_made_for(
    sort: Sort, at: int, name_key: str, account_id: str
) -> None:
    place = Place(sort=sort, last_verified_at=at, name_key=name_key, account_id=account_id)
    assert Place.of(place.cursor, sort) == place
    assert all(Place.of(place.cursor, other) is None for other in SORTS if other != sort)
    assert place.cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text())
def test_no_text_that_was_not_made_here_is_a_cursor(text: str) -> None:
    assert Place.of(text, "name") is None


def made_up(*parts: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "\udc80",
        "ä",
        "====",
        made_up("name", 0, "a"),
        made_up("name", 0, "a", "b", "c"),
        made_up("name", -1, "a", "b"),
        made_up("name", 2**36, "a", "b"),
        made_up("name", "0", "a", "b"),
        made_up("size", 0, "a", "b"),
        made_up("name", 0, "a", "b") + "=",
        made_up("name", 0, "a", "b") + "\n",
        base64.urlsafe_b64encode(b'["name", 0, "a", "b"]').decode(),
        base64.urlsafe_b64encode(b'["name",0,"\\ud800","b"]').decode(),
        base64.urlsafe_b64encode(b'["name",0,"\xff","b"]').decode(),
    ],
)
def test_what_was_changed_is_no_cursor(cursor: str) -> None:
    assert Place.of(made_up("name", 0, "a", "b"), "name")
    assert Place.of(cursor, "name") is None


def test_who_counts_is_everybody_but_the_inactive() -> None:
    assert {*ACTIVE, "inactive"} == {*STATUSES}
    assert asked(None) == ACTIVE
    assert asked("inactive") == ("inactive",)
