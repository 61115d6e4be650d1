"""Decides what `[mail]` holds and that it fits together; it must not know how a message is sent."""

import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from mfa_gate.core.mailboxes import mail_domain, mailbox
from mfa_gate.settings.store_urls import without_password
from mfa_gate.settings.values import Secret, is_host, is_loopback, is_plain, refuse, require

Protection = Literal["tls", "starttls", "none"]

_SCHEMES: Final[dict[str, tuple[Protection, int]]] = {
    "smtp": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp+plain": ("none", 25),
}
_URL: Final = re.compile(r"(smtp|smtps|smtp\+plain)://(\[[0-9a-fA-F:]+\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?/?")
_FORM: Final = "write smtp://host:587 (STARTTLS), smtps://host:465 (TLS), or smtp+plain://localhost:25."


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed over, and how the way there is protected."""

    host: str
    port: int
    protection: Protection

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """How mail leaves the gate: to a server by `smtp`, or for demonstrations into `dir`. Without both, none does."""

    smtp: str = ""
    """The server: `smtp://host:587` (STARTTLS, without which nothing is sent), `smtps://host:465` (TLS from the
    start), or `smtp+plain://localhost:25` for one on this machine."""
    sender: str = ""
    """The address that mail comes from; the name beside it is the portal's."""
    user: str = ""
    """As whom the gate signs in at the server, if that asks for it."""
    password: Secret | None = None
    """The password for that."""
    ca: Path | None = None
    """What the server's certificate must be signed by; without it, by an authority that the system trusts."""
    domain: str = ""
    """People without a mail address have one there, under their account name; without it they have none."""
    admins: str = ""
    """Where administrators are told what happened, as one mailbox for all; without it, each whom `[admin]` names has
    a mail of their own."""
    reports: Literal["", "weekly", "monthly"] = ""
    """How often the administrators get the numbers, and a link to the report; empty: never."""
    dir: Path | None = None
    """Every mail becomes a file in this folder: for demonstrations."""

    def __post_init__(self) -> None:
        server = self.server
        both = "a mail goes to the server or into the folder. Take dir or smtp out."
        require(server is None or self.dir is None, "[mail] dir", self.dir, both)
        _check_address("sender", self.sender, "two-step@example.org")
        _check_address("admins", self.admins, "it-security@example.org")
        require(
            server is None or self.sender,
            "[mail] sender",
            self.sender,
            "write the address that mail comes from, like two-step@example.org.",
        )
        self._check_sign_in(server)
        protected = server is not None and server.protection != "none"
        cure = "only smtp:// and smtps:// look at a certificate. Take it out."
        require(self.ca is None or protected, "[mail] ca", self.ca, cure)
        known = not self.domain or mail_domain(self.domain)
        require(known, "[mail] domain", self.domain, "write what stands behind the @, like example.org.")

    @property
    def server(self) -> MailServer | None:
        """The server, if mail goes to one. Raises `SettingsError`."""
        return mail_server(self.smtp) if self.smtp else None

    @property
    def leaves(self) -> bool:
        """True if mail goes anywhere at all."""
        return bool(self.smtp or self.dir)

    def _check_sign_in(self, server: MailServer | None) -> None:
        pair = "user and password belong together. Write both, or neither."
        require(bool(self.user) == (self.password is not None), "[mail] user", self.user, pair)
        require(is_plain(self.user), "[mail] user", self.user, "write it on one line.")
        require(
            not self.user or server, "[mail] user", self.user, "there is no server to sign in at. Write smtp."
        )
        secret = b"" if self.password is None else self.password.reveal()
        plain = secret.isascii() and secret.decode("ascii").isprintable()
        require(
            plain, "[mail] password", "(not shown)", "SMTP takes letters, digits and signs of ASCII only."
        )


def mail_server(url: str) -> MailServer:
    """The server that a URL names. Raises `SettingsError`, which shows no password."""
    at, shown = "[mail] smtp", without_password(url)
    require("@" not in url, at, shown, "a password does not stand in an address. Write user and password.")
    found = _URL.fullmatch(url)
    if found is None:
        refuse(at, shown, _FORM)
    protection, usual = _SCHEMES[found[1]]
    host, port = found[2].strip("[]").lower(), int(found[3] or usual)
    require(is_host(host) and 0 < port < 65_536, at, url, _FORM)
    # Security: mail says who has no second step yet; on the way to another machine anybody could read and change it.
    safe = protection != "none" or is_loopback(host)
    require(safe, at, url, "only a server on this machine gets mail in the clear. Write smtp:// or smtps://.")
    return MailServer(host=host, port=port, protection=protection)


def _check_address(key: str, address: str, example: str) -> None:
    cure = f"write one address in ASCII and without a name beside it, like {example}."
    require(not address or mailbox(address) == address, f"[mail] {key}", address, cure)
