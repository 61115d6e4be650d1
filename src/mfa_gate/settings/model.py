"""Decides what one whole set of settings is, and that its parts fit each other; it must not know how it is used."""

import os
import re
import zoneinfo
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from mfa_gate.core.accounts import Account, Identity, account_id
from mfa_gate.core.clients import ClientRule
from mfa_gate.settings import reading
from mfa_gate.settings.audit import Audit
from mfa_gate.settings.mail import Mail
from mfa_gate.settings.roster import Roster
from mfa_gate.settings.sections import Admin, Anchor, Keys, Portal, Store, check_client, set_field
from mfa_gate.settings.sources import FlaskSession, HeaderUser, RemoteUser, SourceSettings, StarletteSession
from mfa_gate.settings.values import (
    host_of,
    is_loopback,
    is_plain,
    network,
    origin,
    path_of_ours,
    refuse,
    require,
)

LATER: Final = {
    "metrics": "metrics",
    "oidc": "OpenID Connect",
    "server": "the gate as a server of its own",
}
"""Tables of the reference whose feature this version does not have."""

_MOUNT: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ENTRY: Final = re.compile(r"(?P<kind>user|group):(?P<name>.+)@(?P<realm>[^@]+)")

Power = Literal["admin", "help_desk"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One gate's settings, checked: whoever holds one need not look twice. Raises `SettingsError` when made wrong."""

    public_url: str
    """Origin at which browsers reach the gate, in the form of the `Origin` header."""
    identity: tuple[SourceSettings, ...]
    store: Store
    mount: str = "/mfa"
    """Where the gate's own pages are, as a path of the portal."""
    mode: Literal["enforce", "observe"] = "enforce"
    """`observe` refuses nothing for the second step and records what it would have refused."""
    tls: Literal["", "in-front"] = ""
    """`in-front` allows `http://` in `public_url` where something in front of the gate ends TLS."""
    name: str = "Portal"
    """The portal's name on pages, in authenticator apps and mails."""
    logo: Path | None = None
    """An image that the pages show beside the name."""
    accent: str = "#2f5bd8"
    """The one color of the pages, as `#rrggbb`."""
    help_text: str = ""
    """Where people get help, as the pages say it."""
    help_url: str = ""
    """Where people get help, as a link: `https://…`, a path of the portal, or `mailto:…`."""
    language: str = "en"
    """The language of pages for browsers that ask for none that there is."""
    time_zone: str = "UTC"
    """The zone in which pages show times."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose forwarded headers are believed."""
    portal: Portal = Portal()
    clients: tuple[ClientRule, ...] = ()
    keys: Keys = Keys()
    anchor: Anchor = Anchor()
    audit: Audit = Audit()
    admin: Admin = Admin()
    mail: Mail = Mail()
    roster: Roster = Roster()

    def __post_init__(self) -> None:
        set_field(self, "public_url", origin(self.public_url, "public_url"))
        self._check_transport()
        self._check_looks()
        proxies = tuple(str(network(text, "trusted_proxies")) for text in self.trusted_proxies)
        set_field(self, "trusted_proxies", proxies)
        self._check_sources()
        for number, rule in enumerate(self.clients, 1):
            check_client(rule, f"[[clients]] {number}")
        for key in ("admins", "help_desk"):
            for entry in getattr(self.admin, key):
                self._check_entry(key, entry)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read a settings file and the environment. Relative paths in it start at the file's own folder."""
        file = Path(path)
        return cls.from_mapping(reading.read_toml(file), file.absolute().parent)

    @classmethod
    def from_mapping(
        cls, data: Mapping[str, object], base: Path, environ: Mapping[str, str] | None = None
    ) -> Self:
        """The settings in `data` (the shape of the file), with `MFA_GATE_*` of `environ` over it."""
        source = reading.Source(base=base, environ=os.environ if environ is None else environ, later=LATER)
        found = reading.read(data, cls, source)
        if found.store.redis is not None:
            return found
        store = msgspec.structs.replace(found.store, url=f"sqlite://{base.absolute() / found.store.path}")
        return msgspec.structs.replace(found, store=store)

    @property
    def is_https(self) -> bool:
        """True if browsers reach the gate by https."""
        return self.public_url.startswith("https:")

    @property
    def host(self) -> str:
        """The host in `public_url`."""
        return host_of(self.public_url)

    @property
    def cookie_name(self) -> str:
        """Name of the gate's session cookie; fixed by `public_url`, never by a request."""
        return "__Host-mfa_gate" if self.is_https else "mfa_gate"

    @property
    def named_admins(self) -> tuple[str, ...]:
        """The accounts of those whom `[admin] admins` names one by one, and not by a group."""
        found = [(entry, _ENTRY.fullmatch(entry)) for entry in self.admin.admins]
        return tuple(
            account_id(named["realm"], named["name"]) if named else account_id(self.identity[0].realm, entry)
            for entry, named in found
            if named is None or named["kind"] == "user"
        )

    @property
    def admin_groups(self) -> tuple[str, ...]:
        """The groups that `[admin] admins` names, without their realms."""
        found = (_ENTRY.fullmatch(entry) for entry in self.admin.admins)
        return tuple(dict.fromkeys(named["name"] for named in found if named and named["kind"] == "group"))

    def is_admin(self, person: Identity | Account) -> Power | None:
        """What this person may administer. Neither the roster nor an API can grant it."""
        if self._names(self.admin.admins, person):
            return "admin"
        if self._names(self.admin.help_desk, person):
            return "help_desk"
        return None

    def _names(self, entries: tuple[str, ...], person: Identity | Account) -> bool:
        wanted = account_id(person.realm, person.subject)
        for entry in entries:
            found = _ENTRY.fullmatch(entry)
            if found and found["kind"] == "group":
                if found["realm"] == person.realm and found["name"] in (person.groups or ()):
                    return True
            elif wanted == (
                account_id(found["realm"], found["name"])
                if found
                else account_id(self.identity[0].realm, entry)
            ):
                return True
        return False

    def _check_transport(self) -> None:
        # Security: over plain http whoever listens has cookie and code; loopback never leaves the machine.
        safe = self.is_https or self.tls == "in-front" or is_loopback(host_of(self.public_url))
        require(
            safe,
            "public_url",
            self.public_url,
            'codes would cross the network in the clear. Write https://, or tls = "in-front" if something in front '
            "of the gate ends TLS.",
        )
        fits = _MOUNT.fullmatch(self.mount)
        require(fits, "mount", self.mount, "write a path without a last slash, like /mfa.")
        path_of_ours(self.mount, "mount")

    def _check_looks(self) -> None:
        require(
            self.name.strip() and is_plain(self.name),
            "name",
            self.name,
            "write the portal's name on one line.",
        )
        require(
            len(self.name) <= 60,
            "name",
            self.name,
            "write at most 60 characters: authenticator apps cut it off.",
        )
        # In the key URI of an authenticator app a colon parts issuer and account.
        require(
            ":" not in self.name,
            "name",
            self.name,
            "write it without a colon: authenticator apps cut it there.",
        )
        accent = re.fullmatch(r"#[0-9a-fA-F]{6}", self.accent)
        require(accent, "accent", self.accent, "write a color as #rrggbb, for example #2f5bd8.")
        require(
            not self.help_url
            or (
                is_plain(self.help_url)
                and re.match(r"https?://\S+$|mailto:\S+@\S+$|/[^/\s]\S*$", self.help_url)
            ),
            "help_url",
            self.help_url,
            "write an https:// address, a path of the portal, or mailto:.",
        )
        require(
            _LANGUAGE.fullmatch(self.language), "language", self.language, 'write a language tag, like "en".'
        )
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):
            refuse("time_zone", self.time_zone, 'write a name like "Europe/Berlin", or "UTC".')

    def _check_sources(self) -> None:
        require(
            self.identity,
            "[[identity]]",
            [],
            "name at least one source: from it the gate learns who is signed in.",
        )
        spelling: dict[str, bool] = {}
        for source in self.identity:
            known = spelling.setdefault(source.realm, source.case_insensitive)
            require(
                known == source.case_insensitive,
                f"[[identity]] {source.source}: case_insensitive",
                source.case_insensitive,
                f'another source of the realm "{source.realm}" says the opposite. Let both say the same.',
            )
        carriers = Counter(_what_it_reads(source) for source in self.identity)
        for carrier, count in carriers.items():
            require(
                count == 1,
                "[[identity]]",
                carrier,
                "two sources read the same thing. One request has one principal: take one of them out.",
            )

    def _check_entry(self, key: str, entry: str) -> None:
        at = f"[admin] {key}"
        realms = {source.realm for source in self.identity}
        require(
            entry.strip() == entry and entry and is_plain(entry),
            at,
            entry,
            "write a name without blanks around.",
        )
        found = _ENTRY.fullmatch(entry)
        if found:
            known = ", ".join(sorted(realms))
            require(found["realm"] in realms, at, entry, f"no source has this realm. Known: {known}.")
            return
        # Security: a plain name must not be anybody's name in any realm.
        form = "write user:NAME@REALM or group:NAME@REALM."
        require(not entry.startswith(("user:", "group:")), at, entry, form)
        require(
            len(realms) == 1, at, entry, f"there are several realms ({', '.join(sorted(realms))}); {form}"
        )


def _what_it_reads(source: SourceSettings) -> str:
    match source:
        case FlaskSession() | StarletteSession():
            return f"cookie:{source.cookie}"
        case HeaderUser():
            return f"header:{source.name.lower()}"
        case RemoteUser():
            return "REMOTE_USER"
