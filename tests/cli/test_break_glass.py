"""`break-glass` on the server's own shell: grants, lists and takes back; with and without the store."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mfa_gate.core.accounts import account_id
from mfa_gate.core.grants import SignedGrant, is_good
from mfa_gate.keys import KeyRing
from tests.cli.shell import NOW, REALM, Shell

WHY = ("--reason", "phone lost on call")


def grant(shell: Shell, user: str = "alice", minutes: int = 30, **more: Any) -> Any:  # noqa: ANN401
    return shell.json("break-glass", "grant", "--user", user, "--minutes", str(minutes), *WHY, **more)


def grants_file(shell: Shell) -> Path:
    return shell.folder / "mfa-gate.grants"


def log(shell: Shell) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in grants_file(shell).with_name("mfa-gate.grants.log").read_text().splitlines()
    ]


def trail(shell: Shell) -> list[tuple[str, str]]:
    found = shell.json("audit", "list")
    return [
        (each["kind"], each["details"]["grant"])
        for each in reversed(found)
        if each["kind"].startswith("break_")
    ]


def test_a_grant_is_signed_for_one_account_and_host(shell: Shell) -> None:
    made = grant(shell)
    (signed,) = msgspec.json.decode(grants_file(shell).read_bytes(), type=tuple[SignedGrant, ...])
    found = signed.read()
    assert found is not None
    assert (found.id, found.subject, found.until) == (made["id"], "alice", NOW + 1800)
    assert signed.key == KeyRing.load(shell.folder / "mfa-gate.keys").writing("break_glass").id
    assert is_good(found, "http://localhost:8000", NOW)
    assert not is_good(found, "https://portal.example.org", NOW)
    assert grants_file(shell).stat().st_mode & 0o777 == 0o600


def test_it_is_recorded_at_once_and_told(shell: Shell) -> None:
    made = grant(shell)
    assert trail(shell) == [("break_glass_granted", made["id"])]
    with shell.gate() as gate:
        (recorded,) = gate.store.events(account_id=None, kind="break_glass_granted", before=None, limit=9)
    assert recorded.event.notify == ("owner", "admins")
    assert recorded.event.details["account"] == account_id(REALM, "alice")
    assert recorded.event.details["reason"] == "phone lost on call"
    assert recorded.event.actor.surface == "shell"


@pytest.mark.parametrize("minutes", ["0", "61", "-5", "x"])
def test_an_hour_is_the_most(shell: Shell, minutes: str) -> None:
    shell("break-glass", "grant", "--user", "alice", "--minutes", minutes, *WHY, code=2)
    assert not grants_file(shell).exists()


def test_reason_and_name_are_asked_for(shell: Shell) -> None:
    shell("break-glass", "grant", "--user", "alice", "--minutes", "5", "--reason", "x", code=2)
    shell("break-glass", "grant", "--user", " ", "--minutes", "5", *WHY, code=2)
    shell("break-glass", "grant", "--user", "alice", "--realm", "other", "--minutes", "5", *WHY, code=2)


def test_without_the_store_it_works_and_joins_the_trail_later(shell: Shell) -> None:
    store = shell.folder / "store"
    store.rename(store.with_name("gone"))
    said = shell("break-glass", "grant", "--user", "alice", "--minutes", "5", *WHY)
    assert "the event waits in" in said.stderr
    (first,) = shell.json("break-glass", "list")
    store.with_name("gone").rename(store)
    assert trail(shell) == []
    second = grant(shell, "bob")
    assert trail(shell) == [("break_glass_granted", first["id"]), ("break_glass_granted", second["id"])]
    assert len(log(shell)) == 2


def test_each_joins_once(shell: Shell) -> None:
    for _ in range(3):
        grant(shell)
    assert len(trail(shell)) == 3
    assert shell.json("audit", "verify")["whole"]


def test_those_that_are_good_are_listed(shell: Shell) -> None:
    grant(shell, "alice", 10)
    grant(shell, "bob", 20)
    assert [each["user"] for each in shell.json("break-glass", "list")] == ["alice", "bob"]
    shell.now += 601
    assert [each["user"] for each in shell.json("break-glass", "list")] == ["bob"]
    assert "phone lost on call" in shell("break-glass", "list").output
    shell.now += 3600
    assert "No grants." in shell("break-glass", "list").output


def test_one_is_taken_back(shell: Shell) -> None:
    first, second = grant(shell, "alice"), grant(shell, "bob")
    assert shell.json("break-glass", "revoke", first["id"], *WHY)["revoked"] == [first["id"]]
    assert [each["id"] for each in shell.json("break-glass", "list")] == [second["id"]]
    assert trail(shell)[-1] == ("break_glass_revoked", first["id"])


def test_or_all_of_an_account(shell: Shell) -> None:
    grant(shell, "alice")
    grant(shell, "alice")
    grant(shell, "bob")
    assert len(shell.json("break-glass", "revoke", "--user", "alice", *WHY)["revoked"]) == 2
    assert shell.json("break-glass", "revoke", "--user", "alice", *WHY, code=1)["revoked"] == []
    shell("break-glass", "revoke", *WHY, code=2)
    shell("break-glass", "revoke", "x", "--user", "alice", *WHY, code=2)


def test_what_cannot_be_written_down_is_not_granted(shell: Shell) -> None:
    grants_file(shell).with_name("mfa-gate.grants.log").mkdir()
    assert (
        "Nothing is granted"
        in shell("break-glass", "grant", "--user", "alice", "--minutes", "5", *WHY, code=1).output
    )
    assert not grants_file(shell).exists()


def test_damaged_grants_are_told(shell: Shell) -> None:
    grants_file(shell).write_text("junk")
    assert "are damaged" in shell("break-glass", "list", code=1).output


def test_grants_have_a_place_of_their_own_if_the_settings_say_so(shell: Shell) -> None:
    shell.edit('file = "mfa-gate.keys"', 'file = "mfa-gate.keys"\ngrants = "elsewhere.grants"')
    grant(shell)
    assert (shell.folder / "elsewhere.grants").exists()
    assert not grants_file(shell).exists()


def test_keys_of_the_environment_need_such_a_place(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MFA_GATE_KEYS", (shell.folder / "mfa-gate.keys").read_text("utf-8"))
    shell.edit('file = "mfa-gate.keys"', "")
    assert "[keys] grants" in shell("break-glass", "list", code=1).output


def test_an_exchanged_key_still_honors_what_it_signed(shell: Shell) -> None:
    grant(shell)
    for phase in ("--prepare", "--finish"):
        shell("keys", "rotate", phase, "--purpose", "break_glass", "--reason", "yearly")
    assert len(shell.json("break-glass", "list")) == 1
    old = KeyRing.load(shell.folder / "mfa-gate.keys").break_glass[0].id
    shell.now += 60
    assert "is good until" in shell("keys", "retire", old, "--reason", "yearly", code=1).output
    shell.now += 1800
    shell("keys", "retire", old, "--reason", "yearly")
