"""How every command is called: where the settings are, who calls, how a mistake is told; it must not know a command."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mfa_gate.core.errors import MfaGateError
from mfa_gate.door import Door
from mfa_gate.keys import KeyRing
from mfa_gate.opening import open_store
from mfa_gate.settings import Settings
from mfa_gate.wiring import Sources, build_door, build_services

if TYPE_CHECKING:
    from mfa_gate.flows.administration import Administration
    from mfa_gate.flows.assistance import Assistance
    from mfa_gate.flows.exporting import Exporting
    from mfa_gate.flows.impact import Impacts
    from mfa_gate.flows.importing import Importing
    from mfa_gate.flows.people_export import PeopleExport
    from mfa_gate.flows.reminders import Reminders
    from mfa_gate.flows.reporting import Reporting
    from mfa_gate.flows.reports import Reports
    from mfa_gate.ports import Store
    from mfa_gate.web.services import Services

VARIABLE: Final = "MFA_GATE_SETTINGS"
DEFAULT_SETTINGS: Final = "mfa-gate.toml"

F = TypeVar("F", bound=Callable[..., Any])


class Group(click.Group):
    """Tells what went wrong in one sentence: a traceback is for our mistakes, not for the caller's."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours ends it with code 1."""
        try:
            return super().invoke(ctx)
        except MfaGateError as error:
            raise click.ClickException(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A gate as a command works on it."""

    settings: Settings
    store: "Store"
    door: Door
    administration: "Administration"
    assistance: "Assistance"
    exporting: "Exporting"
    reporting: "Reporting"
    reports: "Reports"
    services: "Services"
    people_export: "PeopleExport"
    impacts: "Impacts"
    reminders: "Reminders"
    importing: "Importing"
    now: int


class Invocation:
    """One call of the program; tests bring their own `sources`."""

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources()
        self.settings_path = Path(DEFAULT_SETTINGS)

    @property
    def now(self) -> int:
        """UTC seconds."""
        return int(self.sources.clock())

    def settings(self) -> Settings:
        """The settings of a command that reads no portal's cookie; raises `SettingsError`.

        The portal's secret may be missing: it is in the environment of the portal, seldom in that of a shell.
        """
        from mfa_gate.settings.reading import read_toml

        data = read_toml(self.settings_path)
        return self.settings_in(data)

    def settings_in(self, data: Mapping[str, object]) -> Settings:
        """The settings in `data`, as if it were the settings file.

        Without the password of the mail server, which is in the environment of the gate, too, there is no mail.
        """
        environ = dict(os.environ)
        if not _has_mail_password(data, environ):
            data = {name: value for name, value in data.items() if name != "mail"}
        for name in _portal_secrets(data):
            if not environ.get(name):
                # Never used to read a cookie; random, so that it would open none if it were.
                environ[name] = self.sources.random(32).hex()
        return Settings.from_mapping(data, self.settings_path.absolute().parent, environ)

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """The gate that the settings name; raises `SettingsError`, `KeysError` or `StoreUnavailable`."""
        settings = self.settings()
        keys = KeyRing.find(settings.keys.file, os.environ)
        store = open_store(settings, keys, self.sources)
        try:
            yield self.around(settings, keys, store)
        finally:
            store.close()

    def around(self, settings: Settings, keys: KeyRing, store: "Store") -> Opened:
        """The parts of a gate around a store that is open."""
        from mfa_gate.flows.committing import Committer

        door = build_door(settings, keys, store, self.sources)
        services = build_services(
            settings,
            keys,
            store,
            self.sources,
            checker=door.checker,
            committer=Committer(store, lambda _: None),
            places=door.places,
            timekeeper=door.timekeeper,
        )
        return Opened(
            settings=settings,
            store=store,
            door=door,
            administration=services.administration,
            assistance=services.assistance,
            exporting=services.exporting,
            reporting=services.reporting,
            reports=services.reports,
            services=services,
            people_export=services.people_export,
            impacts=services.impacts,
            reminders=services.reminders,
            importing=services.importing,
            now=self.now,
        )


pass_invocation = click.make_pass_decorator(Invocation)


def settings_option(command: F) -> F:
    """`--settings` after the command's own name, too."""
    return click.option(
        "--settings",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_take_settings,
        help=f"The settings file; otherwise {VARIABLE}, otherwise {DEFAULT_SETTINGS}.",
    )(command)


def _take_settings(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().obj.settings_path = value


json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
realm_option = click.option("--realm", help="Whose user; needed where the settings name several realms.")


reason_option = click.option("--reason", required=True, help="Why; it stands in the audit trail.")


def reason_of(text: str) -> str:
    """A reason as the trail keeps it. Raises `UsageError`."""
    from mfa_gate.flows.acting import clean_reason

    given = clean_reason(text)
    if given is None:
        raise click.UsageError("--reason wants 3 to 500 characters.")
    return given


def realm_in(settings: Settings, realm: str | None) -> str:
    """The realm that is meant. Raises `UsageError`: none of these, or several and none is named."""
    realms = tuple(dict.fromkeys(source.realm for source in settings.identity))
    known = ", ".join(realms)
    if realm is None and len(realms) > 1:
        raise click.UsageError(f"The settings name several realms ({known}). Say which by --realm.")
    if realm is not None and realm not in realms:
        raise click.UsageError(f'No source has the realm "{realm}". Known: {known}.')
    return realm or realms[0]


def subject_in(text: str) -> str:
    """The account name that somebody typed; raises `UsageError` if it can be none."""
    from mfa_gate.identity.claims import subject_from

    if subject_from(text) is None:
        raise click.UsageError("An account name has 1 to 255 visible characters.")
    return text


def os_user() -> str:
    """Who calls, as the operating system knows them; behind sudo both names.

    # Security: from the process, not from USER or LOGNAME, which anybody can set. SUDO_UID is believed of root alone.
    """
    name = _name_of(os.getuid())
    behind = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and behind.isdecimal():
        return f"{_name_of(int(behind))} as {name}"
    return name


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _portal_secrets(data: Mapping[str, object]) -> Iterator[str]:
    """Names of the environment variables in which the file says that a portal's secret is."""
    sources = data.get("identity")
    for source in sources if isinstance(sources, list) else ():
        found = [source.get("secret"), *_items(source.get("fallback_secrets"))]
        for reference in found if isinstance(source, dict) else ():
            if isinstance(reference, str) and reference.startswith("env:"):
                yield reference.removeprefix("env:")


def _has_mail_password(data: Mapping[str, object], environ: Mapping[str, str]) -> bool:
    """False if the file says that it is in a variable of the environment, and it is not."""
    mail = data.get("mail")
    reference = mail.get("password") if isinstance(mail, dict) else None
    if not isinstance(reference, str) or not reference.startswith("env:"):
        return True
    return any(environ.get(name) for name in (reference.removeprefix("env:"), "MFA_GATE_MAIL__PASSWORD"))


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
