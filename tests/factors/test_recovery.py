"""Recovery codes: how many bits, which spellings are one code, and how one is found among hashes."""

import re
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.factors import recovery

PEPPER = bytes(range(32))
ACCOUNT = "0" * 32
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
CODE = "k3v9-0qhm-x72c-1dwe"


def numbered() -> tuple[str, ...]:
    numbers = count(2**79)
    return recovery.new_codes(lambda size: next(numbers).to_bytes(size))


def test_ten_codes_of_eighty_bits() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)] * size)

    codes = recovery.new_codes(random)
    assert len(set(codes)) == 10
    assert asked == [10] * 10
    assert all(re.fullmatch(f"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{3}}", code) for code in codes)


def test_every_bit_of_the_randomness_counts() -> None:
    made = {recovery.new_codes(lambda size, bit=bit: (1 << bit).to_bytes(size))[0] for bit in range(80)}  # type: ignore[misc]
    assert len(made) == 80
    assert recovery.new_codes(bytes)[0] == "0000-0000-0000-0000"
    assert recovery.new_codes(lambda size: b"\xff" * size)[0] == "zzzz-zzzz-zzzz-zzzz"


@given(st.binary(min_size=10, max_size=10))
def test_a_code_is_its_own_normal_form(data: bytes) -> None:
    (code, *_) = recovery.new_codes(lambda _: data)
    assert recovery.normalize(code) == code
    letters = code.replace("-", "")
    assert int.from_bytes(data) == sum(
        ALPHABET.index(each) << 5 * at for at, each in enumerate(reversed(letters))
    )


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        CODE.upper(),
        CODE.replace("-", ""),
        CODE.replace("-", " "),
        f"  {CODE}\r\n",
        CODE.replace("0", "o").replace("1", "l"),
        CODE.upper().replace("0", "O").replace("1", "I"),
        CODE.replace("-", " - "),
        "-".join(CODE),
    ],
)
def test_case_spaces_hyphens_and_look_alikes_do_not_matter(text: str) -> None:
    assert recovery.normalize(text) == CODE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-" * 16,
        CODE[:-1],
        CODE + "0",
        CODE.replace("k", "u"),
        CODE.replace("k", "\u212a"),
        CODE.replace("-", "\u2010"),
        CODE.replace("3", "\N{FULLWIDTH DIGIT THREE}"),
        CODE + "\0",
        CODE.replace("-", "_"),
        CODE + " " * 50,
        "0" * 1_000_000,
        "123456",
    ],
)
def test_everything_else_is_no_code(text: str) -> None:
    assert recovery.normalize(text) is None


@given(st.text(alphabet=st.characters(max_codepoint=0x2100), max_size=70))
def test_what_is_taken_has_one_form(text: str) -> None:
    code = recovery.normalize(text)
    if code is not None:
        assert recovery.normalize(code) == code


def test_a_hash_belongs_to_one_code_one_account_and_one_pepper() -> None:
    codes = numbered()
    hashes = {
        recovery.hash_code(code, pepper, account)
        for code in codes
        for pepper in (PEPPER, PEPPER[::-1])
        for account in (ACCOUNT, "1" * 32)
    }
    assert len(hashes) == 40
    assert {len(each) for each in hashes} == {32}


def test_e16_a_hash_is_what_it_was_in_the_last_release() -> None:
    """Kept hashes must still open after an upgrade: a change here locks people out."""
    assert recovery.hash_code(CODE, PEPPER, ACCOUNT).hex() == (
        "a9208587c0afe39c71f7b75e481a69f1848e5c2625a507a7cedee9e29768bc3c"
    )


def test_a_code_is_found_by_its_hash_wherever_it_stands() -> None:
    codes = numbered()
    hashes = tuple(recovery.hash_code(code, PEPPER, ACCOUNT) for code in codes)
    assert [recovery.find(hashes, code, PEPPER, ACCOUNT) for code in codes] == list(hashes)


def test_e14_a_removed_code_is_not_found() -> None:
    codes = numbered()
    hashes = tuple(recovery.hash_code(code, PEPPER, ACCOUNT) for code in codes[1:])
    assert recovery.find(hashes, codes[0], PEPPER, ACCOUNT) is None
    assert recovery.find((), codes[0], PEPPER, ACCOUNT) is None


def test_another_account_or_another_pepper_opens_nothing() -> None:
    hashes = (recovery.hash_code(CODE, PEPPER, ACCOUNT),)
    assert recovery.find(hashes, CODE, PEPPER, "1" * 32) is None
    assert recovery.find(hashes, CODE, PEPPER[::-1], ACCOUNT) is None
    assert recovery.find(hashes, CODE.upper(), PEPPER, ACCOUNT) is None
