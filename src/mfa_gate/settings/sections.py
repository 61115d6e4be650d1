"""Decides what the tables of the settings hold, each checked by itself; it must not know the whole."""

import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from mfa_gate.core.clients import ClientRule
from mfa_gate.core.headers import fold_header, is_ours
from mfa_gate.core.policy import PathRule
from mfa_gate.settings.store_urls import (
    LATER_SCHEMES,
    SCHEMES,
    RedisAddress,
    redis_address,
    without_password,
)
from mfa_gate.settings.values import (
    host_of,
    is_host,
    is_loopback,
    is_our_cookie,
    is_plain,
    is_token,
    origin,
    path_of_ours,
    refuse,
    require,
)

CARRIERS: Final = ("cookie", "header", "query")
_ABSOLUTE: Final = re.compile(r"sqlite:(?:/|///|////)([^/?#][^?#]*)")
_RELATIVE: Final = re.compile(r"sqlite:([^/?#][^?#]*)")
_METHOD: Final = re.compile(r"[A-Z][A-Z-]*")
_MAX_AGE: Final = 24 * 3600
_NO_CLIENT: Final = frozenset({"cookie", "host", "authorization", "user-agent"})
RULE_KINDS: Final = ("sign_in", "sign_out", "public", "step_up")


class Portal(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate has to know about the portal behind it."""

    rules: tuple[PathRule, ...] = ()
    """What paths ask for; the first that fits decides, and what none names needs a user who has passed two-step."""
    sign_in_url: str = ""
    """Where a browser that nobody can be named for is sent; `{next}` becomes the page asked for."""
    credentials: tuple[str, ...] = ()
    """Further carriers that the portal believes, beside `Authorization`: `cookie:NAME`, `header:NAME`, `query:NAME`."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose preflight requests the gate answers."""
    narrow_cookie_path: bool = False
    """The portal's cookie is sent on some paths only: a request without it is then not a sign-out."""
    headers: bool = False
    """Whether the middlewares tell the portal `Remote-User`, `Remote-Name`, `Remote-Email` and `Remote-Groups`."""

    def __post_init__(self) -> None:
        for number, rule in enumerate(self.rules):
            _check_rule(rule, f"[portal] rules[{number}]")
        _check_sign_in_url(self.sign_in_url)
        set_field(self, "credentials", tuple(_carrier(text) for text in self.credentials))
        origins = tuple(origin(text, "[portal] cors_origins") for text in self.cors_origins)
        set_field(self, "cors_origins", origins)


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Where accounts, sessions, policy and audit are kept."""

    url: str
    """`sqlite:///absolute/path`, `sqlite:relative/path` (from the settings file's folder), or
    `redis://user:password@host:port/0`, and `rediss://` for TLS (`?ca=/path`); with a password as `env:NAME`."""
    durability: Literal["full"] = "full"
    """`full`: what was answered survives a power cut."""

    def __post_init__(self) -> None:
        shown = without_password(self.url)
        later = self.url.startswith(LATER_SCHEMES)
        require(not later, "[store] url", shown, "not available in this version. Write redis://host:6379/0.")
        if self.url.startswith(SCHEMES):
            redis_address(self.url)
            return
        found = _ABSOLUTE.fullmatch(self.url) or _RELATIVE.fullmatch(self.url)
        form = (
            "write sqlite:///absolute/path, sqlite:path for a path from the settings file's folder, "
            "or redis://host:6379/0."
        )
        require(found and is_plain(self.url) and not self.url.endswith("/"), "[store] url", shown, form)
        path = self.path
        at_root = self.url.startswith("sqlite:///") and len(path.parts) < 3
        cure = (
            f"this is a file in the root folder. Write sqlite:{path.name} for one beside the settings file."
        )
        require(not at_root, "[store] url", self.url, cure)

    def __repr__(self) -> str:
        return f"Store(url={without_password(self.url)!r}, durability={self.durability!r})"

    def __str__(self) -> str:
        """Where the store is, as it may be shown: without a password."""
        return str(self.redis or self.path)

    @property
    def redis(self) -> RedisAddress | None:
        """The server, if the store is on one; None: it is a file."""
        return redis_address(self.url) if self.url.startswith(SCHEMES) else None

    @property
    def path(self) -> Path:
        """The database file; absolute once the settings are read. Ask `redis` first."""
        if found := _ABSOLUTE.fullmatch(self.url):
            return Path("/", found[1])
        return Path(self.url.removeprefix("sqlite:"))


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gate's own keys are; without a file they are in the environment, in `MFA_GATE_KEYS`."""

    file: Path | None = None
    """The key file that `mfa-gate init` makes, of mode 0600."""
    grants: Path | None = None
    """Where break-glass grants are kept, and beside it what was done with them; without it beside the key file."""

    @property
    def grants_file(self) -> Path | None:
        """Where break-glass grants are; None if there is no place for them."""
        if self.grants is not None or self.file is None:
            return self.grants
        return self.file.with_suffix(".grants")


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """What proves from outside that the store is not older than it was."""

    path: Path | None = None
    """A file that is not kept with the store."""
    syslog: str = ""
    """A syslog server that hears of each new anchor, too: `udp://host:514`, `tcp://host:601` or `tls://host:6514`."""
    webhook: str = ""
    """An address to which each new anchor is posted as JSON, too: `https://…`."""

    def __post_init__(self) -> None:
        for key in ("syslog", "webhook"):
            value: str = getattr(self, key)
            why = "needs path beside it: what is sent is never read back, so that alone it detects nothing."
            require(not value or self.path is not None, f"[anchor] {key}", value, why)
        check_syslog("[anchor] syslog", self.syslog)
        check_webhook("[anchor] webhook", self.webhook)


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """Who administers. An entry is an account's name, `user:NAME@REALM` or `group:NAME@REALM`."""

    admins: tuple[str, ...] = ()
    """Who may do everything on the pages under Admin."""
    help_desk: tuple[str, ...] = ()
    """Who may look, and reset ordinary people."""
    setup_code: bool = True
    """Whether the first enrollment of administrators and of the help desk needs a code that `mfa-gate admin-code`
    prints (`mfa-gate init` prints one for each listed administrator); a demo waives it."""


def check_client(rule: ClientRule, at: str) -> None:
    """Refuse an entry of `[[clients]]` that tells nothing, or by what cannot tell it."""
    told = rule.header or rule.path or rule.user_agent
    require(told, at, rule.kind, "name a header, a path or a user_agent by which it is told.")
    require(rule.header or not rule.value, f"{at}: value", rule.value, "name the header that has it.")
    if rule.header:
        where = f"{at}: header"
        require(is_token(rule.header), where, rule.header, "this is not a header's name.")
        taken = fold_header(rule.header) in _NO_CLIENT or is_ours(rule.header, frozenset())
        require(not taken, where, rule.header, "the gate reads this header for something else. Name another.")
    for key, text in (("value", rule.value), ("user_agent", rule.user_agent)):
        whole = text.strip() == text and text.isascii() and is_plain(text)
        require(whole, f"{at}: {key}", text, "write it in ASCII, without blanks around.")
    if rule.path:
        path_of_ours(rule.path, f"{at}: path")


def set_field(struct: msgspec.Struct, name: str, value: object) -> None:
    """Put a value into its one canonical form while the struct is being made."""
    msgspec.structs.force_setattr(struct, name, value)


def check_syslog(at: str, url: str, *, local: bool = False) -> None:
    """Refuse what is no address of a syslog server; `local`: it may be a socket of this machine."""
    if local and re.fullmatch(r"unix:///[^?#]+", url):
        return
    cure = "write udp://host:514, tcp://host:601 or tls://host:6514" + (
        ", or unix:///dev/log." if local else "."
    )
    found = re.fullmatch(r"(?:udp|tcp|tls)://(\[[0-9a-fA-F:]+\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?", url)
    require(not url or (found and is_host(found[1].strip("[]").lower())), at, url, cure)
    require(not found or not found[2] or 0 < int(found[2]) < 65_536, at, url, cure)


def check_webhook(at: str, url: str) -> None:
    """Refuse what is no address to post to."""
    found = re.match(r"https?://[^/?#]+", url)
    require(not url or (found and is_plain(url) and " " not in url), at, url, "write an https:// address.")
    if found:
        origin(found.group(), at)
        safe = url.startswith("https:") or is_loopback(host_of(found.group()))
        require(safe, at, url, "whoever listens on the way could change it. Write https://.")


def _check_rule(rule: PathRule, at: str) -> None:
    require(
        rule.kind in RULE_KINDS,
        f"{at}.kind",
        rule.kind,
        f"write one of {', '.join(RULE_KINDS)}. What no rule names is gated by itself.",
    )
    path_of_ours(rule.path, f"{at}.path")
    for method in rule.methods:
        require(
            _METHOD.fullmatch(method),
            f"{at}.methods",
            method,
            "methods are written in capitals, for example POST.",
        )
    if rule.kind != "step_up":
        require(
            rule.max_age is None, f"{at}.max_age", rule.max_age, "only a step_up rule has it. Take it out."
        )
        return
    require(
        rule.max_age is not None and 0 < rule.max_age <= _MAX_AGE,
        f"{at}.max_age",
        rule.max_age,
        f"a step_up rule says how old a verification may be, in seconds: 1 to {_MAX_AGE}, for example 300.",
    )


def _check_sign_in_url(url: str) -> None:
    if not url:
        return
    at = "[portal] sign_in_url"
    rest = url.replace("{next}", "")
    require("{" not in rest and "}" not in rest, at, url, "the only placeholder is {next}.")
    plain = is_plain(url) and " " not in url and "\\" not in url
    require(plain, at, url, "write the address percent-encoded, without blanks and backslashes.")
    if url.startswith("/"):
        require(
            not url.startswith("//"), at, url, "two slashes lead to another host. Write one, or https://…."
        )
        return
    host = re.match(r"https?://[^/?#{]+", url)
    require(
        host, at, url, "write a path of the portal, like /login?next={next}, or a whole https:// address."
    )
    if host:
        origin(host.group(), at)


def _carrier(text: str) -> str:
    at = "[portal] credentials"
    kind, _, name = text.partition(":")
    if kind not in CARRIERS or not name:
        refuse(at, text, "write cookie:NAME, header:NAME or query:NAME.")
    if kind == "query":
        require(
            is_plain(name) and " " not in name, at, text, "write the field's name as it is after decoding."
        )
        return text
    require(is_token(name), at, text, f"this is not a {kind}'s name.")
    if kind == "cookie":
        require(not is_our_cookie(name), at, text, "this cookie is the gate's own. Take it out.")
        return text
    own = name.lower() in ("authorization", "cookie") or name.lower().startswith("mfa-gate-")
    require(not own, at, text, "the gate looks at this header by itself. Take it out.")
    return f"header:{name.lower()}"
