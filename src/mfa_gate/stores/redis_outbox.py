"""Decides how runs of reminders and their results lie in a Redis store; they are all on the first shard."""

from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.errors import RecordCorrupt, StaleState
from mfa_gate.core.reminders import OUTCOMES, Outcome, ReminderRun, Result
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, key
from mfa_gate.stores.redis_records import pairs, versioned
from mfa_gate.stores.redis_scripts import RUN, Call

OPEN: Final = key(FIRST, "runs", "open")
FINISHED: Final = key(FIRST, "runs", "finished")


class Outbox:
    """The runs of one store."""

    def __init__(self, server: Server, documents: Documents) -> None:
        self._server = server
        self._documents = documents

    def runs(self, *, open_only: bool) -> tuple[ReminderRun, ...]:
        """Those that still have something to do, or all; oldest first."""
        names = (OPEN,) if open_only else (OPEN, FINISHED)
        found = [
            self._read(run_id.decode(errors="replace"), value)
            for part in self._server.ask_all([("HGETALL", name) for name in names])
            for run_id, value in (part if isinstance(part, dict) else pairs(part)).items()
        ]
        return tuple(sorted(found, key=lambda run: (run.made_at, run.id)))

    def run(self, run_id: str) -> ReminderRun | None:
        """The run of this id."""
        value = self._value(run_id)
        return self._read(run_id, value) if value else None

    def save(self, changed: ReminderRun, results: tuple[Result, ...]) -> ReminderRun:
        """Write a run and add results. Raises `StaleState`."""
        value = self._value(changed.id)
        found = self._read(changed.id, value).version if value else 0
        if found != changed.version:
            raise StaleState(f"The run {changed.id} has version {found}, not {changed.version}.")
        written = replace(changed, version=changed.version + 1)
        sealed = b"%d:%b" % (written.version, self._documents.seal_run(written))
        added: list[bytes | int] = []
        for outcome in OUTCOMES:
            rows = [_row(each) for each in results if each.outcome == outcome]
            added += [len(rows), *rows]
        words = (changed.id, value, sealed, 1 if written.is_open else 2, *added)
        if not self._server.write(Call(RUN, (OPEN, FINISHED, *_lists(changed.id)), words)):
            raise StaleState(f"Somebody else has changed the run {changed.id}.")
        return written

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Result, ...]:
        """The results of one outcome, but for the first `after`."""
        rows = self._server.ask("LRANGE", _list(run_id, outcome), after, after + limit - 1)
        return tuple(_result(outcome, row) for row in rows)

    def drop(self, run_id: str) -> None:
        """Forget a run and its results."""
        value = self._value(run_id)
        self._server.write(Call(RUN, (OPEN, FINISHED, *_lists(run_id)), (run_id, value, b"", 0)))

    def _value(self, run_id: str) -> bytes:
        found, finished = self._server.ask_all([("HGET", name, run_id) for name in (OPEN, FINISHED)])
        return found or finished or b""

    def _read(self, run_id: str, value: bytes) -> ReminderRun:
        version, sealed = versioned(value)
        return self._documents.run(run_id, version or 0, sealed or b"")


def _lists(run_id: str) -> tuple[str, ...]:
    return tuple(_list(run_id, outcome) for outcome in OUTCOMES)


def _list(run_id: str, outcome: Outcome) -> str:
    return key(FIRST, "results", run_id, outcome)


def _row(result: Result) -> bytes:
    return msgspec.json.encode((result.account_id, result.why))


def _result(outcome: Outcome, row: bytes) -> Result:
    try:
        account_id, why = msgspec.json.decode(row, type=tuple[str, str])
    except msgspec.MsgspecError as error:
        raise RecordCorrupt(f"A result of reminders cannot be read ({error}).") from error
    return Result(account_id=account_id, outcome=outcome, why=why)
