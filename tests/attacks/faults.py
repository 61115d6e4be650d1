"""What a store may do wrong: errors of every kind, and answers that are none, in the place of what its verbs do."""

import asyncio
import concurrent.futures
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mfa_gate.core.errors import KeysError, RecordCorrupt, SettingsError, StaleState, StoreUnavailable
from mfa_gate.core.policy import Policy
from mfa_gate.ports import Accounts, Directory, Facts, FactsReader, Page, Policies, Sessions, Traffic, Trail
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.sqlite import SqliteStore

STORES = (SqliteStore, RedisStore)

PORTS = (FactsReader, Accounts, Sessions, Policies, Directory, Traffic, Trail)
VERBS = tuple(sorted({name for port in PORTS for name in vars(port) if not name.startswith("_")}))
"""Everything that the gate can ask of a store."""

ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: StoreUnavailable("READONLY You can't write against a read only replica."),
    lambda: StoreUnavailable(
        "LOADING, OOM, MISCONF, NOAUTH, WRONGTYPE, NOSCRIPT, MOVED 1 a:1, ASK, CLUSTERDOWN"
    ),
    lambda: RecordCorrupt("It does not open."),
    lambda: StaleState("Somebody was quicker."),
    lambda: KeysError("No key of that id."),
    lambda: SettingsError("What is this?"),
    lambda: sqlite3.OperationalError("database is locked"),
    lambda: sqlite3.DatabaseError("database disk image is malformed"),
    TimeoutError,
    concurrent.futures.TimeoutError,
    concurrent.futures.CancelledError,
    lambda: ConnectionResetError("by peer"),
    lambda: BlockingIOError(11, "busy"),
    lambda: OSError(28, "No space left on device"),
    lambda: PermissionError(13, "denied"),
    MemoryError,
    RecursionError,
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    lambda: KeyError("account"),
    IndexError,
    lambda: AttributeError("None has no account"),
    lambda: TypeError("int is not a str"),
    ValueError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
    StopIteration,
    StopAsyncIteration,
    EOFError,
    lambda: Warning("late"),
    Exception,
    asyncio.CancelledError,
    GeneratorExit,
)


async def _late() -> None:
    """An answer that nobody awaits."""


# A policy that is off cannot be told from the true one by its looks; that no other opens is for the seal to see.
ODD: tuple[Callable[[], object], ...] = (
    lambda: None,
    lambda: "",
    lambda: "ok",
    lambda: b"",
    lambda: False,
    lambda: True,
    lambda: 0,
    lambda: 1,
    lambda: -1,
    dict,
    lambda: {"account": None, "session": None},
    lambda: (),
    lambda: [None],
    lambda: (None, None, None),
    object,
    lambda: NotImplemented,
    lambda: StoreUnavailable("returned, not raised"),
    lambda: Exception,
    lambda: Facts(account=None, session=None, policy_version=0),
    lambda: Facts(account=None, session=None, policy_version=10**9),
    lambda: Facts(account="alice", session=True, policy_version=1),  # type: ignore[arg-type]
    lambda: Policy(version=-1, require_two_step=True),
    lambda: Page(rows=(), first=None, next=None),
    lambda: iter(()),
    lambda: float("nan"),
)


class Fault:
    """One verb of every store that does something else. `asked`: how often it was asked meanwhile."""

    def __init__(self, verb: str, act: Callable[[], object]) -> None:
        self.verb = verb
        self.asked = 0
        self._act = act

    def __call__(self, *_: Any, **__: Any) -> object:  # noqa: ANN401
        self.asked += 1
        return self._act()


@contextmanager
def fault(verb: str, act: Callable[[], object]) -> Iterator[Fault]:
    """While it lasts, `verb` of every store answers what `act` answers, or raises what it raises."""
    found = Fault(verb, act)
    with pytest.MonkeyPatch.context() as patch:
        for store in STORES:
            patch.setattr(store, verb, lambda _, *args, **more: found(*args, **more))
        yield found


def raising(error: Callable[[], BaseException]) -> Callable[[], object]:
    """What raises this error, anew each time."""

    def act() -> object:
        raise error()

    return act
