"""The portal's answers on their way out: cookies of our name taken out, kept from shared caches, long ones watched."""

import asyncio
from collections.abc import Awaitable
from functools import partial

import msgspec

from mfa_gate.core.decision import Visit
from mfa_gate.core.forwarding import sets_cookie_of
from mfa_gate.core.responses import LOOKED_AT, private
from mfa_gate.door import Door, Harmless, Message, Scope, Send
from mfa_gate.flows.recall import Basis
from mfa_gate.watch import LoopWatch, Stream, Task
from mfa_gate.web.threads import Threads


class Answers:
    """What all answers of one middleware and process have in common."""

    def __init__(self, door: Door, threads: Threads) -> None:
        self._door = door
        self._threads = threads
        self._watches: dict[asyncio.AbstractEventLoop, LoopWatch] = {}
        self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        """The one that runs here as far as is known: until Python 3.12 it takes a system call to ask for it.

        None once there are several at the same time, which makes `asyncio.current_task` ask.
        """
        self._plain: Harmless[bytes] = Harmless(lambda name: name.decode("latin-1").lower() in LOOKED_AT)
        self.plain = self._plain.names
        """Names of headers that need no look."""

    def cleaned(self, message: Message, visit: Visit) -> Message:
        """The portal's answer without cookies of our name, and kept out of shared caches on gated paths."""
        headers = message["headers"]
        if all(name in self.plain or self._plain.learn(name) for name, _ in headers):
            return message
        text = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        kept = tuple(
            (name, value)
            for name, value in text
            if name != "set-cookie" or not sets_cookie_of(value, self._door.forwarding.our_cookies)
        )
        cleaned = kept if visit.rule.kind == "public" else private(kept)
        return {**message, "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in cleaned]}

    def running_task(self) -> Task | None:
        """The task that runs now, for where `loop` has none."""
        if self.loop is not None:
            self.loop = asyncio.get_running_loop()
        return asyncio.current_task()

    def watched(self, basis: Basis, task: Task | None, *, is_socket: bool) -> Stream:
        """Watch a long answer that `task` makes."""
        loop = asyncio.get_running_loop()
        if task is None or task.get_loop() is not loop:
            self.loop, task = None, asyncio.current_task()
        watch = self._watches.get(loop)
        if watch is None:
            self._watches = {each: kept for each, kept in self._watches.items() if not each.is_closed()}
            watch = self._watches[loop] = LoopWatch(self._threads.run)
        still = partial(self._door.checker.again, basis.visit, basis.facts)
        stream = Stream(watch, still=still, task=task, is_socket=is_socket)
        watch.add(stream)
        return stream


class Answer(msgspec.Struct):
    """One answer. Made for every request, therefore as little as it can be."""

    scope: Scope
    """What goes on to the portal."""
    pass_on: Send
    answers: Answers
    basis: Basis
    task: Task | None
    """The task that does the portal's work, from which another may send."""
    stream: Stream | None = None
    """Once it is a long one."""

    def send(self, message: Message) -> Awaitable[None]:
        """ASGI's `send` for the portal."""
        if self.stream is not None:
            self.stream.notice(message)
        if "headers" in message:
            plain = self.answers.plain
            for name, _ in message["headers"]:
                if name not in plain:
                    message = self.answers.cleaned(message, self.basis.visit)
                    break
        elif message.get("more_body") and self.stream is None and self.basis.lasting:
            self.watch()
        return self.pass_on(message)

    def watch(self, *, is_socket: bool = False) -> None:
        """It is a long one; a socket is from its first moment."""
        self.stream = self.answers.watched(self.basis, self.task, is_socket=is_socket)
