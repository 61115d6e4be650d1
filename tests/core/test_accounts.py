"""Who is the same person in another spelling, and when somebody may try a factor again."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id, fold_subject
from mfa_gate.core.throttle import FOREVER, Strikes
from tests.core.samples import APP, CODES, ENROLLED, NEWCOMER, NOW, with_app

SPELLINGS = [
    "Alice",
    "ALICE",
    " alice",
    "alice ",
    "\talice\n",
    "alice\u00a0",
    "\u3000alice",
    "\uff41\uff4c\uff49\uff43\uff45",
    "\U0001d41alice",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_b14_every_spelling_is_one_account_and_one_budget(spelling: str) -> None:
    assert account_id("portal", spelling) == account_id("portal", "alice")


def test_b14_composed_and_decomposed_letters_are_one() -> None:
    name = "Zo\u00eb@Example.org"
    assert account_id("portal", unicodedata.normalize("NFD", name)) == account_id("portal", name)


@pytest.mark.parametrize("other", ["alic", "alice2", "al ice", "alice@example.org", "\u0430lice", "", "bob"])
def test_other_names_are_other_people(other: str) -> None:
    assert account_id("portal", other) != account_id("portal", "alice")


def test_a_realm_is_a_namespace_of_its_own() -> None:
    assert account_id("portal", "alice") != account_id("partner", "alice")
    assert account_id("a", "bc") != account_id("ab", "c")


def test_the_id_is_32_hex_digits_and_the_same_for_ever() -> None:
    assert account_id("portal", "alice") == "c907b2c80e9a705a15b9de52c2b6a7c7"


@given(st.text(max_size=12))
def test_folding_is_stable(subject: str) -> None:
    once = fold_subject(subject)
    assert fold_subject(once) == once


@given(st.text(max_size=12), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_b14_no_normal_form_makes_another_account(
    subject: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]
) -> None:
    assert fold_subject(unicodedata.normalize(form, subject)) == fold_subject(subject)
    assert fold_subject(f" {subject} ") == fold_subject(subject)


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd"], exclude_characters="\u0131"), max_size=12))
def test_b14_no_change_of_case_makes_another_account(subject: str) -> None:
    """The dotless i of Turkish is left out: its capital is the capital of every other i."""
    for changed in (subject.upper(), subject.lower(), subject.casefold(), subject.swapcase()):
        assert fold_subject(changed) == fold_subject(subject)


def test_two_step_is_set_up_while_there_is_an_app() -> None:
    assert not NEWCOMER.has_factor
    assert ENROLLED.has_factor
    assert replace(ENROLLED, recovery=None).has_factor


PAUSED = Strikes(paused_until=NOW + 60)
PAUSED_LONGER = Strikes(paused_until=NOW + 90)
LOCKED = Strikes(shares=(("m", 30), ("n", 20)))
DISABLED = Strikes(disabled=True)
APP_PAUSED = with_app(ENROLLED, strikes=PAUSED)
NO_CODES = replace(CODES, hashes=())


@pytest.mark.parametrize(
    ("account", "opens_at"),
    [
        (NEWCOMER, 0),
        (ENROLLED, 0),
        (APP_PAUSED, 0),  # the recovery codes are open
        (replace(APP_PAUSED, recovery=None), NOW + 60),
        (replace(APP_PAUSED, recovery=NO_CODES), NOW + 60),
        (replace(APP_PAUSED, recovery=replace(CODES, strikes=PAUSED_LONGER)), NOW + 60),
        (replace(ENROLLED, recovery=replace(CODES, strikes=PAUSED)), 0),
        (replace(APP_PAUSED, totps=(*APP_PAUSED.totps, replace(APP, id="t2"))), 0),
        (with_app(ENROLLED, strikes=LOCKED), FOREVER),
        (with_app(ENROLLED, strikes=DISABLED), FOREVER),
        (replace(ENROLLED, recovery=replace(CODES, strikes=LOCKED)), FOREVER),
        (replace(ENROLLED, recovery=replace(NO_CODES, strikes=LOCKED)), FOREVER),
    ],
)
def test_when_the_first_factor_opens(account: Account, opens_at: int) -> None:
    assert account.opens_at == opens_at
    assert account.is_locked == (opens_at == FOREVER)
    assert account.is_paused(NOW) == (opens_at > NOW)
    assert not account.is_paused(opens_at)


def test_who_has_no_factor_is_never_paused() -> None:
    assert not NEWCOMER.is_paused(NOW)
    assert not replace(NEWCOMER, recovery=replace(CODES, strikes=LOCKED)).is_paused(NOW)
