"""What an account is found by in lists and counters."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption, RecoveryCodes
from mfa_gate.core.listing import STATUSES
from mfa_gate.core.policy import Policy, standing
from mfa_gate.core.throttle import FOREVER
from mfa_gate.stores.index import FADES, STANDS, UNSEEN, counted, group_scope, index_of, wanted_of
from tests.stores.contract import NOW, person, totp

CODES = RecoveryCodes(made_at=NOW, hashes=(b"h",), total=10)
STRIKES = st.fixed_dictionaries(
    {
        "paused_until": st.integers(0, 9),
        "disabled": st.booleans(),
        "shares": st.sampled_from([(), (("s", 50),)]),
    }
)


def test_an_index_row_is_derived_from_the_account() -> None:
    row = index_of(
        person(
            "U-1",
            name="Ærø\0Ünal ",
            email="A@Example.org",
            groups=("g", "g"),
            last_verified_at=5,
            totps=(totp(),),
        )
    )
    assert (row.name_key, row.email_key, row.subject_key) == ("ærø\1ünal", "a@example.org", "u-1")
    assert (row.stands, row.until, row.last_verified_at) == ("enrolled", 0, 5)
    assert row.scopes == (group_scope("g"),)
    assert index_of(person("U-1", first_seen_at=0)).name_key == "u-1"
    assert index_of(person("U-1", first_seen_at=0)).scopes == (UNSEEN,)


def test_an_account_that_only_a_reset_opens_is_paused_for_ever() -> None:
    row = index_of(person("u", totps=(totp(disabled=True),)))
    assert (row.stands, row.until) == ("paused", FOREVER)


@given(
    apps=st.lists(STRIKES, max_size=3),
    codes=st.none() | STRIKES,
    active=st.booleans(),
    exempt=st.none() | st.integers(0, 9),
    now=st.integers(0, 10),
)
def test_the_index_tells_the_status_that_the_account_has(
    apps: list[dict[str, object]],
    codes: dict[str, object] | None,
    exempt: int | None,
    now: int,
    *,
    active: bool,
) -> None:
    account = person(
        "u",
        active=active,
        totps=tuple(totp(**each) for each in apps),
        recovery=codes and replace(CODES, strikes=totp(**codes).strikes),
        exemption=None
        if exempt is None
        else Exemption(reason="No phone", approved_by="root", given_at=0, until=exempt),
    )
    row = index_of(account)
    told = row.stands if row.stands not in FADES or row.until > now else FADES[row.stands]
    status = standing(account, Policy(), now).status
    assert told == status
    assert [
        word
        for word, number in counted({row.stands: 1}, {row.stands: int(told == row.stands)}).items()
        if number
    ] == [status]
    which = wanted_of((status,))[row.stands]
    assert which in {"all", "still" if row.stands == status else "no_more"}


def test_everybody_is_looked_for_among_all() -> None:
    assert wanted_of(STATUSES) == dict.fromkeys(STANDS, "all")
    assert wanted_of(()) == {}
    assert wanted_of(("grace",)) == {}
