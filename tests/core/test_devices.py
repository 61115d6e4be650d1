"""What a device's token looks like, when a device counts, and how devices come and go."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Device
from mfa_gate.core.administering import lost_device, was_reset, was_signed_out
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.devices import (
    LONGEST_NAME,
    DeviceToken,
    counts,
    device_name,
    devices_of,
    lives_until,
    named,
    registered,
    removed,
    used,
)
from mfa_gate.core.events import Event
from mfa_gate.core.policy import DAY, Policy
from tests.core.samples import ACTOR, ADMIN, ENROLLED, NOW

POLICY = Policy(mobile_ttl_seconds=30 * DAY, desktop_ttl_seconds=7 * DAY)
ID, OTHER_ID = "1" * 32, "2" * 32


def token(device_id: str = ID) -> DeviceToken:
    return DeviceToken(account_id="a" * 32, id=device_id, secret="s" * 43)


def with_device(
    account: Account = ENROLLED,
    device_id: str = ID,
    kind: NativeKind = "desktop",
    instead_of: str = "",
    now: int = NOW,
) -> tuple[Account, Device, Event]:
    after, device, (event,) = registered(
        account, POLICY, token(device_id), b"h" * 32, kind, "Office", "totp",
        instead_of=instead_of, actor=ACTOR, now=now,
    )  # fmt: skip
    return after, device, event


@given(st.binary(min_size=48, max_size=48))
def test_a_token_is_read_as_it_was_shown(random: bytes) -> None:
    made = DeviceToken.new("0f" * 16, lambda count: random[:count])
    assert DeviceToken.read(made.text) == made
    assert made.hashed_as == f"device {made.account_id} {made.id}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        token().text + "=",
        token().text[:-1],
        token().text.upper(),
        " " + token().text,
        token().text + "\n",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert DeviceToken.read(text) is None


def test_a_registered_one_counts_until_its_absolute_end() -> None:
    account, device, event = with_device()
    assert device.expires_at == lives_until(device, POLICY) == NOW + 7 * DAY
    assert devices_of(account, POLICY, NOW + 7 * DAY - 1) == (device,)
    assert devices_of(account, POLICY, NOW + 7 * DAY) == ()
    assert devices_of(account, POLICY, NOW - SKEW_SECONDS - 1) == ()
    assert (event.kind, event.notify) == ("device_registered", ("owner",))
    assert event.details == {"client": "desktop", "device": "Office"}


def test_a_shorter_policy_shortens_and_a_longer_one_lengthens_nothing() -> None:
    _, device, _ = with_device()
    assert lives_until(device, replace(POLICY, desktop_ttl_seconds=DAY)) == NOW + DAY
    assert lives_until(device, replace(POLICY, desktop_ttl_seconds=60 * DAY)) == NOW + 7 * DAY


@pytest.mark.parametrize(
    ("ending", "policy"),
    [
        (lambda account: was_signed_out(account, ADMIN, "lost", NOW)[0], POLICY),
        (lambda account: was_reset(account, ADMIN, "lost", NOW)[0], POLICY),
        (lambda account: account, replace(POLICY, closed_clients=("desktop",))),
        (lambda account: account, replace(POLICY, fresh_start_at=NOW)),
    ],
    ids=["signed out", "reset", "kind closed", "restored"],
)
def test_whatever_ends_it_ends_it_without_a_write(
    ending: Callable[[Account], Account], policy: Policy
) -> None:
    before, device, _ = with_device()
    assert counts(device, before, POLICY, NOW)
    assert not counts(device, ending(before), policy, NOW)


def test_only_the_named_one_gives_way_to_a_new_one() -> None:
    account, first, _ = with_device()
    both, second, event = with_device(account, OTHER_ID, "mobile", now=NOW + 5)
    assert both.devices == (first, second)
    assert "again" not in event.details
    after, third, event = with_device(both, "3" * 32, instead_of=ID, now=NOW + 9)
    assert after.devices == (second, third)
    assert event.details["again"] == "yes"
    assert named(after, ID) is None
    assert named(after, OTHER_ID) == second
    assert named(after, "") is None


def test_the_owner_is_told_of_each_removed_one_and_why_if_somebody_else_did_it() -> None:
    account, first, _ = with_device()
    both, second, _ = with_device(account, OTHER_ID)
    after, events = removed(both, (first, second), ACTOR, NOW)
    assert after.devices == ()
    assert [event.kind for event in events] == ["device_removed"] * 2
    assert all("reason" not in event.details for event in events)
    after, (event,) = lost_device(both, first, ADMIN, "stolen", NOW)
    assert after.devices == (second,)
    assert (event.details["reason"], event.notify) == ("stolen", ("owner",))


def test_a_use_is_noted_on_that_device_alone_and_never_goes_back() -> None:
    account, _, _ = with_device()
    both, second, _ = with_device(account, OTHER_ID)
    after = used(both, ID, "192.0.2.7", NOW + 60)
    assert (after.devices[0].used_at, after.devices[0].address) == (NOW + 60, "192.0.2.7")
    assert after.devices[1] == second
    assert used(after, ID, "192.0.2.8", NOW).devices[0].used_at == NOW + 60


def test_a_name_becomes_one_harmless_line() -> None:
    assert device_name("  Anna's\n laptop ") == "Anna's laptop"
    assert len(device_name("x" * 1_000)) <= LONGEST_NAME
    assert not device_name(" \t")
