"""What a Redis URL means, and that no complaint about one shows its password."""

from pathlib import Path

import pytest

from mfa_gate.core.errors import SettingsError
from mfa_gate.settings import Secret, Settings
from mfa_gate.settings.store_urls import RedisAddress, redis_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", RedisAddress(host="localhost")),
        ("redis://Store.Example.org:7000/", RedisAddress(host="store.example.org", port=7000)),
        ("redis://[::1]:7000/12", RedisAddress(host="::1", port=7000, db=12)),
        ("redis://:p%40ss@10.0.0.1", RedisAddress(host="10.0.0.1", password=Secret("p@ss"))),
        (
            "rediss://gate:a:b%2Fc@store.example.org/0",
            RedisAddress(host="store.example.org", user="gate", password=Secret("a:b/c"), tls=True),
        ),
        (
            "rediss://s.example.org?ca=/etc/ca.pem&cert=/etc/c.pem&key=/etc/k.pem",
            RedisAddress(
                host="s.example.org",
                tls=True,
                ca_file=Path("/etc/ca.pem"),
                cert_file=Path("/etc/c.pem"),
                key_file=Path("/etc/k.pem"),
            ),
        ),
    ],
)
def test_a_url_names_a_server(url: str, address: RedisAddress) -> None:
    assert redis_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://:6379",
        "redis:///0",
        "redis://host:port",
        "redis://host:99999",
        "redis://host/one",
        "redis://host/-1",
        "redis://host/0/1",
        "redis://host/٣",
        "redis://ho st",
        "redis://höst",
        "redis://host\\x",
        "redis://host\n",
        "redis://host#x",
        "redis://gate@host",
        "redis://gate:@host",
        "redis://host?ca=/ca.pem",
        "redis://host:0",
        "rediss://host?ca=ca.pem",
        "rediss://host?ca=/a&ca=/b",
        "rediss://host?cert=/c.pem",
        "rediss://host?key=/k.pem",
        "rediss://host?verify=no",
        "unix:///run/redis.sock",
    ],
)
def test_any_other_is_refused_with_a_cure(url: str) -> None:
    with pytest.raises(SettingsError, match=r"(?s)^\[store\] url = .*: .+\."):
        redis_address(url)


@pytest.mark.parametrize(
    "url",
    ["redis://u:hunter2@ho st", "redis://:hunter2@host/x", "redis+cluster://u:hunter2@h", "x://u:hunter2@h"],
)
def test_no_complaint_shows_a_password(url: str, tmp_path: Path) -> None:
    table = {"public_url": "http://localhost", "identity": [{"source": "remote_user"}], "store": {"url": url}}
    with pytest.raises(SettingsError, match=r"\[store\] url") as caught:
        Settings.from_mapping(table, tmp_path, {})
    assert "hunter2" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    address = redis_address("rediss://gate:hunter2@[2001:db8::1]:6380/4?ca=/ca.pem")
    assert str(address) == "rediss://[2001:db8::1]:6380/4"
    assert "hunter2" not in repr(address)
    assert not address.is_loopback
    assert redis_address("redis://127.0.0.1").is_loopback
