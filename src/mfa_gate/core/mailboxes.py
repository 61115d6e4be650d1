"""Decides which text is one mail address to which a message can go; it must not know how messages travel."""

import re
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.policy import DAY

NEW_ADDRESS_SECONDS: Final = DAY
"""How long a changed address is too new for anything to be proven by mail that goes there."""
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


def moved(account: Account, email: str, now: int) -> Account:
    """The account with the address that portal or roster name now; the one before is kept for as long as it counts."""
    if not account.email or email == account.email:
        return replace(account, email=email)
    return replace(account, email=email, email_since=now, former_email=proof_email(account, now))


def has_moved(before: Account, after: Account) -> bool:
    """True if whoever had the address until now has to hear that mail goes elsewhere; back again is nowhere else."""
    former, new = before.email.casefold(), after.email.casefold()
    return bool(former) and former != new and after.former_email.casefold() != new


def proof_email(account: Account, now: int) -> str:
    """The address by which something may be proven now.

    # Security: who can edit the roster or a profile of the portal, or talk somebody into it, must not take an account
    over within the hour; the owner of the old address has been told. A clock set back makes no new address old.
    """
    if not account.former_email:
        return account.email
    return account.email if now >= account.email_since + NEW_ADDRESS_SECONDS else account.former_email


def former_email(account: Account) -> str:
    """The address before the present one; the present one if there was none."""
    return account.former_email or account.email
