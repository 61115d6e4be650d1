"""A shell on the server of a gate: runs commands in a folder of its own, under the test's own clock."""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from mfa_gate.cli import main
from mfa_gate.cli.invocation import Invocation, Opened
from mfa_gate.core.accounts import Account, Identity, Totp, account_id
from mfa_gate.core.events import Actor
from mfa_gate.core.transitions import enrolled, seen
from mfa_gate.ports import Change
from mfa_gate.wiring import Sources

NOW = 1_800_000_000
SECRET = "0123456789abcdef" * 2
REALM = "portal"


class Shell:
    """`now` is what its clock says; `environ` is what commands find in the environment beside the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "mfa-gate.toml"
        self.now = NOW
        self.environ: dict[str, str] = {"PORTAL_SECRET": SECRET}

    def __call__(self, *words: str, code: int = 0) -> Result:
        """Run a command; it must end with `code`, and never by an exception that nobody caught."""
        found = CliRunner().invoke(
            main, ["--settings", str(self.settings), *words], obj=self._invocation(), env=self.environ
        )
        assert isinstance(found.exception, SystemExit | None), found.exc_info
        assert found.exit_code == code, found.output
        return found

    def json(self, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever the command answers
        """The answer of a command in JSON."""
        return json.loads(self(*words, "--json", code=code).stdout)

    def edit(self, before: str, after: str) -> None:
        """Change the settings file."""
        text = self.settings.read_text("utf-8")
        assert before in text
        self.settings.write_text(text.replace(before, after), "utf-8")

    def visits(self, subject: str, **more: str | tuple[str, ...]) -> Account:
        """Somebody is seen at the portal for the first time."""
        with self.gate() as gate:
            identity = Identity(source="flask_session", realm=REALM, subject=subject, **more)  # type: ignore[arg-type]
            account, events = seen(gate.store.account(account_id(REALM, subject)), identity, self.now)
            return gate.store.commit(Change(account=account, events=events), self.now)

    def enrolls(self, subject: str) -> Account:
        """Somebody who was seen sets up two-step."""
        account = self.visits(subject)
        app = Totp(id="t1", name="Phone", secret=b"seed" * 5, added_at=self.now)
        actor = Actor(subject=subject, realm=REALM, surface="web", address="192.0.2.1")
        after, events = enrolled(account, app, (b"h1", b"h2"), actor, self.now)
        with self.gate() as gate:
            return gate.store.commit(Change(account=after, events=events), self.now)

    def account(self, subject: str) -> Account:
        """The record of somebody who was seen."""
        with self.gate() as gate:
            found = gate.store.account(account_id(REALM, subject))
        assert found is not None
        return found

    def keep(self, account: Account) -> Account:
        """Write a record as it is."""
        with self.gate() as gate:
            return gate.store.commit(Change(account=account), self.now)

    def gate(self) -> AbstractContextManager[Opened]:
        """The gate itself, opened as a command opens it."""
        invocation = self._invocation()
        invocation.settings_path = self.settings
        return invocation.opened()

    def sources(self) -> Sources:
        """The clock of this shell."""
        return Sources(clock=lambda: self.now, random=os.urandom)

    def _invocation(self) -> Invocation:
        return Invocation(self.sources())
