"""Codes are found under every pepper that is still kept, and new ones hashed with the newest."""

import pytest

from mfa_gate.factors import recovery
from mfa_gate.factors.peppers import Peppers, is_made_with

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
CODE, WRONG = "k3v9-0qhm-x72c-tdwe", "k3v9-0qhm-x72c-tdwf"
ALICE, BOB = "a" * 32, "b" * 32


def test_j15_what_the_older_pepper_hashed_is_found_after_the_exchange() -> None:
    peppers = Peppers(OLD)
    stored = peppers.hash_code(CODE, ALICE)
    peppers.renew(OLD, NEW)
    newer = peppers.hash_code(CODE, ALICE)
    assert stored != newer
    assert peppers.find((stored,), CODE, ALICE) == stored
    assert peppers.find((b"other", newer), CODE, ALICE) == newer
    peppers.renew(NEW)
    assert peppers.find((stored,), CODE, ALICE) is None
    assert peppers.find((stored, newer), CODE, ALICE) == newer


@pytest.mark.parametrize(
    ("code", "account", "pepper"), [(WRONG, ALICE, OLD), (CODE, BOB, OLD), (CODE, ALICE, OTHER)]
)
def test_another_code_account_or_pepper_finds_nothing(code: str, account: str, pepper: bytes) -> None:
    stored = Peppers(OLD).hash_code(CODE, ALICE)
    assert Peppers(pepper).find((stored,), code, account) is None


def test_the_mark_says_which_pepper_it_was_and_does_not_pass_for_a_hash() -> None:
    stored = Peppers(OLD, NEW).hash_code(CODE, ALICE)
    assert is_made_with(stored, NEW)
    assert not is_made_with(stored, OLD)
    assert stored[4:] == recovery.hash_code(CODE, NEW, ALICE)
    assert stored[:4] not in NEW
    assert Peppers(NEW).find((stored[4:], stored[:4]), CODE, ALICE) is None


def test_one_pepper_is_a_set_of_peppers() -> None:
    peppers = Peppers.of(OLD)
    assert Peppers.of(peppers) is peppers
    assert peppers.hash_code(CODE, ALICE) == Peppers(OLD).hash_code(CODE, ALICE)
