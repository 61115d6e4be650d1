"""Which text is one mail address, and which would be two, or a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.accounts import Account
from mfa_gate.core.mailboxes import mail_domain, mailbox, mailbox_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("alice@example.org", "alice@example.org"),
        ("Alice.Moreau+files@Mail.Example.ORG", "Alice.Moreau+files@mail.example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("root@localhost", "root@localhost"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("a@" + "b" * 63 + ".org", "a@" + "b" * 63 + ".org"),
    ],
)
def test_an_address(text: str, address: str) -> None:
    assert mailbox(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@example.org",
        "alice@",
        "alice@example.org, mallory@example.net",
        "alice@example.org>",
        "<alice@example.org>",
        "Alice <alice@example.org>",
        "alice@example.org\r\nBcc: mallory@example.net",
        "alice@example.org\n",
        "alice\x00@example.org",
        "alice @example.org",
        "alice@example.org ",
        '"alice smith"@example.org',
        "alice(comment)@example.org",
        ".alice@example.org",
        "alice.@example.org",
        "al..ice@example.org",
        "alice@-example.org",
        "alice@example-.org",
        "alice@example..org",
        "alice@.example.org",
        "alice@[192.0.2.1]",
        "alice@exam_ple.org",
        "älice@example.org",
        "alice@example.org@example.net",
        "alice@" + "b" * 64 + ".org",
        "a" * 65 + "@example.org",
        "alice@" + ".".join(["b" * 60] * 5),
        "alice@example\u3002org,x",
        "alice@\ud800.org",
    ],
)
def test_no_address(text: str) -> None:
    assert mailbox(text) is None


@given(st.text())
def test_whatever_it_is_it_stays_one_word(text: str) -> None:
    address = mailbox(f"{text}@example.org") or mailbox(f"alice@{text}") or mailbox(text)
    if address is not None:
        assert address.isascii()
        assert address.isprintable()
        assert address.count("@") == 1
        assert not set(address) & set(' ,;:<>()[]"\\')


@pytest.mark.parametrize("text", ["", ".", "example.org.", "a b", "x" * 64])
def test_no_domain(text: str) -> None:
    assert mail_domain(text) is None


@pytest.mark.parametrize(
    ("email", "domain", "address"),
    [
        ("alice@example.org", "", "alice@example.org"),
        ("alice@example.org", "example.net", "alice@example.org"),
        ("", "example.net", "alice@example.net"),
        ("", "", None),
        ("no address", "example.net", None),
    ],
)
def test_where_mail_to_somebody_goes(email: str, domain: str, address: str | None) -> None:
    account = Account(id="0" * 32, realm="portal", subject="alice", email=email)
    assert mailbox_of(account, domain) == address


def test_an_account_name_may_be_no_address() -> None:
    account = Account(id="0" * 32, realm="portal", subject="CORP\\alice smith")
    assert mailbox_of(account, "example.net") is None
