"""Makes a whole message out of words: headers, a part in text that is complete by itself, and one in HTML."""

import textwrap
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from mfa_gate.core.messages import printable
from mfa_gate.mail.words import Words

if TYPE_CHECKING:
    from jinja2 import Environment

WIDTH: Final = 72


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """What all letters of one gate have in common; addresses in it are whole ones."""

    portal: str
    """The portal's name."""
    sender: str
    """A mailbox; what stands behind its @ is in the name of each message, too."""
    home: str
    """The gate's own pages: the only base for links."""
    help_text: str = ""
    help_url: str = ""
    language: str = "en"
    direction: str = "ltr"
    accent: str = "#2f5bd8"
    ink: str = "#ffffff"
    """What can be read on the accent."""


def message(head: Letterhead, words: Words, *, letter_id: str, to: str, name: str, at: int) -> bytes:
    """The message, the same bytes for the same arguments.

    Security: the header classes refuse line ends, so that no name can begin a header of its own.
    """
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(head.portal, addr_spec=head.sender)
    made["To"] = Address(printable(name, 80), addr_spec=to)
    made["Subject"] = printable(words.subject)
    made["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    made["Message-ID"] = f"<{letter_id}@{head.sender.rpartition('@')[2]}>"
    # RFC 3834 §5: so that no out-of-office note comes back.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text(head, words))
    made.add_alternative(html(head, words), subtype="html")
    made["Content-Language"] = head.language
    made.set_boundary(f"=_{letter_id}")
    return made.as_bytes()


def text(head: Letterhead, words: Words) -> str:
    """The part in text."""
    parts = [_wrapped(each) for each in words.paragraphs]
    if words.button is not None:
        parts.append(f"{words.button[0]}:\n{words.button[1]}")
    small = [*words.small, *filter(None, (head.help_text, head.help_url))]
    return "\n\n".join(parts) + "\n\n-- \n" + "\n".join(_wrapped(each) for each in small) + "\n"


def html(head: Letterhead, words: Words) -> str:
    """The part in HTML: nothing in it is loaded from anywhere."""
    return _environment().get_template("letter.html").render(head=head, words=words)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 -- slow, and most threads write nothing

    return Environment(
        loader=PackageLoader("mfa_gate.mail", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
