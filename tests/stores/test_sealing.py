"""The seal: what was written opens in its own place, and nothing else opens anywhere."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.errors import KeysError, RecordCorrupt
from mfa_gate.stores.sealing import Sealer

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = ("store", "account", "a1", 3)
PARTS = st.lists(st.text(max_size=6) | st.integers(-9, 10**12), max_size=4)


def sealer(current: str = "new", **keys: bytes) -> Sealer:
    numbers = iter(range(1, 10**6))
    return Sealer(keys or {"old": OLD, "new": NEW}, current, lambda size: next(numbers).to_bytes(size))


def test_what_was_sealed_opens() -> None:
    sealed = sealer().seal(b"plain", *PLACE)
    assert sealer().open(sealed, *PLACE) == b"plain"
    assert b"plain" not in sealed


def test_the_header_names_format_and_key_before_the_nonce() -> None:
    assert sealer().seal(b"", "x")[:18] == b"v1" + b"\x03new" + (1).to_bytes(12)


def test_each_record_has_a_nonce_of_its_own() -> None:
    one = sealer()
    assert one.seal(b"plain", *PLACE) != one.seal(b"plain", *PLACE)


@given(plain=st.binary(max_size=40), place=PARTS, other=PARTS)
def test_a_record_opens_in_its_own_place_only(
    plain: bytes, place: list[str | int], other: list[str | int]
) -> None:
    sealed = sealer().seal(plain, *place)
    assert sealer().open(sealed, *place) == plain
    if [*map(repr, place)] != [*map(repr, other)]:
        with pytest.raises(RecordCorrupt):
            sealer().open(sealed, *other)


@pytest.mark.parametrize(
    "other",
    [
        ("store", "account", "a13"),
        ("store", "account", "a1", "3"),
        ("store", "accounta1", 3),
        ("store", "account", "a1", 3, ""),
        ("storeaccount", "a1", 3),
        ("store", "account", "a1", 33),
        (),
    ],
)
def test_places_that_look_alike_when_joined_are_different(other: tuple[str | int, ...]) -> None:
    with pytest.raises(RecordCorrupt):
        sealer().open(sealer().seal(b"plain", *PLACE), *other)


@given(st.data())
def test_a_record_with_any_byte_changed_does_not_open(data: st.DataObject) -> None:
    sealed = sealer().seal(b"some plain text", *PLACE)
    index = data.draw(st.integers(0, len(sealed) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = sealed[:index] + bytes([sealed[index] ^ flip]) + sealed[index + 1 :]
    with pytest.raises(RecordCorrupt):
        sealer().open(changed, *PLACE)


@given(st.binary(max_size=60) | st.none() | st.text(max_size=20) | st.integers())
def test_nothing_that_is_not_ours_opens(junk: object) -> None:
    with pytest.raises(RecordCorrupt):
        sealer().open(junk, *PLACE)


@pytest.mark.parametrize("length", range(60))
def test_a_record_cut_short_does_not_open(length: int) -> None:
    sealed = sealer().seal(b"x" * 26, *PLACE)
    assert len(sealed) == 60
    with pytest.raises(RecordCorrupt):
        sealer().open(sealed[:length], *PLACE)


def test_j15_old_keys_open_and_the_current_one_seals() -> None:
    before = sealer("old").seal(b"plain", *PLACE)
    assert sealer("new").open(before, *PLACE) == b"plain"
    after = sealer("new").seal(b"plain", *PLACE)
    assert sealer("old").open(after, *PLACE) == b"plain"
    with pytest.raises(RecordCorrupt, match="no key of ours"):
        sealer("new", new=NEW).open(before, *PLACE)


def test_j16_another_key_of_the_same_name_opens_nothing() -> None:
    with pytest.raises(RecordCorrupt):
        sealer("new", new=OLD).open(sealer("new", new=NEW).seal(b"plain", *PLACE), *PLACE)


def test_a_key_id_is_not_a_place_to_hide_in() -> None:
    """The same key under two names: a record says truly which of them sealed it."""
    twins = {"a": NEW, "b": NEW}
    sealed = sealer("a", **twins).seal(b"plain", *PLACE)
    with pytest.raises(RecordCorrupt):
        sealer("a", **twins).open(sealed.replace(b"\x01a", b"\x01b", 1), *PLACE)


@pytest.mark.parametrize(
    ("keys", "current", "text"),
    [
        ({}, "new", '"new"'),
        ({"old": OLD}, "new", '"new"'),
        ({"new": b"short"}, "new", '"new" has 5 bytes'),
        ({"new": NEW, "": OLD}, "new", "1 to 255"),
        ({"n" * 256: NEW}, "n" * 256, "1 to 255"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(keys: dict[str, bytes], current: str, text: str) -> None:
    with pytest.raises(KeysError, match=text):
        Sealer(keys, current, bytes)


class TestExchange:
    """Two processes, of which one has not noticed the new key yet."""

    OLD, NEW = {"k1": b"1" * 32}, {"k1": b"1" * 32, "k2": b"2" * 32}

    def test_what_the_new_key_sealed_is_read_after_another_look(self) -> None:
        def look() -> bool:
            slow.renew(self.NEW, "k1")
            return True

        slow = Sealer(self.OLD, "k1", os.urandom, look)
        sealed = Sealer(self.NEW, "k2", os.urandom).seal(b"text", "here")
        assert slow.open(sealed, "here") == b"text"

    def test_a_look_in_vain_is_refused(self) -> None:
        looks: list[int] = []

        def look() -> bool:
            looks.append(1)
            return False

        slow = Sealer(self.OLD, "k1", os.urandom, look)
        with pytest.raises(RecordCorrupt, match="no key of ours"):
            slow.open(Sealer(self.NEW, "k2", os.urandom).seal(b"text", "here"), "here")
        assert looks == [1]

    def test_the_key_that_seals_is_known_by_the_record(self) -> None:
        sealer = Sealer(self.OLD, "k1", os.urandom)
        sealed = sealer.seal(b"text", "here")
        assert sealer.is_current(sealed)
        sealer.renew(self.NEW, "k2")
        assert not sealer.is_current(sealed)
        assert sealer.is_current(sealer.seal(b"text", "here"))
        assert sealer.open(sealed, "here") == b"text"

    def test_a_renewal_that_cannot_be_used_changes_nothing(self) -> None:
        sealer = Sealer(self.OLD, "k1", os.urandom)
        sealed = sealer.seal(b"text", "here")
        with pytest.raises(KeysError):
            sealer.renew(self.NEW, "k3")
        assert sealer.open(sealed, "here") == b"text"
