"""Decides which text is one mail address to which a message can go; it must not know how messages travel."""

import re
from typing import Final

from mfa_gate.core.accounts import Account

_LONGEST: Final = 254
_LOCAL: Final = re.compile(
    r"(?=.{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@", re.IGNORECASE
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def mailbox(text: str) -> str | None:
    """The address in `text` as it is written to a mail server (RFC 5321 §4.1.2), or None if it is not exactly one.

    # Security: neither quotes nor comments, blanks, commas or line ends: whatever a parser could take for a second
    # address or for another header is no address here.
    """
    found = _LOCAL.match(text)
    if found is None or not text.isprintable():
        return None
    domain = mail_domain(text[found.end() :])
    address = f"{found.group()}{domain}"
    return address if domain and address.isascii() and len(address) <= _LONGEST else None


def mail_domain(text: str) -> str | None:
    """A host name in ASCII, in lower case; an international one as its punycode (RFC 5890). None: it is none."""
    try:
        name = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else None


def mailbox_of(account: Account, domain: str) -> str | None:
    """Where mail to somebody goes: the address that the portal names, else their account name at `domain`, if any."""
    if account.email or not domain:
        return mailbox(account.email)
    return mailbox(f"{account.subject}@{domain}")
