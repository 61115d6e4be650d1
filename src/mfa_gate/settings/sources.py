"""Decides which identity sources can be configured and with what; it must not know how one reads a request."""

import re
from typing import Final, Literal

import msgspec

from mfa_gate.core.errors import SettingsError
from mfa_gate.settings.values import Secret, is_our_cookie, is_token, require

DAY: Final = 24 * 3600

_WEAK_SECRETS: Final = (
    "dev", "development", "secret", "secretkey", "supersecret", "supersecretkey", "mysecret", "mysecretkey",
    "changeme", "changethis", "replaceme", "password", "default", "test", "testing", "key", "flask", "starlette",
    "yoursecretkey", "yoursecretkeyhere", "thisissecret", "youwillneverguess", "notsosecret", "example",
)  # fmt: skip
_REALM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADER: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+){0,8}")
_FIXED_HEADERS: Final = frozenset(
    f"{prefix}{name}"
    for prefix, names in {
        "": "authorization connection cookie forwarded host origin referer te trailer upgrade",
        "content-": "encoding length type",
        "transfer-": "encoding",
        "x-forwarded-": "for host method port prefix proto server uri",
        "x-original-": "method uri url",
    }.items()
    for name in names.split()
)


class FlaskSession(msgspec.Struct, frozen=True, kw_only=True, tag_field="source", tag="flask_session"):
    """The session cookie of a Flask portal. A `field` may be dotted: `user.id` is `id` inside `user`."""

    secret: Secret
    """Flask's `SECRET_KEY`."""
    fallback_secrets: tuple[Secret, ...] = ()
    """Flask's `SECRET_KEY_FALLBACKS`."""
    cookie: str = "session"
    """Name of the portal's session cookie."""
    field: str
    """Where in the session the account name stands."""
    name_field: str = ""
    """Where the person's name stands, if it does."""
    email_field: str = ""
    """Where the mail address stands, if it does."""
    groups_field: str = ""
    """Where the groups stand, if they do: a list, or text with commas."""
    session_id_field: str = ""
    """Where an id of this sign-in stands, if it does: a new one then asks for a new code."""
    salt: str = "cookie-session"
    """The salt with which Flask signs; only a portal that changed it needs this."""
    max_age: int = 31 * DAY
    """Flask's `PERMANENT_SESSION_LIFETIME` in seconds."""
    realm: str = "portal"
    """The namespace of the people whom this source names."""
    case_insensitive: bool = False
    """Whether the portal takes account names in any case for the same person."""

    def __post_init__(self) -> None:
        _check_signed_cookie(self)
        for secret in self.fallback_secrets:
            _check_secret("flask_session", "fallback_secrets", secret)
        require(
            self.salt,
            _at("flask_session", "salt"),
            self.salt,
            'leave it out for Flask\'s own, "cookie-session".',
        )

    @property
    def source(self) -> Literal["flask_session"]:
        """The name by which the settings choose it."""
        return "flask_session"


class StarletteSession(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="source", tag="starlette_session"
):
    """The cookie of Starlette's `SessionMiddleware`. A `field` may be dotted: `user.id` is `id` inside `user`."""

    secret: Secret
    """`SessionMiddleware(secret_key=…)`."""
    cookie: str = "session"
    """Name of the portal's session cookie."""
    field: str
    """Where in the session the account name stands."""
    name_field: str = ""
    """Where the person's name stands, if it does."""
    email_field: str = ""
    """Where the mail address stands, if it does."""
    groups_field: str = ""
    """Where the groups stand, if they do: a list, or text with commas."""
    session_id_field: str = ""
    """Where an id of this sign-in stands, if it does: a new one then asks for a new code."""
    max_age: int = 14 * DAY
    """`SessionMiddleware(max_age=…)` in seconds; for `None`, which never ends, write a large number."""
    realm: str = "portal"
    """The namespace of the people whom this source names."""
    case_insensitive: bool = False
    """Whether the portal takes account names in any case for the same person."""

    def __post_init__(self) -> None:
        _check_signed_cookie(self)

    @property
    def source(self) -> Literal["starlette_session"]:
        """The name by which the settings choose it."""
        return "starlette_session"


class RemoteUser(msgspec.Struct, frozen=True, kw_only=True, tag_field="source", tag="remote_user"):
    """`REMOTE_USER` as the WSGI server itself set it; never a header."""

    realm: str = "portal"
    """The namespace of the people whom this source names."""
    case_insensitive: bool = False
    """Whether the portal takes account names in any case for the same person."""

    def __post_init__(self) -> None:
        _check_realm("remote_user", self.realm)

    @property
    def source(self) -> Literal["remote_user"]:
        """The name by which the settings choose it."""
        return "remote_user"


class HeaderUser(msgspec.Struct, frozen=True, kw_only=True, tag_field="source", tag="header"):
    """Headers that a proxy in `trusted_proxies` sets after it signed the user in. Groups are separated by commas."""

    name: str = "X-Remote-User"
    """The header with the account name."""
    name_header: str = ""
    """The header with the person's name, if there is one."""
    email_header: str = ""
    """The header with the mail address, if there is one."""
    groups_header: str = ""
    """The header with the groups, if there is one."""
    realm: str = "portal"
    """The namespace of the people whom this source names."""
    case_insensitive: bool = False
    """Whether the portal takes account names in any case for the same person."""

    def __post_init__(self) -> None:
        _check_realm("header", self.realm)
        _check_header("name", self.name)
        named = [("name_header", self.name_header), ("email_header", self.email_header)]
        named = [pair for pair in (*named, ("groups_header", self.groups_header)) if pair[1]]
        for key, value in named:
            _check_header(key, value)
        lowered = [value.lower() for _, value in (("name", self.name), *named)]
        require(
            len(set(lowered)) == len(lowered),
            _at("header", "name"),
            self.name,
            "two settings of this source name the same header. Give each its own.",
        )

    @property
    def source(self) -> Literal["header"]:
        """The name by which the settings choose it."""
        return "header"


SourceSettings = FlaskSession | StarletteSession | RemoteUser | HeaderUser


def _at(source: str, key: str) -> str:
    return f"[[identity]] {source}: {key}"


def _check_signed_cookie(settings: FlaskSession | StarletteSession) -> None:
    source = settings.source
    _check_realm(source, settings.realm)
    _check_secret(source, "secret", settings.secret)
    named = is_token(settings.cookie) and not is_our_cookie(settings.cookie)
    require(named, _at(source, "cookie"), settings.cookie, "write the name of the portal's own cookie.")
    require(
        settings.max_age > 0,
        _at(source, "max_age"),
        settings.max_age,
        "write seconds, as the portal's own setting does.",
    )
    require(
        settings.field,
        _at(source, "field"),
        settings.field,
        'name the session\'s key that holds the user, "user".',
    )
    for key in ("field", "name_field", "email_field", "groups_field", "session_id_field"):
        value: str = getattr(settings, key)
        require(
            not value or all(value.split(".")),
            _at(source, key),
            value,
            "names are separated by single dots, like user.id.",
        )


def _check_secret(source: str, key: str, secret: Secret) -> None:
    # Security: who guesses the portal's secret is anybody, in the portal and here. The value is never shown.
    value = secret.reveal()
    folded = "".join(char for char in value.decode("latin-1").lower() if char.isalnum())
    if folded in _WEAK_SECRETS or len(set(value)) == 1:
        why = "is a well-known default"
    elif len(value) < 16:
        why = f"has {len(value)} bytes"
    else:
        return
    raise SettingsError(
        f"{_at(source, key)} = (not shown): it {why}. Give the portal a random secret of at least 16 bytes, for "
        "example `openssl rand -hex 32`, and give the gate the same."
    )


def _check_realm(source: str, realm: str) -> None:
    require(
        _REALM.fullmatch(realm),
        _at(source, "realm"),
        realm,
        "a realm has 1 to 64 letters, digits, dots, dashes or underscores.",
    )


def _check_header(key: str, name: str) -> None:
    # Security: WSGI reads `X_Remote_User` and `X-Remote-User` as one (Django CVE-2015-0219).
    require(
        _HEADER.fullmatch(name),
        _at("header", key),
        name,
        "write a header's name alone, of letters, digits and at most 8 dashes, like X-Remote-User.",
    )
    reserved = name.lower() in _FIXED_HEADERS or name.lower().startswith(("mfa-gate-", "sec-"))
    require(
        not reserved, _at("header", key), name, "this header has another meaning. Let the proxy use its own."
    )
