"""What an application is given: a gate made from settings, and the two ways to put it around a portal."""

import os
from typing import TYPE_CHECKING, Self

from mfa_gate.door import AsgiApp
from mfa_gate.process import PerProcess
from mfa_gate.settings import Settings
from mfa_gate.wiring import Sources

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from mfa_gate import asgi, wsgi


class Gate:
    """One gate. Raises `SettingsError` or `KeysError` at once; answers 503 as long as the store cannot be opened."""

    def __init__(self, settings: Settings, *, sources: Sources | None = None) -> None:
        self.settings = settings
        self.parts = PerProcess(settings, sources or Sources())

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """A gate from its settings file."""
        return cls(Settings.from_toml(path))

    def asgi(self, app: AsgiApp) -> "asgi.GateMiddleware":
        """The gate around any ASGI application."""
        from mfa_gate.asgi import GateMiddleware  # noqa: PLC0415 (whoever serves WSGI needs no anyio)

        return GateMiddleware(app, self)

    def wsgi(self, app: "WSGIApplication") -> "wsgi.GateMiddleware":
        """The gate around any WSGI application."""
        from mfa_gate.wsgi import GateMiddleware  # noqa: PLC0415

        return GateMiddleware(app, self)
