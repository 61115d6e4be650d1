"""`check` on a Redis server that really is set up so: each thing that endangers the gate is named with its cure."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.anchors import AnchorFile
from tests.certificates import certified
from tests.cli.shell import Shell
from tests.stores.redis_servers import KINDS, RedisServer

Act = Callable[[Any], object]
Found = list[tuple[str, str, str]]


def made(folder: Path, url: str) -> Shell:
    """A gate on this server, whose mail goes to a folder."""
    shell = Shell(folder)
    shell.environ |= {"MFA_GATE_MAIL__DIR": "mail"}
    shell.now = int(time.time())
    shell("init", "--store", url)
    return shell


def found(shell: Shell, *, code: int = 0) -> Found:
    """What is wrong at this moment; it ends with `code`."""
    shell.now = int(time.time())
    answer: Any = shell.json("check", code=code)
    return [(each["severity"], each["setting"], each["text"]) for each in answer["problems"]]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(request.param, tmp_path_factory.mktemp("checked"), "--appendonly", "yes")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def shell(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return made(tmp_path_factory.mktemp("gates") / "gate", server.url)


def test_a_sound_server_is_in_order(shell: Shell) -> None:
    assert found(shell) == []


def config(name: str, value: str | int) -> Act:
    return lambda client: client.config_set(name, value)


DANGERS: dict[str, tuple[Act, Act, str, str]] = {
    "not persistent": (
        config("appendonly", "no"),
        config("appendonly", "yes"),
        "store",
        "Set appendonly yes",
    ),
    "persistent when it likes": (
        config("appendfsync", "no"),
        config("appendfsync", "everysec"),
        "store",
        'appendfsync is "no"',
    ),
    "evicting": (
        config("maxmemory-policy", "allkeys-lru"),
        config("maxmemory-policy", "noeviction"),
        "store",
        'maxmemory-policy is "allkeys-lru"',
    ),
    "a replica": (
        lambda client: client.replicaof("127.0.0.1", 9),
        lambda client: client.replicaof("NO", "ONE"),
        "store",
        "let [store] url name the master",
    ),
}


@pytest.mark.parametrize("name", DANGERS)
def test_d10_j03_what_endangers_the_store_is_an_error_with_its_cure(
    shell: Shell, server: RedisServer, name: str
) -> None:
    begin, end, where, said = DANGERS[name]
    with server.client() as client:
        begin(client)
        try:
            ((severity, setting, text),) = found(shell, code=1)
        finally:
            end(client)
    assert (severity, setting) == ("error", where)
    assert said in text
    assert found(shell) == []


@pytest.mark.parametrize(("ahead", "way"), [(30, "behind"), (-30, "ahead of")])
def test_j13_a_clock_that_differs_from_the_servers_is_an_error(shell: Shell, ahead: int, way: str) -> None:
    """This machine's says something else than the server's."""
    shell.now = int(time.time()) + ahead
    answer = shell.json("check", code=1)
    (told,) = [each["text"] for each in answer["problems"] if "the store's server" in each["text"]]
    assert f"s {way} this machine. Let both follow NTP." in told


def test_j01_a_server_that_is_away_is_an_error(shell: Shell, server: RedisServer) -> None:
    server.kill()
    try:
        ((severity, where, text),) = found(shell, code=1)
    finally:
        server.start_again()
    assert (severity, where) == ("error", "store")
    assert "start it, or correct [store] url" in text


class TestPlaces:
    """What stands beside the store is looked at as well."""

    def test_j16_keys_that_others_can_read_are_an_error(self, shell: Shell) -> None:
        keys = shell.folder / "mfa-gate.keys"
        keys.chmod(0o644)
        ((severity, where, text),) = found(shell, code=1)
        keys.chmod(0o600)
        assert (severity, where) == ("error", "keys")
        assert "0644" in text

    def test_a_missing_anchor_is_told(self, shell: Shell) -> None:
        anchor = shell.folder / "anchor" / "mfa-gate.anchor"
        kept = AnchorFile(anchor).read()
        anchor.unlink()
        ((severity, where, text),) = found(shell)
        assert kept is not None
        AnchorFile(anchor).accept(kept)
        assert (severity, where) == ("warning", "[anchor] path")
        assert "rollback is not detected" in text

    def test_no_anchor_at_all_is_told(self, shell: Shell) -> None:
        shell.edit('path = "anchor/mfa-gate.anchor"', "")
        ((severity, where, text),) = found(shell)
        shell.edit("[anchor]", '[anchor]\npath = "anchor/mfa-gate.anchor"')
        assert (severity, where) == ("warning", "[anchor] path")
        assert "rollback is not detected" in text


ELSEWHERE = "127.1"
"""Reaches this machine, and does not look like it: what `check` would say of a server on another one."""


def test_a_server_elsewhere_without_password_and_tls_is_two_errors(tmp_path: Path) -> None:
    server = RedisServer("redis-7", tmp_path, "--appendonly", "yes")
    try:
        shell = made(tmp_path / "gate", f"redis://{ELSEWHERE}:{server.port}/0")
        told = [text for _, _, text in found(shell, code=1)]
        assert ["reached without a password" in told[0], "reached without TLS" in told[1]] == [True, True]
        with server.client() as client:
            client.config_set("requirepass", "a password")
        shell.environ["MFA_GATE_STORE__URL"] = f"redis://:a%20password@{ELSEWHERE}:{server.port}/0"
        ((_, _, text),) = found(shell, code=1)
        assert "Write rediss://." in text
    finally:
        server.kill()


def test_a_server_elsewhere_with_password_and_tls_is_in_order(tmp_path: Path) -> None:
    certified(tmp_path, ELSEWHERE)
    files = {"tls-cert-file": "ca.pem", "tls-key-file": "key.pem", "tls-ca-cert-file": "ca.pem"}
    options = [word for name, file in files.items() for word in (f"--{name}", str(tmp_path / file))]
    server = RedisServer("redis-7", tmp_path, "--appendonly", "yes", "--tls-auth-clients", "no", *options)
    try:
        port = RedisServer.free_port()
        with closing(server.client()) as client:
            client.config_set("tls-port", port)
            client.config_set("requirepass", "word")
        shell = made(tmp_path / "gate", f"rediss://:word@{ELSEWHERE}:{port}/0?ca={tmp_path}/ca.pem")
        assert found(shell) == []
    finally:
        server.kill()
