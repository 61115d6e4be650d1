"""One process's parts as both middlewares use them; it chooses nothing and decides nothing."""

import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from msgspec.structs import asdict

from mfa_gate.core.addresses import TrustedProxies
from mfa_gate.core.clients import ClientKind, ClientRule, told_kind
from mfa_gate.core.decision import Allow, AllowStranger, AllowWithout, Outcome
from mfa_gate.core.forwarding import Forwarding
from mfa_gate.core.messages import GateRequest, GateResponse, Headers
from mfa_gate.core.responses import Places, respond
from mfa_gate.flows.checking import Checker, Verdict
from mfa_gate.flows.facts import FactsCache
from mfa_gate.flows.timekeeping import Timekeeper
from mfa_gate.flows.traffic import Unattributed

log = logging.getLogger("mfa_gate")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_KEY = "mfa_gate.request"
"""Where a door leaves the judged request for our own pages: in the ASGI scope, or in the WSGI environment."""
THREADS = 32
"""Threads in which an ASGI process asks the store; the portal's own are never used up."""


HARMLESS_NAMES = 1_000
"""Header names that a door remembers as harmless; more of them are looked at each time."""

Name = TypeVar("Name", str, bytes)


class Harmless(Generic[Name]):
    """Header names that were judged once and need no further look; a name that was never judged is not among them."""

    def __init__(self, is_special: Callable[[Name], bool]) -> None:
        self.names: set[Name] = set()
        self._is_special: Callable[[Name], bool] = is_special

    def learn(self, name: Name) -> bool:
        """Judge a name; True if it is harmless."""
        if self._is_special(name):
            return False
        if len(self.names) < HARMLESS_NAMES:
            self.names.add(name)
        return True


class Parts(Protocol):
    """One gate's parts in this process."""

    current: "Door | None"
    """The parts, once made; None as long as they are not, or the store could not be opened."""

    def door(self) -> "Door":
        """Make the parts if need be."""


class HasParts(Protocol):
    """A gate as its doors see it."""

    @property
    def parts(self) -> Parts:
        """What it is made of, process by process."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """What both middlewares need, in one process."""

    checker: Checker
    cache: FactsCache
    traffic: Unattributed
    forwarding: Forwarding
    places: Places
    trusted: TrustedProxies
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    timekeeper: Timekeeper
    query_matters: bool
    reads_remote_user: bool
    make_pages: Callable[[], AsgiApp]
    in_words: Callable[[GateResponse, GateRequest], GateResponse]
    """A refusal as a page, for a person."""
    clients: tuple[ClientRule, ...] = ()
    threads: int = THREADS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_ours(self, path: str) -> bool:
        """True for our own pages."""
        mount = self.places.mount
        return path == mount or path.startswith(f"{mount}/")

    def client(self, path: str, headers: Headers) -> ClientKind:
        """The kind of client that asks there with these headers."""
        return told_kind(self.clients, path, headers) if self.clients else "web"

    def answer(self, verdict: Verdict, request: GateRequest) -> GateResponse | None:
        """The gate's own answer, or None if the request goes on."""
        return respond(verdict.decision, request, self.places, int(self.clock()))

    def for_people(self, refused: GateResponse, request: GateRequest) -> GateResponse:
        """A refusal as a page if a browser navigates, else as it is. It may load templates: not for an event loop."""
        try:
            return self.in_words(refused, request)
        except Exception:
            log.exception("the page that tells of a refusal failed")
            return refused

    def passage(self, verdict: Verdict) -> tuple[Forwarding, bool]:
        """What is taken out of a request that goes on, and whether it goes on as a stranger's."""
        match verdict.decision:
            case AllowStranger():
                return self.forwarding, True
            case AllowWithout():
                return self.forwarding.only(verdict.unclaimed), True
            case _:
                return self.forwarding, False

    def told(self, verdict: Verdict) -> dict[str, object] | None:
        """What the portal is told of the visitor; None where nobody can be named."""
        match verdict.decision:
            case Allow(outcome=Outcome() as outcome):
                return asdict(outcome)
            case _:
                return None

    def pages(self) -> AsgiApp:
        """Our own pages, an ASGI app; made when first asked for."""
        with self._lock:
            return self._pages

    @cached_property
    def _pages(self) -> AsgiApp:
        return self.make_pages()
