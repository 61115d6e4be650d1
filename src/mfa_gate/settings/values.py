"""Decides whether a single value of the settings is well formed; it must not know what the value is used for."""

import ipaddress
import re
from typing import Final, NoReturn
from urllib.parse import urlsplit

from mfa_gate.core.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9][a-z0-9-]{0,62})*")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Secret:
    """Bytes that neither a log nor a traceback may show."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """The bytes themselves, for the one place that computes with them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def require(ok: object, setting: str, value: object, cure: str) -> None:
    """Raise `SettingsError` unless `ok`."""
    if not ok:
        refuse(setting, value, cure)


def refuse(setting: str, value: object, cure: str) -> NoReturn:
    """Raise `SettingsError`; every text of ours has this one form: setting, value, cure."""
    raise SettingsError(f"{setting} = {shown(value)}: {cure}")


def shown(value: object) -> str:
    """A value as it looks in the file, cut to what fits on a line."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def is_token(text: str) -> bool:
    """True for an RFC 9110 token: the form of a header name, a method and a cookie's name."""
    return _TOKEN.fullmatch(text) is not None


def is_our_cookie(name: str) -> bool:
    """True for a name that the gate's own cookies have; the portal never sees those."""
    return name.removeprefix("__Host-").startswith("mfa_gate")


def is_plain(text: str) -> bool:
    """True if there is no control character in it, line ends included."""
    return text.isprintable()


def is_loopback(host: str) -> bool:
    """True for a host that never leaves this machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str, setting: str) -> str:
    """`scheme://host[:port]` as a browser writes it in `Origin`: lower case, no default port (RFC 6454 §6.2)."""
    cure = "write scheme, host and at most a port, for example https://portal.example.org."
    require(is_plain(url) and " " not in url and "\\" not in url, setting, url, cure)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        refuse(setting, url, cure)
    require(parts.scheme in _DEFAULT_PORTS, setting, url, f"the scheme must be https or http; {cure}")
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    require(bare and not url.endswith(("?", "#")), setting, url, cure)
    host = (parts.hostname or "").lower()
    require(is_host(host), setting, url, f"the host is not a name or an address in ASCII; {cure}")
    written = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{written}{suffix}"


def host_of(url: str) -> str:
    """The host of a URL that `origin` has passed."""
    return urlsplit(url).hostname or ""


def network(text: str, setting: str) -> Network:
    """An address or a network. Everything (`/0`) is refused: trusting every peer is trusting every client."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError as why:
        raise SettingsError(
            f'{setting} = "{text}": {why}. Write an address or a network, for example "10.0.0.5" or "10.0.0.0/8".'
        ) from None
    # Security: with 0.0.0.0/0 every client may name itself (oauth2-proxy CVE-2026-76835).
    require(found.prefixlen > 0, setting, text, "this trusts every client. Name the proxies themselves.")
    return found


def path_of_ours(path: str, setting: str) -> None:
    """Refuse a path that is not written as it is judged: decoded, absolute, without dot or empty segments."""
    require(path.startswith("/"), setting, path, f'a path starts with "/". Write "/{path}".')
    require(
        "?" not in path and "#" not in path and "*" not in path,
        setting,
        path,
        'a path has no query and no wildcard. A path that ends in "/" covers everything below it.',
    )
    require(
        "%" not in path and "\\" not in path and ";" not in path and is_plain(path),
        setting,
        path,
        "write the path decoded, without %, backslash, semicolon or control character.",
    )
    segments = path[1:].removesuffix("/").split("/") if path != "/" else []
    require(
        all(segment not in ("", ".", "..") for segment in segments),
        setting,
        path,
        "take out empty, . and .. segments: such a path is refused before any rule is looked at.",
    )


def is_host(host: str) -> bool:
    """True for an address, or a name of lower-case ASCII letters, digits, dashes and dots."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return True
