"""Which header names are the gate's, however they are spelled."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.headers import (
    OUR_HEADERS,
    OUR_PREFIXES,
    OUR_SPELLINGS,
    fold_header,
    is_ours,
    spellings,
)

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "name",
    [
        "Remote-User",
        "remote_user",
        "REMOTE-NAME",
        "remote_email",
        "Remote_Groups",
        "X-Forwarded-User",
        "x_forwarded-user",
        "X-Remote-User",
        "x_auth_request_user",
        "MFA-Gate-Assertion",
        "mfa_gate_assertion",
        "MFA_Gate-Device",
        "Mfa-Gate-Request",
        "X-Mfa-User",
        "x_mfa-anything",
        "remote.user",
        "x+mfa~user",
    ],
)
def test_b03_headers_of_ours_are_known_in_every_spelling(name: str) -> None:
    assert is_ours(name, NONE)


@pytest.mark.parametrize(
    "name", ["host", "cookie", "remote-users", "mfa-gate", "x-mfa", "x-mfax-user", "remoteuser"]
)
def test_headers_of_others_are_left_alone(name: str) -> None:
    assert not is_ours(name, NONE)


def test_b03_configured_names_are_ours_too() -> None:
    configured = frozenset({fold_header("X_SSO-Person")})
    assert is_ours("x-sso_person", configured)
    assert not is_ours("x-sso_person", NONE)
    assert is_ours("remote-user", configured)


def test_spellings_are_all_there_are() -> None:
    assert spellings("X-Sso_Person") == {"x-sso-person", "x_sso-person", "x-sso_person", "x_sso_person"}
    assert spellings("host") == {"host"}
    assert len(spellings("a-b-c-d-e-f-g-h-i")) == 256
    with pytest.raises(ValueError, match="'a-b-c-d-e-f-g-h-i-j' has more than 8 separators"):
        spellings("a-b-c-d-e-f-g-h-i-j")


@given(st.sampled_from([*sorted(OUR_HEADERS), "mfa-gate-x", "x-mfa-gate"]), st.data())
def test_b03_one_look_up_finds_what_the_rule_finds(name: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from("-_")) if c == "-" else c for c in name)
    assert is_ours(written, NONE)
    assert written in OUR_SPELLINGS or written.startswith(OUR_PREFIXES)


@given(
    st.lists(st.sampled_from([*"-_.", "remote", "user", "x", "mfa", "gate", "host"]), max_size=7).map("".join)
)
def test_b03_the_look_up_claims_nothing_that_the_rule_does_not(name: str) -> None:
    if name in OUR_SPELLINGS or name.startswith(OUR_PREFIXES):
        assert is_ours(name, NONE)


def test_prefixes_are_written_in_every_spelling() -> None:
    assert set(OUR_PREFIXES) == {f"mfa{a}gate{b}" for a, b in product("-_", "-_")} | {
        f"x{a}mfa{b}" for a, b in product("-_", "-_")
    }
