"""`init` makes a usable set in one command and overwrites nothing; `admin-code` lets an administrator in."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from mfa_gate.keys import KeyRing
from tests.cli.shell import NOW, REALM, Shell
from tests.stores.redis_servers import Servers


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_one_command_makes_a_usable_set(bare: Shell) -> None:
    made = bare.json("init")
    assert made["settings"] == str(bare.settings)
    assert mode(Path(made["keys"])) == 0o600
    assert mode(Path(made["store"])) == 0o600
    assert mode(Path(made["store"]).parent) == 0o700
    assert Path(made["anchor"]).parent.is_dir()
    KeyRing.load(Path(made["keys"]))
    (code,) = made["setup_codes"]
    assert (code["user"], code["realm"], code["expires_at"]) == ("admin", REALM, NOW + 24 * 3600)
    assert bare.json("check")["ok"]


def test_the_settings_are_commented_and_hold_no_secret(shell: Shell) -> None:
    text = shell.settings.read_text("utf-8")
    assert text.count("#") > 20
    assert 'secret = "env:PORTAL_SECRET"' in text
    assert shell.environ["PORTAL_SECRET"] not in text


def test_it_works_before_the_portals_secret_is_there(bare: Shell) -> None:
    del bare.environ["PORTAL_SECRET"]
    assert "Setup code for admin: " in bare("init").output
    bare("admin-code", "--user", "admin")
    assert "PORTAL_SECRET" in bare("check", code=1).output


def test_what_it_says_for_people(bare: Shell) -> None:
    said = bare("init").output
    assert f"settings  {bare.settings}" in said
    assert "Keep a copy of the keys" in said
    assert "mfa-gate check" in said


def test_the_portals_own_names_can_be_given(bare: Shell) -> None:
    bare("init", "--cookie", "portal_session", "--field", "who.id")
    (source,) = tomllib.loads(bare.settings.read_text("utf-8"))["identity"]
    assert (source["cookie"], source["field"]) == ("portal_session", "who.id")


@pytest.mark.parametrize("name", ["--cookie", "--field", "--secret"])
def test_what_another_source_would_not_read_is_refused(bare: Shell, name: str) -> None:
    assert f"Leave out {name}" in bare("init", "--source", "remote_user", name, "env:X", code=2).stderr
    assert not bare.settings.exists()


def test_a_second_time_it_refuses_and_changes_nothing(shell: Shell) -> None:
    before = tree(shell.folder)
    assert "is there already and is not overwritten" in shell("init", code=1).stderr
    assert tree(shell.folder) == before


def test_it_does_not_let_an_edited_file_go_unnoticed(shell: Shell) -> None:
    before = tree(shell.folder)
    said = shell("init", "--name", "Ward", code=2).stderr
    assert "--name" in said
    assert tree(shell.folder) == before


def test_options_stand_in_the_file(bare: Shell) -> None:
    bare(
        *(
            "init",
            "--public-url",
            "https://portal.example.org",
            "--name",
            "Ward",
            "--source",
            "starlette_session",
        ),
        *("--admin", "ann", "--admin", "ben", "--help-desk", "hal"),
    )
    data = tomllib.loads(bare.settings.read_text("utf-8"))
    assert (data["public_url"], data["name"]) == ("https://portal.example.org", "Ward")
    assert data["identity"][0]["source"] == "starlette_session"
    assert data["admin"] == {"admins": ["ann", "ben"], "help_desk": ["hal"], "setup_code": True}


def test_a_server_may_be_the_store(bare: Shell, servers: Servers) -> None:
    url = servers.emptied("redis-7").url
    made = bare.json("init", "--store", url)
    assert made["store"] == url
    assert tomllib.loads(bare.settings.read_text("utf-8"))["store"] == {"url": url}
    assert bare.visits("alice").subject == "alice"
    other = Shell(bare.folder.parent / "other")
    assert "is there already and is not overwritten" in other("init", "--store", url, code=1).stderr
    assert not other.settings.exists()


def test_the_password_of_a_server_need_not_stand_in_the_file(bare: Shell, servers: Servers) -> None:
    server = servers.emptied("redis-7")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "gate", "on", ">secret-12", "~mfa:*", "&mfa:*", "+@all")
    bare.environ["STORE_URL"] = f"redis://gate:secret-12@127.0.0.1:{server.port}/0"
    bare("init", "--store", "env:STORE_URL")
    assert "secret-12" not in bare.settings.read_text("utf-8")
    assert [each["user"] for each in bare.json("users", "list")] == ["admin"]


def test_each_administrator_gets_a_code_of_their_own(bare: Shell) -> None:
    codes = bare.json("init", "--admin", "ann", "--admin", "ben")["setup_codes"]
    assert [code["user"] for code in codes] == ["ann", "ben"]
    assert codes[0]["code"] != codes[1]["code"]


def test_settings_that_are_there_already_are_used_as_they_are(shell: Shell, tmp_path: Path) -> None:
    other = Shell(tmp_path / "other")
    other.folder.mkdir()
    other.settings.write_text(
        shell.settings.read_text("utf-8").replace('["admin"]', '["user:ann@portal", "group:it@portal"]'),
        "utf-8",
    )
    text = other.settings.read_text("utf-8")
    made = other.json("init")
    assert other.settings.read_text("utf-8") == text
    assert [code["user"] for code in made["setup_codes"]] == ["ann"]
    assert other.json("check")["ok"]


def test_keys_that_are_there_already_are_used(shell: Shell) -> None:
    keys = (shell.folder / "mfa-gate.keys").read_bytes()
    (shell.folder / "store").rename(shell.folder / "moved")
    (shell.folder / "anchor").rename(shell.folder / "moved-anchor")
    shell("init")
    assert (shell.folder / "mfa-gate.keys").read_bytes() == keys


def test_a_lost_store_is_not_made_anew_as_long_as_its_anchor_is_there(shell: Shell) -> None:
    (shell.folder / "store").rename(shell.folder / "moved")
    assert "anchor" in shell("init", code=1).output
    assert not (shell.folder / "store").exists()


def test_the_anchor_knows_the_store_from_its_first_moment(shell: Shell) -> None:
    anchor = json.loads((shell.folder / "anchor" / "mfa-gate.anchor").read_bytes())
    with shell.gate() as gate:
        assert anchor["store"] == gate.store.store_id
    assert (anchor["number"], anchor["positions"], anchor["policy_version"]) == (0, {"0": 1}, 1)


def test_it_never_makes_new_keys_for_an_old_store(shell: Shell) -> None:
    keys = shell.folder / "mfa-gate.keys"
    keys.unlink()
    shell("init", code=1)
    assert not keys.exists()


def test_keys_in_the_environment_need_no_file(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Shell(bare.folder.parent / "source")
    source("init")
    monkeypatch.setenv("MFA_GATE_KEYS", (source.folder / "mfa-gate.keys").read_text("utf-8"))
    bare("init")
    assert not (bare.folder / "mfa-gate.keys").exists()
    assert bare.json("check")["ok"]


def test_a_store_that_cannot_be_made_leaves_no_keys(bare: Shell) -> None:
    bare.folder.mkdir()
    (bare.folder / "store").write_text("a file where a folder should be", "utf-8")
    said = bare("init", code=1).stderr
    assert str(bare.folder / "store") in said
    assert not (bare.folder / "mfa-gate.keys").exists()
    assert not bare.settings.exists()


def test_without_administrators_by_name_there_is_no_code(bare: Shell) -> None:
    bare.folder.mkdir()
    source = Shell(bare.folder.parent / "source")
    source("init")
    bare.settings.write_text(source.settings.read_text("utf-8").replace('["admin"]', "[]"), "utf-8")
    assert bare.json("init")["setup_codes"] == []


def test_where_the_settings_waive_the_code_none_is_made(bare: Shell) -> None:
    source = Shell(bare.folder.parent / "source")
    source("init")
    bare.folder.mkdir()
    text = source.settings.read_text("utf-8").replace("setup_code = true", "setup_code = false")
    bare.settings.write_text(text, "utf-8")
    assert bare.json("init")["setup_codes"] == []


def test_a_new_code_voids_the_old_one_and_is_recorded(shell: Shell) -> None:
    before = shell.account("admin").setup_code
    made = shell.json("admin-code", "--user", "admin")
    after = shell.account("admin").setup_code
    assert before is not None
    assert after is not None
    assert after.code_hash != before.code_hash
    assert after.expires_at == made["expires_at"]
    newest = shell.json("audit", "list", "--kind", "admin_code_made", "--limit", "1")
    assert newest[0]["actor"]["surface"] == "shell"
    assert made["code"] not in shell("audit", "list", "--json").output


def test_a_code_is_for_administrators_only(shell: Shell) -> None:
    assert '"carol"' in shell("admin-code", "--user", "carol", code=1).stderr


def test_somebody_who_has_two_step_needs_no_code(shell: Shell) -> None:
    shell.enrolls("admin")
    assert "users reset admin" in shell("admin-code", "--user", "admin", code=1).stderr


@pytest.mark.parametrize("name", ["", " ", "a\u200bb", "x" * 256, "a\nb", "\udcff"])
def test_what_can_be_no_account_name_is_refused(shell: Shell, name: str) -> None:
    shell("admin-code", "--user", name, code=2)
