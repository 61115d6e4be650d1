"""What `[mail]` may say, and that it never says a password."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.core.errors import SettingsError
from mfa_gate.settings import Mail, MailServer, Secret, Settings

SENDER = "two-step@example.org"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", MailServer(host="mail.example.org", port=587, protection="starttls")),
        (
            "smtp://Mail.Example.org:2525/",
            MailServer(host="mail.example.org", port=2525, protection="starttls"),
        ),
        ("smtps://192.0.2.1", MailServer(host="192.0.2.1", port=465, protection="tls")),
        ("smtps://[2001:db8::1]:466", MailServer(host="2001:db8::1", port=466, protection="tls")),
        ("smtp+plain://localhost", MailServer(host="localhost", port=25, protection="none")),
        ("smtp+plain://127.0.0.1:2525", MailServer(host="127.0.0.1", port=2525, protection="none")),
    ],
)
def test_a_url_names_a_server(url: str, server: MailServer) -> None:
    mail = Mail(smtp=url, sender=SENDER)
    assert mail.server == server
    assert mail.leaves
    assert str(server.port) in str(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org:587",
        "smtp://",
        "smtp://:25",
        "smtp://mail.example.org:0",
        "smtp://mail.example.org:99999",
        "smtp://mail.example.org/inbox",
        "smtp://mail.example.org?x",
        "smtp://mail example.org",
        "smtp://bücher.example",
        "smtp://mail.example.org\r\n",
        "http://mail.example.org",
        "smtp+plain://mail.example.org",
        "smtp+plain://10.0.0.1",
    ],
)
def test_no_server(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^\[mail\] smtp = "):
        Mail(smtp=url, sender=SENDER)


def test_a_password_does_not_stand_in_an_address() -> None:
    with pytest.raises(SettingsError, match="Write user and password") as caught:
        Mail(smtp="smtps://user:hunter2@mail.example.org", sender=SENDER)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"smtp": "smtps://m.example.org"}, "sender"),
        ({"smtp": "smtps://m.example.org", "sender": "Files <a@example.org>"}, "sender"),
        ({"smtp": "smtps://m.example.org", "sender": "a@Example.org"}, "sender"),
        ({"sender": "a@example.org\nBcc: b@example.org"}, "sender"),
        ({"smtp": "smtps://m.example.org", "sender": SENDER, "dir": Path("/mail")}, "dir"),
        ({"smtp": "smtps://m.example.org", "sender": SENDER, "user": "gate"}, "user"),
        ({"smtp": "smtps://m.example.org", "sender": SENDER, "password": Secret("x")}, "user"),
        ({"dir": Path("/mail"), "user": "gate", "password": Secret("x")}, "user"),
        (
            {"smtp": "smtps://m.example.org", "sender": SENDER, "user": "a\nb", "password": Secret("x")},
            "user",
        ),
        (
            {"smtp": "smtps://m.example.org", "sender": SENDER, "user": "gate", "password": Secret("ü")},
            "password",
        ),
        ({"smtp": "smtp+plain://localhost", "sender": SENDER, "ca": Path("/ca.pem")}, "ca"),
        ({"ca": Path("/ca.pem")}, "ca"),
        ({"domain": "@example.org"}, "domain"),
        ({"admins": "it@example.org, m@example.net"}, "admins"),
    ],
)
def test_what_does_not_fit_together(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=rf"^\[mail\] {named} = "):
        Mail(**fields)


def test_a_folder_needs_nothing_else() -> None:
    mail = Mail(dir=Path("/mail"), domain="example.org")
    assert mail.server is None
    assert mail.leaves
    assert not Mail().leaves


def test_what_the_how_to_says_can_be_written() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "mail.md"
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    data = {
        "public_url": "https://portal.example.org",
        "identity": [{"source": "remote_user"}],
        "store": {"url": "sqlite:///srv/gate.db"},
        **tomllib.loads(block),
    }
    mail = Settings.from_mapping(data, Path("/etc"), {"MAIL_PASSWORD": "hunter2"}).mail
    assert mail.server == MailServer(host="mail.example.org", port=587, protection="starttls")
    assert (mail.domain, mail.admins) == ("example.org", "it-security@example.org")


def test_the_password_comes_from_elsewhere_and_is_never_shown() -> None:
    data = {
        "public_url": "https://portal.example.org",
        "identity": [{"source": "remote_user"}],
        "store": {"url": "sqlite:///srv/gate.db"},
        "mail": {
            "smtp": "smtps://mail.example.org",
            "sender": SENDER,
            "user": "gate",
            "password": "env:MAIL_PASSWORD",
        },
    }
    settings = Settings.from_mapping(data, Path("/etc"), {"MAIL_PASSWORD": "hunter2"})
    assert settings.mail.password == Secret("hunter2")
    assert "hunter2" not in repr(settings)
    data["mail"]["password"] = "hunter2"  # type: ignore[index]
    with pytest.raises(SettingsError, match="a secret does not stand in this file") as caught:
        Settings.from_mapping(data, Path("/etc"), {})
    assert "hunter2" not in str(caught.value)
