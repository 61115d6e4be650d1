"""What a letter says, in which form, and that nobody can put anything of their own into it."""

import email
import email.policy
import re
from email.message import EmailMessage

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.policy import Policy, Standing, standing
from mfa_gate.flows.posting import Letter
from mfa_gate.mail.letters import Letters
from mfa_gate.mail.messages import Letterhead
from mfa_gate.web.sentences import told_in_mail
from mfa_gate.web.translations import load_translations

NOW = 1_800_000_000
HOME = "https://files.example.org/mfa"
HEAD = Letterhead(
    portal="Example Files",
    sender="two-step@example.org",
    home=HOME,
    help_text="Call extension 2200.",
    help_url="https://files.example.org/help",
)
ALICE = Account(
    id=account_id("portal", "alice"),
    realm="portal",
    subject="alice",
    name="Alice Moreau",
    email="alice@example.org",
)


MISSING = standing(ALICE, Policy(require_two_step=True), NOW)


def letters(language: str = "en", **changes: object) -> Letters:
    head = replace(HEAD, language=language, **changes)
    catalog = load_translations()[language]
    return Letters(
        head,
        catalog,
        day=lambda at, _: f"day {at - NOW}",
        moment=lambda at: f"moment {at - NOW}",
        tell=lambda told: told_in_mail(told, catalog.gettext),
    )


def read(letter: Letter) -> EmailMessage:
    found = email.message_from_bytes(letter.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    content = found.get_content()
    assert isinstance(content, str)
    return content


def reminder(account: Account = ALICE, *, stands: Standing = MISSING, **changes: object) -> Letter:
    return letters(**changes).reminder(account, "alice@example.org", stands, "r1", NOW)  # type: ignore[arg-type]


def test_its_head() -> None:
    letter = reminder()
    message = read(letter)
    assert message["From"] == "Example Files <two-step@example.org>"
    assert message["To"] == "Alice Moreau <alice@example.org>"
    assert message["Subject"] == "Set up two-step for Example Files"
    assert message["Date"].datetime.timestamp() == NOW
    assert message["Message-ID"] == f"<{letter.id}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert letter.to == "alice@example.org"


def test_both_parts_say_the_same_and_lead_home_only() -> None:
    message = read(reminder())
    text, html = part(message, "plain"), part(message, "html")
    soup = BeautifulSoup(html, "html.parser")
    for said in (
        "Hello Alice Moreau,",
        "You have not set it up yet.",
        f"{HOME}/setup",
        "Call extension 2200.",
    ):
        assert said in " ".join(text.split())
        assert said in " ".join(soup.get_text().split())
    links = {str(link["href"]) for link in soup.find_all("a")}
    assert links == {f"{HOME}/setup", HEAD.help_url}
    assert set(re.findall(r"https?://\S+", text)) == links
    assert not soup.find_all(["img", "script", "link", "style", "form", "iframe"])
    assert max(map(len, text.splitlines())) <= 72


def test_a_deadline_stands_in_the_subject() -> None:
    message = read(reminder(stands=replace(MISSING, status="grace", deadline=NOW + 5)))
    assert message["Subject"] == "Set up two-step for Example Files by day 5"
    assert "without it until day 5" in " ".join(part(message, "plain").split())


def test_where_it_is_not_required_nobody_is_told_that_it_is() -> None:
    text = " ".join(
        part(read(reminder(stands=standing(ALICE, Policy(remind_while_off=True), NOW))), "plain").split()
    )
    assert "Example Files can ask for a second step" in text
    assert "It is not required of you yet." in text
    assert "you are led there each time" not in text


def test_german() -> None:
    message = read(reminder(language="de"))
    assert message["Subject"] == "Richten Sie den zweiten Schritt für Example Files ein"
    assert message["Content-Language"] == "de"
    assert 'lang="de"' in part(message, "html")


def test_the_same_letter_is_the_same_bytes() -> None:
    assert reminder() == reminder()
    assert reminder().id != letters().reminder(ALICE, "alice@example.org", MISSING, "r2", NOW).id


@pytest.mark.parametrize(
    "name",
    [
        "Alice\r\nBcc: mallory@example.net",
        "Alice\nSubject: You won",
        "Alice\x00\x1b[31m",
        "Alice\u2028Bcc: x@example.net",
        '"Alice" <mallory@example.net>,',
        "Ålice \U0001f600 " * 30,
        "=?utf-8?q?Bcc:_mallory=40example.net?=",
    ],
)
def test_nobody_begins_a_header_by_their_name(name: str) -> None:
    letter = reminder(replace(ALICE, name=name, subject=name))
    message = read(letter)
    assert set(message.keys()) == set(read(reminder()).keys())
    (address,) = message["To"].addresses
    assert address.addr_spec == "alice@example.org"
    assert message["Bcc"] is None
    head = letter.content.partition(b"\r\n\r\n")[0]
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\r" not in letter.content.replace(b"\r\n", b"")


def test_w10_markup_in_a_name_is_text() -> None:
    message = read(reminder(replace(ALICE, name="<img src=x onerror=1>", subject="<script>")))
    soup = BeautifulSoup(part(message, "html"), "html.parser")
    assert not soup.find_all(["img", "script"])
    assert "<img src=x onerror=1>" in soup.get_text()


def test_an_international_portal_has_its_name_whole() -> None:
    message = read(reminder(portal="Überörtliche Ablage, Nord"))
    assert message["From"].addresses[0].display_name == "Überörtliche Ablage, Nord"
    assert message["From"].addresses[0].addr_spec == "two-step@example.org"
