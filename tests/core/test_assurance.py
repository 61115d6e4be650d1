"""What each kind of factor is worth, and for how long."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.assurance import SKEW_SECONDS, Power, acr_for, amr_for, is_fresh, powers

NOW = 1_000_000
KINDS: tuple[FactorKind, ...] = get_args(FactorKind)
# fmt: off
REGISTERED = {  # RFC 8176 §2
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba", "retina", "sc",
    "sms", "swk", "tel", "user", "vbm", "wia",
}
# fmt: on


def test_an_authenticator_app_makes_it_two_factors() -> None:
    assert amr_for("totp") == ("mfa", "otp")
    assert acr_for(amr_for("totp")) == "urn:mfa-gate:aal2"


def test_a_recovery_code_never_counts_as_two_factors_nor_as_a_device() -> None:
    assert amr_for("recovery_code") == ("urn:mfa-gate:recovery_code",)
    assert acr_for(amr_for("recovery_code")) == "urn:mfa-gate:aal1"


@pytest.mark.parametrize("kind", KINDS)
def test_amr_is_sorted_without_doubles_and_registered_or_ours(kind: FactorKind) -> None:
    amr = amr_for(kind)
    assert list(amr) == sorted(set(amr))
    assert all(value in REGISTERED or value.startswith("urn:mfa-gate:") for value in amr)
    assert "pwd" not in amr


@pytest.mark.parametrize("amr", [(), ("pwd",), ("otp",), ("hwk", "user"), ("swk",), ("MFA",), ("mfa ",)])
def test_g02_without_mfa_there_is_no_second_level(amr: tuple[str, ...]) -> None:
    assert acr_for(amr) == "urn:mfa-gate:aal1"


def test_amr_of_an_identity_provider_says_nothing_about_phishing() -> None:
    assert acr_for({"mfa", "hwk", "swk"}) == "urn:mfa-gate:aal2"


def test_an_authenticator_app_gives_every_power() -> None:
    assert powers("totp") == set(get_args(Power))


def test_a_recovery_code_signs_in_and_mends_the_account_and_no_more() -> None:
    assert powers("recovery_code") == {"enroll", "replace_factor"}


@pytest.mark.parametrize("kind", KINDS)
def test_power_over_others_and_over_the_lock_itself_needs_mfa(kind: FactorKind) -> None:
    strong: set[Power] = {"manage_factors", "turn_off", "step_up", "register_device", "administer"}
    assert "mfa" in amr_for(kind) or not strong & powers(kind)


@pytest.mark.parametrize("worth", [amr_for, powers])
def test_an_unknown_kind_is_worth_nothing(worth: object) -> None:
    assert callable(worth)
    with pytest.raises(KeyError):
        worth("sms")


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (0, True),
        (299, True),
        (300, True),
        (301, False),
        (NOW - 1, False),
        (-SKEW_SECONDS, True),
        (-SKEW_SECONDS - 1, False),
    ],
)
def test_fresh_is_at_most_so_old_and_not_from_the_future(age: int, fresh: bool) -> None:
    assert is_fresh(NOW - age, NOW, 300) is fresh


@pytest.mark.parametrize("verified_at", [0, -1])
def test_never_verified_is_never_fresh(verified_at: int) -> None:
    assert not is_fresh(verified_at, NOW, NOW * 2)
    assert not is_fresh(verified_at, 1, 300)


def test_an_age_of_nothing_asks_for_this_very_second() -> None:
    assert is_fresh(NOW, NOW, 0)
    assert not is_fresh(NOW - 1, NOW, 0)
    assert not is_fresh(NOW, NOW, -1)
    assert not is_fresh(NOW + 30, NOW, -1)


@given(verified_at=st.integers(1, 2**40), max_age=st.integers(0, 86_400), back=st.integers(0, 2**40))
def test_f20_a_clock_set_back_gives_no_more_than_the_skew(verified_at: int, max_age: int, back: int) -> None:
    if is_fresh(verified_at, verified_at - back, max_age):
        assert back <= SKEW_SECONDS
