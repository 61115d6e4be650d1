"""Codes of authenticator apps: the RFC's vectors, the window, spelling, and what a phone is shown."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.factors import totp

NOW = 1_234_567_890
FULL_WIDTH = "".join(chr(ord(digit) - ord("0") + ord("\N{FULLWIDTH DIGIT ZERO}")) for digit in "123456")
ARABIC = "".join(chr(ord(digit) - ord("0") + ord("\N{ARABIC-INDIC DIGIT ZERO}")) for digit in "123456")
BOLD = "".join(chr(ord(digit) - ord("0") + ord("\N{MATHEMATICAL BOLD DIGIT ZERO}")) for digit in "123456")


class Vector(msgspec.Struct, frozen=True):
    time: int
    step: int
    eight_digits: str

    @property
    def code(self) -> str:
        return self.eight_digits[-6:]


class Twins(msgspec.Struct, frozen=True):
    older: int
    newer: int
    code: str


TESTDATA = json.loads((Path(__file__).parent / "testdata" / "rfc6238.json").read_text())
SECRET = TESTDATA["secret_ascii"].encode()
VECTORS = msgspec.convert(TESTDATA["vectors"], list[Vector])
TWINS = msgspec.convert(TESTDATA["twins"], list[Twins])


def code_at(moment: int, secret: bytes = SECRET) -> str:
    return pyotp.TOTP(totp.base32(secret)).at(moment)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector.time))
def test_rfc_6238_vectors(vector: Vector) -> None:
    assert totp.matching_step(SECRET, vector.code, vector.time, window=0) == vector.step


@pytest.mark.parametrize(
    ("late_by", "step"),
    [(-2, None), (-1, -1), (0, 0), (1, 1), (2, None)],
)
def test_d18_one_step_to_each_side_and_no_more(late_by: int, step: int | None) -> None:
    current = NOW // totp.STEP_SECONDS
    expected = None if step is None else current + step
    assert totp.matching_step(SECRET, code_at(NOW + late_by * 30), NOW) == expected


def test_d18_a_code_lives_at_most_ninety_seconds() -> None:
    begins = NOW // 30 * 30
    code = code_at(begins)
    lives = [
        at for at in range(begins - 120, begins + 120) if totp.matching_step(SECRET, code, at) is not None
    ]
    assert (lives[0], lives[-1]) == (begins - 30, begins + 59)
    assert len(lives) == 90


def test_a_strict_window_takes_the_current_step_only() -> None:
    assert totp.matching_step(SECRET, code_at(NOW - 30), NOW, window=0) is None
    assert totp.matching_step(SECRET, code_at(NOW), NOW, window=-1) is None


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: twins.code)
def test_of_two_steps_with_one_code_the_newest_is_spent(twins: Twins) -> None:
    """Else the code would be good for a second time: the newer step is still above the last one."""
    between = (twins.newer - 1) * 30
    assert totp.matching_step(SECRET, twins.code, between) == twins.newer
    assert totp.matching_step(SECRET, twins.code, twins.older * 30, window=0) == twins.older


def test_the_first_steps_of_the_epoch_have_no_step_before_them() -> None:
    assert totp.matching_step(SECRET, code_at(0), 0) == 0
    assert totp.matching_step(SECRET, code_at(0), -600) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", FULL_WIDTH, "\ud800", "12345\0", "é" * 6])
def test_what_was_not_normalized_matches_nothing(code: str) -> None:
    assert totp.matching_step(SECRET, code, NOW) is None


def test_d05_a_spelling_of_a_right_code_is_not_compared() -> None:
    assert totp.matching_step(SECRET, f" {code_at(NOW)}", NOW) is None


def test_a_secret_shorter_than_nist_allows_is_no_secret() -> None:
    with pytest.raises(ValueError, match="112 bits"):
        totp.matching_step(b"short", "123456", NOW)


@given(secret=st.binary(min_size=20, max_size=20), now=st.integers(0, 2**35), late_by=st.integers(-1, 1))
def test_every_code_of_the_window_is_found_with_a_step_of_the_window(
    secret: bytes, now: int, late_by: int
) -> None:
    moment = max(now + late_by * 30, 0)
    step = totp.matching_step(secret, code_at(moment, secret), now)
    assert step is not None
    assert moment // 30 <= step <= now // 30 + 1


@pytest.mark.parametrize(
    "text",
    [
        "123456",
        " 123 456",
        "123456\n",
        "123456\r\n",
        "12 34 56",
        "\t123456\t",
        "1 2 3 4 5 6 ",
        "123456 \n",
        "123456\n ",
    ],
)
def test_d05_spaces_tabs_and_line_ends_are_what_pasting_leaves(text: str) -> None:
    assert totp.normalize_code(text) == "123456"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "12345",
        "1234567",
        "+123456",
        "-12345",
        "12345a",
        "0x1234",
        "12.456",
        "1_2345",
        "123456\0",
        "\0123456",
        "123\n456",
        "\n123456",
        "123456\x0b",
        "123456\x85",
        "123\u00a0456",
        "123\u2009456",
        "\ufeff123456",
        "123\u200b456",
        FULL_WIDTH,
        ARABIC,
        "12345\N{SUPERSCRIPT TWO}",
        BOLD,
        "\ud800" * 6,
        "123456" + " " * 27,
        "1" * 1_000_000,
    ],
)
def test_d05_every_other_spelling_is_refused(text: str) -> None:
    assert totp.normalize_code(text) is None


@given(st.text(max_size=40))
def test_d05_what_is_taken_is_six_ascii_digits_in_the_order_typed(text: str) -> None:
    code = totp.normalize_code(text)
    if code is not None:
        assert re.fullmatch("[0-9]{6}", code)
        assert [character for character in text if character not in " \t\r\n"] == list(code)
        assert totp.normalize_code(code) == code


@pytest.mark.parametrize("offset", [-3600, -90, -60, -30, 0, 30, 60, 3600])
def test_how_far_the_clock_of_the_phone_is_off(offset: int) -> None:
    assert totp.clock_offset(SECRET, code_at(NOW + offset), NOW) == offset


def test_beyond_its_reach_nothing_is_said_about_the_clock() -> None:
    assert totp.clock_offset(SECRET, code_at(NOW + 3630), NOW) is None
    assert totp.clock_offset(SECRET, code_at(NOW + 90), NOW, reach_seconds=60) is None
    assert totp.clock_offset(SECRET, "no code", NOW) is None


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: twins.code)
def test_of_two_offsets_the_smaller_is_the_likelier(twins: Twins) -> None:
    assert totp.clock_offset(SECRET, twins.code, (twins.newer + 1) * 30) == -30
    assert totp.clock_offset(SECRET, twins.code, (twins.older - 1) * 30) == 30


def test_a_secret_is_twenty_bytes_of_the_randomness_given() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    assert totp.new_secret(random) == bytes(range(20))
    assert asked == [20]


def test_the_key_to_type_is_base32_in_groups_of_four() -> None:
    assert totp.base32(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp.groups_of_four(totp.base32(SECRET)) == ("GEZD", "GNBV", "GY3T", "QOJQ") * 2
    assert "=" not in totp.base32(bytes(16))


def label_and_fields(issuer: str, account_name: str) -> tuple[str, dict[str, list[str]]]:
    uri = totp.provisioning_uri(SECRET, issuer=issuer, account_name=account_name)
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    return parts.path.removeprefix("/"), parse_qs(parts.query)


def test_the_address_names_organization_and_account() -> None:
    label, fields = label_and_fields("Example Files", "alice@example.org")
    assert label == "Example%20Files:alice%40example.org"
    assert fields == {"secret": [totp.base32(SECRET)], "issuer": ["Example Files"]}


@pytest.mark.parametrize(
    ("issuer", "account_name", "label"),
    [
        ("Corp: Files", "corp:alice", "Corp Files:corp alice"),
        ("Files", "al\u202eice\x00\r\n", "Files:alice"),
        ("Files", "al\ud800ice", "Files:alice"),
        ("Files", " a\u00a0 b\t", "Files:a b"),
        ("Files", "::\n", "Files:account"),
        ("", "alice", "alice"),
        ("Ä & Ö?", "a/b#c%", "Ä & Ö?:a/b#c%"),
    ],
)
def test_labels_are_cleaned_so_that_every_app_takes_them(issuer: str, account_name: str, label: str) -> None:
    read, fields = label_and_fields(issuer, account_name)
    assert unquote(read) == label
    assert fields.get("issuer", [""])[0] == label.rpartition(":")[0]


@pytest.mark.parametrize("letter", ["x", "é", "漢", "\N{MATHEMATICAL FRAKTUR SMALL X}", "\u0600"])
def test_names_of_any_length_still_make_a_code_that_a_phone_can_read(letter: str) -> None:
    uri = totp.provisioning_uri(SECRET, issuer=letter * 10_000, account_name=letter * 10_000)
    assert len(uri) <= 640
    assert totp.qr_svg(uri).startswith("<svg")


@given(issuer=st.text(), account_name=st.text())
def test_no_name_adds_a_field_or_breaks_the_address(issuer: str, account_name: str) -> None:
    label, fields = label_and_fields(issuer, account_name)
    assert set(fields) <= {"secret", "issuer"}
    assert fields["secret"] == [totp.base32(SECRET)]
    assert label.count(":") == ("issuer" in fields)


def test_the_qr_code_passes_a_strict_content_security_policy() -> None:
    svg = totp.qr_svg(totp.provisioning_uri(SECRET, issuer="Example <Files>", account_name="<script>"))
    assert re.fullmatch(
        r'<svg viewBox="0 0 \d+ \d+">(<path (fill|stroke)="#[0-9a-f]{3}" d="[-mhvzMHVZ\d. ]+"/>){2}</svg>',
        svg,
    )
    assert 'fill="#fff"' in svg


def test_no_step_of_a_time_is_newer_than_its_latest() -> None:
    code = pyotp.TOTP(totp.base32(SECRET)).at(NOW + 30)
    step = totp.matching_step(SECRET, code, NOW)
    assert step == totp.latest_step(NOW)
    assert totp.latest_step(NOW + 30) == step + 1
