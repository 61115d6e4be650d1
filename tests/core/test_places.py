"""What counts as somewhere new, and how little of it is kept."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import Actor
from mfa_gate.core.places import KEPT, came_from

NOW = 1_800_000_000
ALICE = Account(id="a" * 32, realm="portal", subject="alice")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"


def at(address: str) -> Actor:
    return Actor(subject="alice", realm="portal", address=address, surface="web")


def came(account: Account, address: str, user_agent: str = FIREFOX) -> tuple[Account, list[dict[str, str]]]:
    after, events = came_from(account, at(address), user_agent, NOW)
    assert all((each.kind, each.notify) == ("verified_elsewhere", ("owner",)) for each in events)
    return after, [each.details for each in events]


def test_the_first_place_is_no_news_and_another_one_is_once() -> None:
    home, said = came(ALICE, "192.0.2.7")
    assert said == []
    same, said = came(home, "192.0.2.7")
    assert (same, said) == (home, [])
    away, said = came(home, "198.51.100.7")
    assert said == [{"browser": "Firefox on Linux"}]
    assert came(away, "198.51.100.7")[1] == []
    assert came(away, "192.0.2.7")[1] == []
    assert came(away, "192.0.2.7", CHROME)[1] == [{"browser": "Chrome on Windows"}]


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ("192.0.2.7", "192.0.99.1", False),
        ("192.0.2.7", "192.1.2.7", True),
        ("2001:db8:1::1", "2001:db8:ffff::2", False),
        ("2001:db8:1::1", "2001:db9::1", True),
        ("192.0.2.7", "::ffff:192.0.2.8", False),
        ("192.0.2.7", "testclient", False),
        ("192.0.2.7", "", False),
    ],
)
def test_what_is_another_network(before: str, after: str, *, new: bool) -> None:
    assert bool(came(came(ALICE, before)[0], after)[1]) is new


def test_a_newer_version_of_a_browser_is_the_same_one() -> None:
    home, _ = came(ALICE, "192.0.2.7")
    assert came(home, "192.0.2.7", FIREFOX.replace("150", "151"))[1] == []
    tool, said = came(home, "192.0.2.7", "tool/1.0 (call me at evil.example)")
    assert said == [{}]
    assert came(tool, "192.0.2.7", "tool/2.0")[1] == []
    assert came(tool, "192.0.2.7", "\udcff/1")[1] == [{}]


def test_few_are_kept_and_none_can_be_read() -> None:
    account = ALICE
    for number in range(3 * KEPT):
        account, _ = came(account, f"10.{number}.0.1", f"tool{number}/1")
    assert len(account.places) == 2 * KEPT
    assert came(account, f"10.{3 * KEPT - 1}.0.1", f"tool{3 * KEPT - 1}/1")[1] == []
    assert came(account, "10.0.0.1", f"tool{3 * KEPT - 1}/1")[1] == [{}]
    assert not any("10." in place or "tool" in place for place in account.places)
    other = replace(ALICE, id="b" * 32)
    assert not set(came(other, "10.17.0.1", "tool17/1")[0].places) & set(account.places)
