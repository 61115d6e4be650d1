"""Which events of the trail a command is about, as options; it must not know what the command does with them."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import click
import msgspec

from mfa_gate.cli.invocation import realm_in, realm_option, subject_in
from mfa_gate.core.accounts import account_id
from mfa_gate.core.events import EventKind
from mfa_gate.flows.finding import Sought
from mfa_gate.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The options as they were given."""

    user: str | None
    realm: str | None
    kind: str | None
    since: int | None
    until: int | None

    def sought(self, settings: Settings) -> Sought:
        """The events that are meant. Raises `UsageError`."""
        whose = None
        if self.user is not None:
            whose = account_id(realm_in(settings, self.realm), subject_in(self.user))
        return Sought(account_id=whose, kind=self.kind, since=self.since, until=self.until)


class _Moment(click.ParamType[int]):
    """A day, or a day and a time, as UTC seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f'"{value}" is no time. Write 2026-05-03, or 2026-05-03T14:30 (UTC).', param, ctx)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def choosing(command: F) -> F:
    """Options that choose events; the command gets them as `chosen`."""

    @click.option("--user", help="Only the events of this account.")
    @realm_option
    @click.option(
        "--kind", type=click.Choice(get_args(EventKind)), metavar="KIND", help="Only events of this kind."
    )
    @click.option("--since", type=_Moment(), help="Only events of this day or time (UTC) or later.")
    @click.option("--until", type=_Moment(), help="Only events before this day or time (UTC).")
    @functools.wraps(command)
    def chosen(
        *args: Any,  # noqa: ANN401 -- what else the command takes
        user: str | None,
        realm: str | None,
        kind: str | None,
        since: int | None,
        until: int | None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        words = Chosen(user=user, realm=realm, kind=kind, since=since, until=until)
        return command(*args, chosen=words, **more)

    return chosen  # type: ignore[return-value]
