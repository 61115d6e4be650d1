"""Decides when what was read of an account may be believed, and commits onto exactly that; it knows no change.

Reading and committing take two round trips, since what was read or written last is remembered until the store says
otherwise.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import Event
from mfa_gate.stores.redis_commits import Planner, Writes
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import account_keys
from mfa_gate.stores.redis_records import Answer, Answers, Memory, Stored
from mfa_gate.stores.redis_scripts import READ, READ_EACH, Call

_ATTEMPTS: Final = 20
"""How often a commit is computed anew because others wrote events of the same account meanwhile."""

T = TypeVar("T")


class Accounts:
    """The accounts of one store, and the organization."""

    def __init__(self, server: Server, answers: Answers, planner: Planner) -> None:
        self._server = server
        self._answers = answers
        self._planner = planner
        self._memory = Memory()

    def ask(self, account_id: str, what: str, field: str = "") -> Answer:
        """What the script `read` says of an account, if it can be believed; one round trip."""
        answer = self._server.read(Call(READ, account_keys(account_id), (account_id, what, field)))
        return self._answers.about(account_id, answer)

    def read(self, account_id: str, session_field: str = "") -> Stored:
        """Everything of one account, for a commit, and the whole record of one session; one round trip."""
        answer = self._server.read(Call(READ, account_keys(account_id), (account_id, "times", session_field)))
        stored = self._answers.stored(account_id, answer)
        self._memory.put(stored)
        return stored

    def recall(self, account_id: str) -> Account | None:
        """The account as it was last read or written here."""
        remembered = self._memory.get(account_id)
        return None if remembered is None else remembered.account

    def refuse_unknown(self, account_id: str) -> None:
        """Raise `RecordCorrupt` for somebody who has no chain."""
        remembered = self._memory.get(account_id)
        if (remembered is None or remembered.register is None) and self.read(account_id).register is None:
            raise RecordCorrupt(f"There is no account {account_id} whose trail could go on.")

    def append(self, account_id: str, events: tuple[Event, ...]) -> None:
        """Add events to a chain that is there, and change nothing else."""
        self.write(account_id, lambda stored: (self._planner.events(stored, events), None))

    def write(self, account_id: str, plan: Callable[[Stored], tuple[Writes | None, T]]) -> T:
        """Write what `plan` makes of what is stored; None: nothing. Raises `StaleState` if `plan` does.

        One round trip if what is remembered is still stored, or nothing is remembered and `plan` changes nothing.
        """
        remembered = self._memory.get(account_id)
        stored = remembered or self.read(account_id)
        for _ in range(_ATTEMPTS):
            try:
                writes, answer = plan(stored)
            except StaleState:
                if stored is not remembered:
                    raise
                stored = self.read(account_id)
                continue
            if writes is None:
                if stored is not remembered:
                    return answer
                stored = self.read(account_id)
                continue
            now_stored = self._commit(stored, writes)
            if now_stored is None:
                return answer
            stored = now_stored
        raise StoreUnavailable(
            f"Others wrote events of account {account_id} at the same moment, {_ATTEMPTS} times in a row."
        )

    def write_each(
        self, account_ids: tuple[str, ...], plan: Callable[[Stored], Writes | None]
    ) -> tuple[str, ...]:
        """Write what `plan` makes of each of many accounts of one shard as they are stored now; two round trips.

        None: nothing. Ids of those for which it raised `StaleState`, or that somebody else has changed.
        """
        planned: list[tuple[Stored, Writes]] = []
        refused: list[str] = []
        for account_id, answer in zip(account_ids, self._read_each(account_ids), strict=True):
            stored = self._answers.stored(account_id, answer)
            self._memory.forget(account_id)
            with suppress(StaleState):
                if (writes := plan(stored)) is not None:
                    planned.append((stored, writes))
                continue
            refused.append(account_id)
        if not planned:
            return tuple(refused)
        written = self._answers.each(self._server.write(self._planner.call(planned)), len(planned))
        for (stored, writes), done in zip(planned, written, strict=True):
            if not self._is_written(writes, done):
                refused.append(stored.account_id)
        return tuple(refused)

    def _read_each(self, account_ids: tuple[str, ...]) -> list[Any]:
        keys = account_keys(account_ids[0])
        further = (key for account_id in account_ids[1:] for key in account_keys(account_id)[3:])
        answer = self._server.read(Call(READ_EACH, (*keys, *further), account_ids))
        return self._answers.each(answer, len(account_ids))

    def _is_written(self, writes: Writes, written: object) -> bool:
        """Whether a commit was done. Raises `StoreUnavailable` for an answer that is none, or not to this commit."""
        if not isinstance(written, list) or len(written) != 2:
            raise self._answers.senseless()
        done, told = written
        if done and told != writes.after.sealed_register:
            raise self._answers.mixed_up()
        return bool(done)

    def _commit(self, stored: Stored, writes: Writes) -> Stored | None:
        """Write onto what was read, or nothing: then, what is stored now."""
        # Until an answer comes it is not known what is stored.
        self._memory.forget(stored.account_id)
        (written,) = self._answers.each(self._server.write(self._planner.call([(stored, writes)])), 1)
        if not self._is_written(writes, written):
            return self._answers.stored(stored.account_id, written[1])
        self._memory.put(writes.after)
        return None
