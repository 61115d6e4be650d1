"""The file that `mfa-gate init` writes is one that the gate reads."""

import tomllib
from pathlib import Path

import pytest

from mfa_gate.core.clients import ClientRule
from mfa_gate.settings import HeaderUser, Settings, SourceSettings, default_toml, problems
from mfa_gate.settings.template import SourceName

ENVIRON = {"PORTAL_SECRET": "7f1c9e0b64a84b0f9a0c"}


def parsed(text: str) -> Settings:
    return Settings.from_mapping(tomllib.loads(text), Path("/etc/mfa-gate"), ENVIRON)


@pytest.mark.parametrize("source", ["flask_session", "starlette_session", "remote_user", "header"])
def test_it_reads_back_and_nothing_is_wrong_with_it(source: SourceName) -> None:
    settings = parsed(default_toml(source=source))
    found: SourceSettings = settings.identity[0]
    assert found.source == source
    # Where mail goes nobody can know but who writes it there.
    assert [problem.setting for problem in problems(settings)] == ["[mail] smtp"]
    assert isinstance(found, HeaderUser) == bool(settings.trusted_proxies)


def test_what_it_is_told_stands_in_it() -> None:
    settings = parsed(
        default_toml(
            public_url="https://portal.example.org",
            name='Ward "3" \\ {north}',
            store="sqlite:///data/store/gate.db",
            keys=Path("/data/keys/gate.keys"),
            anchor=Path("/data/anchor/gate"),
            mail=Path("/data/mail"),
            mail_domain="example.org",
            admins=("admin", "group:staff@portal"),
            help_desk=("help",),
            setup_code=False,
        )
    )
    assert settings.public_url == "https://portal.example.org"
    assert settings.name == 'Ward "3" \\ {north}'
    assert settings.store.path == Path("/data/store/gate.db")
    assert settings.keys.file == Path("/data/keys/gate.keys")
    assert settings.anchor.path == Path("/data/anchor/gate")
    assert settings.mail.dir == Path("/data/mail")
    assert settings.mail.domain == "example.org"
    assert settings.admin.admins == ("admin", "group:staff@portal")
    assert settings.admin.help_desk == ("help",)
    assert not settings.admin.setup_code


def test_every_commented_key_is_a_real_one() -> None:
    lines = default_toml().splitlines()
    suggested = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    for line in suggested:
        key = line.partition(" = ")[0]
        known = f"{parsed(default_toml())!r} {ClientRule(kind='mobile')!r}".replace("dir=None", "dir=")
        assert f"{key}=" in known, key
