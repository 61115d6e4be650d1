"""What each page shows, as plain values; this module knows neither routes, words, HTML nor the account behind a page.

A route computes one of these records and hands it to the renderer, which picks the template by the record's type.
Times are UTC epoch seconds. Kinds are literals because the words for them belong to the templates, where they can be
translated. Each docstring names the forms that the page sends: method, path below the mount, fields. Every form also
sends `csrf`. Where to go afterwards is kept in a signed cookie; the verify page sends it as well, for several tabs.
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode

from markupsafe import Markup
from msgspec import Struct, field

from mfa_gate.core.clients import NativeKind

WayKind = Literal["totp", "webauthn"]
"""A way to confirm that can be set up. Recovery codes are not one: they stand in for it."""

CodeMethod = Literal["totp", "recovery_code"]
"""What the field **Code** asks for on the verify page."""

CodeProblem = Literal["missing", "wrong", "misplaced"]
"""Why a code was not taken: nothing usable was typed, or it did not match (wrong, used, expired, unknown alike).

`misplaced`: it has the form of a recovery code, but another was asked for; it was not looked at.
"""

UserStatus = Literal["enrolled", "missing", "grace", "exempt", "paused", "inactive"]
"""A person's standing, in the contract's words."""


class Chrome(Struct, frozen=True, kw_only=True):
    """What every page of one gate has around it; built once from the settings."""

    name: str
    """The portal's name, as people call it."""
    accent: str = "#2f5bd8"
    """`#rgb` or `#rrggbb`; the only color of the organization's own."""
    logo_url: str | None = None
    help_text: str | None = None
    help_url: str | None = None
    time_zone: str = "UTC"
    """IANA name of the zone in which the server writes times; a script turns them into the reader's own."""


class PageContext(Struct, frozen=True, kw_only=True):
    """What one request adds to a page, whatever the page is."""

    now: int
    mount: str = "/mfa"
    """Path of the mount as the browser sees it, the portal's root path included, without a last slash."""
    language: str = "en"
    """One of the languages that the renderer has; see `translations.choose_language`."""
    csrf: str = ""
    person: str | None = None
    """Name of whoever is signed in to the portal, `None` for a stranger."""
    role: Literal["admin", "help_desk"] | None = None
    """Which tab and bar of administration are shown. It hides links, it protects nothing."""
    portal_url: str = "/"
    """Path of the portal's front page as the browser sees it."""
    observing: bool = False
    """`mode = "observe"`: every admin page says that nothing is enforced."""

    def url(self, path: str = "", /, **query: str | int) -> str:
        """Absolute path of `path` below the mount, with `query` added."""
        base = f"{self.mount}/{quote(path, safe='/.-_~')}" if path else f"{self.mount}/"
        return f"{base}?{urlencode(query)}" if query else base


class Followed(Struct, frozen=True, kw_only=True):
    """What a page shows of long work. While that goes `on`, the page shows itself anew from time to time."""

    on: bool


class Pause(Struct, frozen=True, kw_only=True):
    """Too many wrong codes: until when this way is closed."""

    until: int | None
    """`None`: until another way or a reset opens it."""
    others_open: bool = False
    """Whether another way, such as a recovery code, still works."""


class Link(Struct, frozen=True, kw_only=True):
    """A link whose words are given, such as the page first asked for."""

    href: str
    text: str


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One audit event, ready to be told as a sentence (see `sentences.py`)."""

    at: int
    kind: str
    """The event's own name; one without a sentence is shown as it is."""
    actor: str | None = None
    """Who did it; `None` when it was the gate itself."""
    person: str | None = None
    """To whom; `None` for the organization, equal to `actor` for one's own account."""
    person_href: str | None = None
    where: str | None = None
    """Address and browser, if known."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """The event's details. `require_two_step` is `on` or `off`; see `sentences.py` for those that have words."""


class SetupWay(Struct, frozen=True, kw_only=True):
    """One card of the wizard's first step."""

    kind: WayKind
    recommended: bool = False


class SetupChoose(Struct, frozen=True, kw_only=True):
    """Wizard, step 1 of 3: choose how.

    * `POST setup/choose`: `how` (a `WayKind`), `setup_code` if `asks_setup_code`
    * `POST setup/later`, only if `may_wait`
    """

    ways: tuple[SetupWay, ...]
    required: bool = True
    """Whether the organization asks for it, or the person came by themselves."""
    deadline: int | None = None
    may_wait: bool = False
    asks_setup_code: bool = False
    """First enrollment of an administrator: the one-time code printed by `init` or `admin-code`."""
    setup_code_problem: CodeProblem | None = None
    pause: Pause | None = None
    replacing: bool = False
    """Whether an existing authenticator is being replaced."""
    for_admin: bool = False
    """Whether it is asked for by a page of administration."""
    confirms_for: str | None = None
    """The path of a page that asks to confirm once more, from which no exemption is."""


class SetupScan(Struct, frozen=True, kw_only=True):
    """Wizard, step 2 of 3: scan, and confirm with a first code.

    * `POST setup/confirm`: `code`
    * `POST setup/back`: to step 1, only if `may_go_back`
    """

    qr_svg: Markup
    """Trusted: made by us with segno (`omitsize`, no `style`), never from anything that a person typed."""
    key_groups: tuple[str, ...]
    """The secret in base32, in groups of four."""
    otpauth_uri: str
    problem: CodeProblem | None = None
    fresh_secret: bool = False
    """Whether the secret shown is a new one because the last one grew too old …"""
    tries_over: bool = False
    """… or because too many codes did not fit it."""
    pause: Pause | None = None
    may_go_back: bool = False
    other_ways: bool = False
    """Whether there is another way to choose, if one goes back."""


class SetupCodes(Struct, frozen=True, kw_only=True):
    """Wizard, step 3 of 3, and new codes from Account Settings: save the recovery codes.

    * `POST setup/codes.txt`: `codes` (the shown codes, one a line), answered as a download
    * `POST setup/saved`, or `POST account/recovery-codes/saved` when not `in_wizard`
    """

    codes: tuple[str, ...]
    in_wizard: bool = True


class SetupDone(Struct, frozen=True, kw_only=True):
    """Wizard finished; leads on by itself and as a link."""

    continue_url: str
    continue_text: str | None = None
    """What is found there, such as a path; `None` says the portal's name, and empty nothing."""


class Onward(Struct, frozen=True, kw_only=True):
    """A page that leads on at once, where a redirect after a form would be stopped by `form-action`."""

    continue_url: str


class Verify(Struct, frozen=True, kw_only=True):
    """Enter a code at sign-in or for step-up.

    * `POST verify`: `factor` (a `CodeMethod`), `code`, `remember` = `1` if ticked, `next`
    * links: `verify?factor=recovery_code` and `verify?factor=totp`
    """

    method: CodeMethod = "totp"
    other_methods: tuple[CodeMethod, ...] = ("recovery_code",)
    step_up_for: str | None = None
    """What asks again, such as `Patient archive` or a path; `None` at sign-in."""
    step_up: bool = False
    problem: CodeProblem | None = None
    pause: Pause | None = None
    stale: bool = False
    """Whether a code was sent from a page that had stood open for too long; it was not looked at."""
    next: str = ""
    """The portal's page that waits for this tab: several may wait at once. Judged again when it comes back."""
    remember_seconds: int = 0
    """Offer to remember this browser for so long; 0 where it is, or the policy does not allow it."""


class RecoveryCodeUsed(Struct, frozen=True, kw_only=True):
    """After a sign-in by recovery code: how many are left. Worth a stop at three or fewer."""

    left: int
    continue_url: str


class Way(Struct, frozen=True, kw_only=True):
    """One way to confirm in Account Settings or a profile."""

    id: str
    kind: WayKind
    name: str
    added_at: int
    last_used_at: int | None = None
    may_replace: bool = False
    may_remove: bool = False
    paused_until: int | None = None
    disabled: bool = False


class SessionLine(Struct, frozen=True, kw_only=True):
    """One browser or client that is signed in."""

    id: str
    browser: str
    """Such as `Firefox on Linux`; comes from the client and may be anything."""
    where: str | None = None
    started_at: int
    last_seen_at: int | None = None
    current: bool = False


class BrowserLine(Struct, frozen=True, kw_only=True):
    """One browser in which no code is asked for at sign-in."""

    id: str
    browser: str
    """Such as `Firefox on Linux`; empty where it is none that we know."""
    where: str | None = None
    remembered_at: int
    last_used_at: int | None = None
    until: int
    current: bool = False


class ClientLine(Struct, frozen=True, kw_only=True):
    """One registered mobile or desktop client."""

    id: str
    name: str
    """As it calls itself; may be anything, or empty."""
    kind: NativeKind
    where: str | None = None
    registered_at: int
    last_used_at: int | None = None
    until: int


AccountNotice = Literal[
    "set_up",
    "turned_off",
    "codes_made",
    "way_replaced",
    "way_removed",
    "session_ended",
    "sessions_ended",
    "browser_forgotten",
    "browsers_forgotten",
    "client_removed",
    "setup_cancelled",
]


class AccountSettings(Struct, frozen=True, kw_only=True):
    """Account Settings, tab Account.

    * `POST account/turn-off`: `code`, only if `may_turn_off`
    * `POST account/recovery-codes`, if `recovery_left` is not `None`
    * `POST account/replace` and `POST account/remove`: `way` (its id)
    * `POST account/sessions/end`: `session` (its id)
    * `POST account/sessions/end-others`
    * `POST account/browsers/forget`: `browser` (its id), `POST account/browsers/forget-all`
    * `POST account/clients/remove`: `client` (its id)
    * link: `setup`

    An act that needs a fresh code and has none is answered with `Confirm`; turning off has its field in place.
    """

    on: bool
    required: bool = False
    since: int | None = None
    required_from: int | None = None
    """Deadline of somebody who is still in grace."""
    exempt_until: int | None = None
    paused_until: int | None = None
    ways: tuple[Way, ...] = ()
    recovery_left: int | None = None
    recovery_total: int = 10
    sessions: tuple[SessionLine, ...] = ()
    browsers: tuple[BrowserLine, ...] = ()
    clients: tuple[ClientLine, ...] = ()
    may_turn_off: bool = False
    turn_off_problem: CodeProblem | None = None
    turn_off_pause: Pause | None = None
    notice: AccountNotice | None = None


ConfirmAct = Literal["new_codes", "replace_way", "remove_way", "end_session", "open_page"]


class Confirm(Struct, frozen=True, kw_only=True):
    """Confirm it's you: asks for a fresh code and sends the act again with it.

    * `POST` to `action`: `code` and every pair of `fields`
    """

    act: ConfirmAct
    action: str
    """Path below the mount."""
    fields: tuple[tuple[str, str], ...] = ()
    subject: str | None = None
    """What the act is about, such as a person's or a way's name."""
    back: str = "account"
    """Path below the mount of the page to return to."""
    problem: CodeProblem | None = None
    pause: Pause | None = None


MessageKind = Literal[
    "bad_request",
    "form_expired",
    "form_foreign",
    "elsewhere",
    "not_allowed",
    "not_found",
    "conflict",
    "paused",
    "too_large",
    "unavailable",
    "signed_out",
    "later",
]


class Message(Struct, frozen=True, kw_only=True):
    """A page that only says something: errors, and the end of a session."""

    kind: MessageKind
    retry_url: str | None = None
    """Where to try again, empty for the address in the browser; `None` offers the way back to the portal only."""
    paused_until: int | None = None
    links: tuple[Link, ...] = ()
    address: str | None = None
    """The portal's own address, where it was asked under another one."""
    detail: str | None = None
    """What exactly is wrong, in English: for whoever is asked for help."""
    sign_out_url: str | None = None
    """Where to sign out of the portal as well."""
    reference: str | None = None
    """What to tell the help desk, such as a request id."""


class SignInRequired(Struct, frozen=True, kw_only=True):
    """The portal must say who somebody is before the gate can ask for more."""

    sign_in_url: str | None = None
