"""Makes and keeps everything that a demo needs in one folder: settings, keys, store, anchor, mail, the portal's secret.

A second start finds what the first one left. Only the settings are written anew, as the options say.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from mfa_gate.cli.founding import found, make_folder, write_new
from mfa_gate.cli.invocation import os_user
from mfa_gate.core.errors import SettingsError
from mfa_gate.opening import store_exists
from mfa_gate.settings import Settings, default_toml
from mfa_gate.wiring import Sources

App = Literal["flask", "starlette"]

SECRET: Final = Path("portal/secret")
"""Below the demo's folder: with what the portal signs its cookies."""
_ACCENT: Final = "#0f6b6b"
_LOGO: Final = Path(__file__).resolve().parents[3] / "examples/hospital/static/icon.svg"
"""The example portal's own."""
_STORE: Final = "sqlite:store/mfa-gate.db"
_HEAD: Final = """\
# Written by `mfa-gate demo` at each start: what you change here is lost then. Copy it to try other settings.

"""
_STEP_UP: Final = re.compile(r"^ *# \{ kind = \"step_up\".*$", re.MULTILINE)
_ARCHIVE: Final = (
    '    { kind = "step_up", path = "/archive/", max_age = 300 },    # a code not older than five minutes'
)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo runs on."""

    settings_path: Path
    settings: Settings
    secret: str


def make_site(
    folder: Path, app: App, *, port: int, store_url: str | None, sources: Sources, environ: Mapping[str, str]
) -> Site:
    """Bring the folder in order. Raises `SettingsError`, `KeysError` or `StoreUnavailable`."""
    base = folder.absolute()
    make_folder(base / SECRET.parent)
    secret_file = base / SECRET
    if not secret_file.exists():
        write_new(secret_file, f"{sources.random(32).hex()}\n", mode=0o600)
    text = _settings_text(app, port, store_url)
    settings = Settings.from_mapping(tomllib.loads(text), base, environ)
    path = base / "mfa-gate.toml"
    _write(path, text)
    if not store_exists(settings):
        _, store = found(settings, sources, os_user())
        store.close()
    return Site(settings_path=path, settings=settings, secret=secret_file.read_text("utf-8").strip())


def _settings_text(app: App, port: int, store_url: str | None) -> str:
    text = default_toml(
        public_url=f"http://localhost:{port}",
        name="Example Files",
        accent=_ACCENT,
        logo=_LOGO,
        help_text="Need help? Call the help desk at extension 2200, day and night.",
        source="flask_session" if app == "flask" else "starlette_session",
        secret=f"file:{SECRET}",
        store=store_url or _STORE,
        keys=Path("keys/mfa-gate.keys"),
        anchor=Path("anchor/mfa-gate.anchor"),
        mail=Path("mail"),
        mail_domain="example.org",
        admins=("admin",),
        help_desk=("help",),
        setup_code=False,
    )
    return _HEAD + _STEP_UP.sub(_ARCHIVE, text)


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole: a command that reads it meanwhile sees the old one or the new one."""
    beside = path.with_suffix(".new")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f'"{path}" cannot be written: {error.strerror}.') from None
