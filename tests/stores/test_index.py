"""What an account is found by in lists and counters."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption, RecoveryCodes
from mfa_gate.core.listing import STATUSES
from mfa_gate.core.policy import Grace, GraceFrom, Policy, grace_of, standing
from mfa_gate.core.throttle import FOREVER
from mfa_gate.stores.index import (
    FADING,
    NEW,
    STANDS,
    UNSEEN,
    Part,
    counted,
    group_scope,
    index_of,
    parts_of,
)
from tests.stores.contract import NOW, person, totp

TIMES = ("first_seen_at", "created_at", "last_verified_at")
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
    times=st.fixed_dictionaries(dict.fromkeys(TIMES, st.integers(0, 9))),
    policy=st.builds(
        Policy,
        require_two_step=st.booleans(),
        grace_seconds=st.integers(0, 9),
        grace_from=st.sampled_from(get_args(GraceFrom)),
        first_required_at=st.integers(0, 9),
    ),
    now=st.integers(0, 15),
)
def test_the_index_tells_the_status_that_the_account_has(
    apps: list[dict[str, object]],
    codes: dict[str, object] | None,
    exempt: int | None,
    times: dict[str, int],
    *,
    policy: Policy,
    now: int,
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
        **times,
    )
    row, grace = index_of(account), grace_of(policy, now)
    status = standing(account, policy, now).status
    own = row.seen_at if grace.own == "first_seen" else row.made_at

    def holds(part: Part) -> bool:
        return (
            part.stands == row.stands
            and part.still in {None, row.until > now}
            and part.in_time in {None, own > grace.after}
        )

    every = [part for word in STATUSES for part in parts_of((word,), grace)]
    assert [holds(part) for part in every].count(True) == 1
    assert {word for word in STATUSES if any(map(holds, parts_of((word,), grace)))} == {status}
    assert any(map(holds, parts_of(STATUSES, grace)))
    still = {stands: int(holds(Part(stands, still=True))) for stands in FADING}
    in_time = {
        stands: int(any(holds(part) for part in every if part.stands == stands and part.in_time))
        for stands in NEW
    }
    told = counted({row.stands: 1}, still, in_time, grace)
    assert told == {word: int(word == status) for word in STATUSES}


def test_everybody_is_looked_for_among_all() -> None:
    assert parts_of(STATUSES, Grace()) == [Part(stands) for stands in STANDS]
    assert parts_of((), Grace()) == parts_of(("grace",), Grace()) == []
    assert parts_of(("grace",), Grace(everybody=True))[1:] == [Part("new")]
