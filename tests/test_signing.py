"""A token is read only as what it was given out for, by us, and not too long ago."""

import hashlib
import pickle
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode

from mfa_gate.core.errors import KeysError
from mfa_gate.signing import MAX_TOKEN, Csrf, Pending, Purpose, SessionCookie, Signer

NOW = 1_700_000_000
OLD, KEY, OTHER = (bytes([n]) + bytes(range(31)) for n in (1, 2, 3))
SIGNER = Signer("session", (KEY,))
COOKIE = SessionCookie(account="0123456789abcdef" * 2, id="I" * 43, epoch=3, store="s1")
PENDING = Pending(id="p", account="a" * 32, next="/files?x=1", enrollment=None, started_at=NOW)
TOKEN = SIGNER.sign(COOKIE, NOW)
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


def read(token: str, now: int = NOW, max_age: int = 3600) -> SessionCookie | None:
    return SIGNER.read(token, SessionCookie, now, max_age)


class Borrowed(TimestampSigner):
    """Our own scheme in a stranger's hands: key, digest and time as they like."""

    def __init__(self, key: bytes, *, digest: object = hashlib.sha256, at: int = NOW) -> None:
        super().__init__(key, salt=b"mfa_gate.session.1", key_derivation="hmac", digest_method=digest)
        self._at = at

    def get_timestamp(self) -> int:
        return self._at

    def seal(self, payload: bytes) -> str:
        return self.sign(base64_encode(payload)).decode()


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("payload", [COOKIE, PENDING, Csrf(holder="h")], ids=["session", "pending", "csrf"])
def test_what_was_signed_is_read_again(purpose: Purpose, payload: msgspec.Struct) -> None:
    signer = Signer(purpose, (KEY,))
    assert signer.read(signer.sign(payload, NOW), type(payload), NOW, 60) == payload


def test_the_clock_is_an_argument() -> None:
    assert SIGNER.sign(COOKIE, 5) == SIGNER.sign(COOKIE, 5) != SIGNER.sign(COOKIE, 6)


def test_a_session_cookie_is_small() -> None:
    assert len(TOKEN) < 400


def test_f05_a_token_is_good_for_its_own_purpose_only() -> None:
    for made in PURPOSES:
        token = Signer(made, (KEY,)).sign(COOKIE, NOW)
        for asked in PURPOSES:
            found = Signer(asked, (KEY,)).read(token, SessionCookie, NOW, 60)
            assert (found == COOKIE) == (made == asked)


def test_f05_one_struct_is_not_read_as_another() -> None:
    assert SIGNER.read(SIGNER.sign(PENDING, NOW), SessionCookie, NOW, 60) is None
    assert SIGNER.read(TOKEN, Csrf, NOW, 60) is None


def test_f05_every_single_changed_bit_is_refused() -> None:
    for position in range(len(TOKEN)):
        for bit in range(7):
            changed = TOKEN[:position] + chr(ord(TOKEN[position]) ^ (1 << bit)) + TOKEN[position + 1 :]
            assert read(changed) is None, position


@given(st.integers(0, len(TOKEN)), st.text(max_size=5))
def test_f05_nothing_can_be_put_in(position: int, text: str) -> None:
    assert (read(TOKEN[:position] + text + TOKEN[position:]) is None) == bool(text)


@given(st.text())
def test_any_text_is_read_as_nothing(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "None", TOKEN + ".", "." + TOKEN, TOKEN + "=", TOKEN + "\n", f'"{TOKEN}"', "a" * 100_000,
     TOKEN.replace(".", "%2e"), "\ud800" * 50],
    ids=repr,
)  # fmt: skip
def test_other_spellings_are_refused(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("at", "good"), [(0, True), (3600, True), (3601, False), (-60, True), (-61, False), (10**9, False)]
)
def test_f06_neither_too_old_nor_from_the_future(at: int, good: bool) -> None:
    assert (read(TOKEN, NOW + at) == COOKIE) == good


@pytest.mark.parametrize("at", [0, 2**40, 2**63])
def test_f06_an_odd_time_is_refused(at: int) -> None:
    assert read(Borrowed(KEY, at=at).seal(msgspec.json.encode(COOKIE))) is None


class TestKeys:
    def test_j15_an_older_key_still_reads(self) -> None:
        rotated = Signer("session", (KEY, OTHER))
        assert rotated.read(TOKEN, SessionCookie, NOW, 60) == COOKIE

    def test_j15_the_newest_writes(self) -> None:
        token = Signer("session", (OLD, KEY)).sign(COOKIE, NOW)
        assert token == TOKEN
        assert Signer("session", (OLD,)).read(token, SessionCookie, NOW, 60) is None

    def test_j15_f06_a_retired_one_reads_nothing(self) -> None:
        assert Signer("session", (OTHER,)).read(TOKEN, SessionCookie, NOW, 60) is None

    @pytest.mark.parametrize("keys", [(), (b"",), (b"short",), (KEY, b"short")])
    def test_f06_none_or_a_short_one_refuses_to_start(self, keys: tuple[bytes, ...]) -> None:
        with pytest.raises(KeysError, match="32 random bytes"):
            Signer("session", keys)


class TestForged:
    def test_f06_the_scheme_is_the_one_written_down(self) -> None:
        assert Borrowed(KEY).seal(msgspec.json.encode(COOKIE)) == TOKEN

    def test_f06_sha1_is_off(self) -> None:
        assert read(Borrowed(KEY, digest=hashlib.sha1).seal(msgspec.json.encode(COOKIE))) is None

    @pytest.mark.parametrize(
        "payload",
        [
            *(b"", b"null", b"[]", b"{}", b"0", b"\xff", b"[" * 1000),
            pickle.dumps(COOKIE.id),
            msgspec.msgpack.encode(COOKIE),
            msgspec.json.encode(COOKIE)[:-1] + b',"x":1}',
            msgspec.json.encode(COOKIE).replace(b"3,", b'"3",'),
        ],
        ids=repr,
    )
    def test_f06_no_other_payload_is_read_even_if_signed(self, payload: bytes) -> None:
        assert read(Borrowed(KEY).seal(payload)) is None

    def test_f06_nor_what_a_serializer_of_itsdangerous_made(self) -> None:
        made = URLSafeTimedSerializer(
            KEY,
            salt=b"mfa_gate.session.1",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
        assert read(made.dumps(None)) is None
        assert read(made.dumps({"x": "x" * 10_000})) is None


def test_what_does_not_fit_a_cookie_is_not_signed() -> None:
    longest = msgspec.structs.replace(PENDING, next="/" + "x" * 2047)
    assert len(SIGNER.sign(longest, NOW)) <= MAX_TOKEN
    with pytest.raises(ValueError, match="does not fit a cookie"):
        SIGNER.sign(msgspec.structs.replace(PENDING, next="/" + "x" * 4000), NOW)


def test_j15_renewed_keys_read_what_the_older_ones_signed() -> None:
    signer = Signer("session", [b"1" * 32])
    token = signer.sign(COOKIE, NOW)
    signer.renew([b"1" * 32, b"2" * 32])
    assert signer.read(token, SessionCookie, NOW, 60) == COOKIE
    newer = signer.sign(COOKIE, NOW)
    signer.renew([b"2" * 32])
    assert signer.read(newer, SessionCookie, NOW, 60) == COOKIE
    assert signer.read(token, SessionCookie, NOW, 60) is None
    with pytest.raises(KeysError):
        signer.renew([])
    assert signer.read(newer, SessionCookie, NOW, 60) == COOKIE


def test_a_token_that_was_read_before_is_held_to_time_and_keys_again() -> None:
    signer = Signer("session", (OLD, KEY))
    for now in (NOW, NOW + 60, NOW + 61, NOW - 61, NOW):
        assert (signer.read(TOKEN, SessionCookie, now, 60) == COOKIE) == (abs(now - NOW) <= 60)
    assert signer.read(TOKEN, Csrf, NOW, 60) is None
    signer.renew((OLD, OTHER))
    assert signer.read(TOKEN, SessionCookie, NOW, 60) is None
    signer.renew((KEY,))
    assert signer.read(TOKEN, SessionCookie, NOW, 60) == COOKIE


def test_not_more_tokens_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mfa_gate.signing.REMEMBERED", 2)
    signer = Signer("session", (KEY,))
    tokens = [signer.sign(COOKIE, NOW + number) for number in range(5)]
    for token in (*tokens, *tokens):
        assert signer.read(token, SessionCookie, NOW, 60) == COOKIE
        assert len(signer._known) <= 2  # noqa: SLF001 -- what it remembers cannot be told from outside
