"""Decides what a `redis://` or `rediss://` URL means; it must not know what is kept there."""

from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from mfa_gate.settings.values import Secret, is_host, is_loopback, is_plain, refuse, require

SCHEMES: Final = ("redis://", "rediss://")
LATER_SCHEMES: Final = ("redis+sentinel://", "redis+cluster://")

_SETTING: Final = "[store] url"
_FORM: Final = "write redis://[user:password@]host[:port][/number], or rediss:// for TLS."
_FILES: Final = {"ca": "ca_file", "cert": "cert_file", "key": "key_file"}


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Redis or Valkey server listens, and as whom the gate signs in there."""

    host: str
    port: int = 6379
    db: int = 0
    user: str = "default"
    password: Secret | None = None
    tls: bool = False
    ca_file: Path | None = None
    """What the server's certificate must be signed by; without it, by an authority that the system trusts."""
    cert_file: Path | None = None
    key_file: Path | None = None

    def __str__(self) -> str:
        """The address as it may be shown: without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.db}"

    @property
    def is_loopback(self) -> bool:
        """True if what is sent there never leaves this machine."""
        return is_loopback(self.host)


def redis_address(url: str) -> RedisAddress:
    """The address in a URL. Raises `SettingsError`, which never shows a password.

    `rediss://` takes `?ca=/path`, and `cert=/path&key=/path` where the server asks for a client's certificate.
    There is no way to say that the server's certificate need not be good.
    """
    shown = without_password(url)
    require(is_plain(url) and " " not in url and "\\" not in url, _SETTING, shown, _FORM)
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        refuse(_SETTING, shown, _FORM)
    require(f"{parts.scheme}://" in SCHEMES and port and not parts.fragment, _SETTING, shown, _FORM)
    host = (parts.hostname or "").lower()
    require(is_host(host), _SETTING, shown, f"the host is not a name or an address in ASCII; {_FORM}")
    user, password = _sign_in(parts, shown)
    return RedisAddress(
        host=host,
        port=port,
        db=_number(parts.path, shown),
        user=user,
        password=password,
        tls=parts.scheme == "rediss",
        **_files(parts, shown),
    )


def without_password(url: str) -> str:
    """A URL as an error may show it."""
    scheme, found, rest = url.partition("://")
    before, _, after = rest.rpartition("@")
    return f"{scheme}://…@{after}" if found and before else url


def _sign_in(parts: SplitResult, shown: str) -> tuple[str, Secret | None]:
    if "@" not in parts.netloc:
        return "default", None
    password = unquote(parts.password or "")
    cure = "an @ without a password. Write user:password@, or :password@ for the default user."
    require(password, _SETTING, shown, cure)
    return unquote(parts.username or "") or "default", Secret(password)


def _number(path: str, shown: str) -> int:
    text = path.removeprefix("/")
    cure = f"behind the host stands the number of a database. {_FORM}"
    require(not text or (text.isascii() and text.isdigit() and len(text) < 5), _SETTING, shown, cure)
    return int(text or 0)


def _files(parts: SplitResult, shown: str) -> dict[str, Path]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    cure = "only rediss:// has options, and they are ca, cert and key. Take out the others."
    known = parts.scheme == "rediss" and set(names) <= set(_FILES) and len(set(names)) == len(names)
    require(not parts.query or (pairs and known), _SETTING, shown, cure)
    for name, path in pairs:
        require(path.startswith("/"), _SETTING, shown, f"{name} is not an absolute path. Write {name}=/path.")
    alone = "a certificate is no use without its key. Write cert and key, or neither."
    require(("cert" in names) == ("key" in names), _SETTING, shown, alone)
    return {_FILES[name]: Path(path) for name, path in pairs}
