"""`keys` lists, exchanges and retires keys, and refuses what would lock somebody out."""

import importlib
import json
import sqlite3
import stat
from pathlib import Path

import pytest

from mfa_gate.core.accounts import account_id
from mfa_gate.keys import KeyRing
from mfa_gate.keys.ring import PURPOSES
from mfa_gate.keys.signatures import public_lines, public_of
from tests.cli.shell import NOW, REALM, Shell

DAY = 24 * 3600
WHY = ("--reason", "yearly")


def ring(shell: Shell) -> KeyRing:
    return KeyRing.load(shell.folder / "mfa-gate.keys")


def rotate(shell: Shell, *purposes: str) -> None:
    words = [word for purpose in purposes for word in ("--purpose", purpose)]
    shell("keys", "rotate", "--prepare", *words, *WHY)
    shell("keys", "rotate", "--finish", *words, *WHY)


def refused(shell: Shell, key_id: str) -> str:
    before = ring(shell)
    said = shell("keys", "retire", key_id, *WHY, code=1).output
    assert ring(shell) == before
    return said


def test_keys_are_listed_and_never_shown(shell: Shell) -> None:
    found = shell.json("keys", "show")
    assert [each["purpose"] for each in found] == list(PURPOSES)
    assert {each["state"] for each in found} == {"writes"}
    assert {each["made_at"] for each in found} == {NOW}
    text = shell("keys", "show").output + json.dumps(found)
    assert all(found in text for found in (key.id for key in ring(shell).seal))
    secrets = [each["secret"] for keys in json.loads(ring(shell).text()).values() for each in keys]
    assert not any(secret in text for secret in secrets)


def test_the_public_key_of_checkpoints_can_be_given_to_others(shell: Shell) -> None:
    public = public_of(ring(shell).writing("checkpoint"))
    assert public_lines(shell("keys", "show", "--public").output) == {public.id: public}
    assert shell.json("keys", "show", "--public")[0]["id"] == public.id


def test_an_exchange_has_two_phases(shell: Shell) -> None:
    old = ring(shell)
    said = shell("keys", "rotate", "--prepare", *WHY).output
    assert "every machine" in said
    between = ring(shell)
    assert all(between.writing(purpose) == old.writing(purpose) for purpose in PURPOSES)
    assert [each["state"] for each in shell.json("keys", "show")].count("standby") == len(PURPOSES)
    shell.now += 60
    done = shell.json("keys", "rotate", "--finish", *WHY)
    after = ring(shell)
    assert [each["new"] for each in done["keys"]] == [after.writing(purpose).id for purpose in PURPOSES]
    assert all(after.reading(purpose)[0].stopped_at == NOW + 60 for purpose in PURPOSES)
    assert stat.S_IMODE((shell.folder / "mfa-gate.keys").stat().st_mode) == 0o600
    (event,) = shell.json("audit", "list", "--kind", "keys_rotated")
    assert event["details"]["seal"] == f"{old.seal[0].id} gave way to {after.seal[1].id}"
    assert event["details"]["reason"] == "yearly"


def test_one_machine_needs_one_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("mfa_gate.cli.keys"), "WAIT_SECONDS", 0)
    assert "cookie: " in shell("keys", "rotate", "--purpose", "cookie", *WHY).output
    after = ring(shell)
    assert [len(after.reading(purpose)) for purpose in PURPOSES] == [1, 2, 1, 1, 1, 1]
    assert after.writing("cookie") == after.cookie[1]


def test_what_was_not_prepared_cannot_be_finished(shell: Shell) -> None:
    assert "Nothing was prepared" in shell("keys", "rotate", "--finish", *WHY, code=1).output
    shell("keys", "rotate", "--finish", "--prepare", *WHY, code=2)
    shell("keys", "rotate", "--prepare", "--reason", "x", code=2)


def test_keys_of_the_environment_are_changed_there(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MFA_GATE_KEYS", (shell.folder / "mfa-gate.keys").read_text("utf-8"))
    assert "MFA_GATE_KEYS" in shell("keys", "rotate", "--prepare", *WHY, code=1).output


class TestRetire:
    def test_the_key_that_writes_stays(self, shell: Shell) -> None:
        for purpose in PURPOSES:
            assert "is in use" in refused(shell, ring(shell).writing(purpose).id)
        assert 'no key "x"' in refused(shell, "x")

    def test_a_key_that_never_wrote_goes_at_once(self, shell: Shell) -> None:
        before = ring(shell)
        shell("keys", "rotate", "--prepare", "--purpose", "seal", *WHY)
        shell("keys", "retire", ring(shell).seal[1].id, *WHY)
        assert ring(shell) == before

    def test_a_seal_is_kept_until_everything_is_sealed_anew(self, shell: Shell) -> None:
        shell.enrolls("alice")
        rotate(shell, "seal")
        old = ring(shell).seal[0].id
        assert "less than 60 s ago" in refused(shell, old)
        shell.now += 60
        assert "records are sealed with it. Run `mfa-gate keys reseal`" in refused(shell, old)
        assert shell.json("keys", "reseal")["changed"] > 3
        shell("keys", "retire", old, *WHY)
        assert [key.id for key in ring(shell).seal] != [old]
        assert shell.account("alice").has_factor
        assert shell.json("audit", "verify")["whole"]
        (event,) = shell.json("audit", "list", "--kind", "key_retired")
        assert event["details"] == {"purpose": "seal", "key": old, "reason": "yearly"}

    def test_a_cookie_key_is_kept_as_long_as_a_cookie(self, shell: Shell) -> None:
        rotate(shell, "cookie")
        old = ring(shell).cookie[0].id
        shell.now += DAY - 60
        assert "for 0 h 1 min more" in refused(shell, old)
        shell.now += 60
        shell("keys", "retire", old, *WHY)

    def test_a_pepper_is_kept_as_long_as_codes_that_it_hashed(self, shell: Shell) -> None:
        shell.visits("admin")
        shell("admin-code", "--user", "admin")
        rotate(shell, "pepper")
        old = ring(shell).pepper[0].id
        shell.now += 60
        assert "1 people have codes" in refused(shell, old)
        shell("admin-code", "--user", "admin")
        shell("keys", "retire", old, *WHY)

    def test_an_audit_key_is_kept_as_long_as_its_events(self, shell: Shell) -> None:
        rotate(shell, "audit")
        shell.now += 400 * DAY
        assert "as long as they are" in refused(shell, ring(shell).audit[0].id)

    def test_of_a_checkpoint_key_the_public_half_stays(self, shell: Shell) -> None:
        public = public_of(ring(shell).checkpoint[0])
        rotate(shell, "checkpoint")
        shell.now += 60
        shell("keys", "retire", public.id, *WHY)
        assert ring(shell).past_checkpoint == (public,)
        assert public.id in public_lines(shell("keys", "show", "--public").output)


def test_a_record_that_does_not_open_is_told_and_left_alone(shell: Shell) -> None:
    shell.enrolls("alice")
    with sqlite3.connect(shell.folder / "store" / "mfa-gate.db") as db:
        db.execute("UPDATE account SET sealed = x'00' WHERE id = ?", (account_id(REALM, "alice"),))
    db.close()
    rotate(shell, "seal")
    answer = shell.json("keys", "reseal", code=1)
    assert account_id(REALM, "alice") in answer["broken"][0]
    assert "is no sealed record" in shell("keys", "reseal", code=1).output


def test_a_key_file_that_cannot_be_replaced_stays(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ring(shell)

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", full)
    assert "Read-only file system" in shell("keys", "rotate", "--prepare", *WHY, code=1).output
    assert ring(shell) == before
