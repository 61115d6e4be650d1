"""Writes the settings file that `mfa-gate init` leaves behind; it must not know where the file will be."""

import json
from pathlib import Path
from typing import Final, Literal

_SESSION_KEYS: Final = """\
cookie = {{cookie}}
# {what}, from the environment or a file of its own: never in this file.
secret = {{secret}}
# The key of the session that holds the account's name; "user.id" looks for id inside user.
field = {{field}}
# session_id_field = "sid"    # if the portal gives each sign-in an id of its own
"""
_SOURCES: Final = {
    "flask_session": _SESSION_KEYS.format(what="Flask's SECRET_KEY"),
    "starlette_session": _SESSION_KEYS.format(what="The secret_key of SessionMiddleware"),
    "remote_user": "# REMOTE_USER, as the WSGI server itself sets it.\n",
    "header": """\
# Set by a proxy in trusted_proxies, which blanks what a browser sends.
name = "X-Remote-User"
# groups_header = "X-Remote-Groups"
""",
}

_MAIL: Final = """\
# smtp = "smtp://mail.example.org:587"    # with STARTTLS; smtps:// is TLS from the start
# sender = "two-step@example.org"
# user = "mfa-gate"
# password = "env:MAIL_PASSWORD"
# domain = "example.org"    # where people get mail whose address the portal does not tell
# admins = "it-security@example.org"    # where administrators are told what happened, instead of each by name
# reports = "monthly"    # or "weekly": the numbers, and a link to the report, to the administrators
# dir = "mail"    # instead of all that: every mail becomes a file
"""

SourceName = Literal["flask_session", "starlette_session", "remote_user", "header"]


def default_toml(
    *,
    public_url: str = "http://localhost:8000",
    name: str = "Portal",
    accent: str = "#2f5bd8",
    logo: Path | None = None,
    help_text: str = "",
    source: SourceName = "flask_session",
    secret: str = "env:PORTAL_SECRET",  # noqa: S107 - a reference, not a secret
    cookie: str = "session",
    field: str = "user",
    store: str = "sqlite:store/mfa-gate.db",
    keys: Path = Path("mfa-gate.keys"),
    anchor: Path = Path("anchor/mfa-gate.anchor"),
    mail: Path | None = None,
    mail_domain: str = "",
    admins: tuple[str, ...] = ("admin",),
    help_desk: tuple[str, ...] = (),
    setup_code: bool = True,
) -> str:
    """A commented settings file; relative paths start at the folder in which it will be kept, in `store` too."""
    return _TEMPLATE.format(
        public_url=_quoted(public_url),
        name=_quoted(name),
        accent=_quoted(accent),
        logo='# logo = "logo.svg"' if logo is None else f"logo = {_quoted(str(logo))}",
        help_text=f"help_text = {_quoted(help_text)}" if help_text else '# help_text = "Call extension 100."',
        source=_quoted(source),
        source_keys=_SOURCES[source].format(
            secret=_quoted(secret), cookie=_quoted(cookie), field=_quoted(field)
        ),
        proxies='["127.0.0.1"]' if source == "header" else "[]",
        url=_quoted(store),
        keys=_quoted(str(keys)),
        anchor=_quoted(str(anchor)),
        mail=_MAIL if mail is None else f"dir = {_quoted(str(mail))}\ndomain = {_quoted(mail_domain)}\n",
        admins=_listed(admins),
        help_desk=_listed(help_desk),
        setup_code=str(setup_code).lower(),
    )


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string but for U+007F, which JSON leaves as it is.
    return json.dumps(text).replace("\x7f", "\\u007F")


def _listed(items: tuple[str, ...]) -> str:
    return f"[{', '.join(_quoted(item) for item in items)}]"


_TEMPLATE: Final = """\
# How this gate is wired. What the organization requires (the policy) is not here: it is kept in the store and
# changed on the pages under Admin, or with `mfa-gate policy set`.
#
# A value may also be "env:NAME" (an environment variable) or "file:PATH" (the content of a file). The variable
# MFA_GATE_PUBLIC_URL overrides public_url, MFA_GATE_STORE__URL overrides [store] url, and so on.
# Relative paths start at this file's folder. `mfa-gate check` says what is wrong.

# Where browsers reach the portal: the only base for links, cookies and redirects.
public_url = {public_url}
# tls = "in-front"    # allows http:// above where something in front of the gate ends TLS
# The gate's own pages.
mount = "/mfa"
# "observe" refuses nothing for the second step and records what it would have refused.
mode = "enforce"

# Shown on pages, in authenticator apps and mails.
name = {name}
accent = {accent}
{logo}
{help_text}
# help_url = "https://intranet.example.org/two-step"

# Proxies whose forwarded headers are believed. Empty: none.
trusted_proxies = {proxies}

[portal]
# The first rule that fits decides; what no rule names needs a user who has passed two-step.
# A path that ends in "/" covers everything below it, any other is that one path.
rules = [
    {{ kind = "sign_in", path = "/login" }},      # open to strangers
    {{ kind = "sign_out", path = "/logout" }},    # open, and ends the gate's session
    {{ kind = "public", path = "/static/" }},     # open to everybody, without the portal's credentials
    # {{ kind = "step_up", path = "/admin/", max_age = 300 }},    # a code not older than five minutes
]
sign_in_url = "/login?next={{next}}"
# Whatever else the portal takes as proof of a user, beside Authorization and the source below.
credentials = []    # "cookie:remember_token", "header:X-Api-Key", "query:token"

# From here the gate learns who is signed in to the portal: flask_session, starlette_session, remote_user or header.
[[identity]]
source = {source}
{source_keys}
# How mobile and desktop clients are told from browsers: by a header, a path or a part of their User-Agent. They are
# never sent a page, only problem+json. The first entry that fits decides.
# [[clients]]
# kind = "mobile"    # or "desktop"
# user_agent = "ExampleMobile/"    # or header = "X-Example-Client" (and value = "mobile"), or path = "/api/mobile/"

# redis:// (rediss:// beyond this machine) where more than one process serves the portal; a URL with a password as
# "env:NAME". SQLite is one file, for the processes of one machine.
[store]
url = {url}

# Keep keys and anchor away from the store: who steals or rolls back the store must not have them.
[keys]
file = {keys}

[anchor]
path = {anchor}
# Each new anchor is sent there, too; whoever rolls back this machine does not reach it.
# syslog = "tls://log.example.org:6514"
# webhook = "https://hooks.example.org/mfa-gate"

# Every event of the audit trail is sent there, too, in order; what is away for a while gets the rest later.
# [audit]
# syslog = "tls://log.example.org:6514"    # or "unix:///dev/log"
# webhook = "https://hooks.example.org/mfa-gate-events"
# webhook_secret = "env:MFA_GATE_WEBHOOK_SECRET"
# archive = "/mnt/evidence/mfa-gate"    # what is older than archive_after_days (2192) is copied there, as files, …
# keep_days = 2192                       # … and what is older than this leaves the store then

[admin]
# Account names, or "group:NAME@portal" for a group that the source above reports.
admins = {admins}
help_desk = {help_desk}
# Whether their first enrollment needs a code that `mfa-gate admin-code` prints, and `mfa-gate init` for admins.
setup_code = {setup_code}

# Reminders, and notices of what was done to somebody's two-step.
[mail]
{mail}
# Where `mfa-gate users import` finds everybody, if it is given no file: a Python callable, or a database.
# [roster]
# callable = "portal.people:everybody"
# url = "env:ROSTER_URL"    # as SQLAlchemy names it; needs the extra "roster"
# query = "SELECT login AS subject, full_name AS name, mail AS email, enabled AS active FROM users"
"""
