"""Decides what a listener on a Redis server has heard, and whether it has missed anything; it drops nothing itself.

Redis hands the messages of a channel on in order, but loses what it cannot deliver. So each call sends itself a beat
through the connections that commits use: once the beat has come back, everything before it has come, too. A beat
that does not come back, also because commits go to another server by now, is a lost feed.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Final

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.stores.documents import EVERYTHING, POLICY
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, beat_channel, feed_channel, key
from mfa_gate.stores.redis_records import Answers, Stand
from mfa_gate.stores.redis_scripts import BEAT, Call

GATHER_SECONDS: Final = 0.02
"""How long to wait for more once there is news, so that a busy store is not asked for a beat with every change."""


class RedisFeed:
    """`ports.Feed` on one connection; for one thread, and of no use after an error."""

    def __init__(self, server: Server, answers: Answers, store_id: str) -> None:
        self._server = server
        self._answers = answers
        self._beats = 0
        self._stand: Stand | None = None
        self._open = ExitStack()
        self._pubsub, listener = self._open.enter_context(server.listening(feed_channel(store_id)))
        self._channel = beat_channel(store_id, listener)
        try:
            with server.explained():
                self._pubsub.subscribe(self._channel)
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_seconds: float) -> tuple[str, ...] | None:
        """Names of what changed since the last call; `()` is a sign of life without news."""
        try:
            names = self._until_beat()
            if not names:
                names = self._gathered(timeout_seconds)
        except BaseException:
            self.close()
            raise
        return tuple(dict.fromkeys(names))

    def wake(self) -> None:
        """Let a call that waits return: a beat that it did not ask for is news to it. A lost server wakes by itself."""
        with suppress(StoreUnavailable):
            self._beat(0)

    def close(self) -> None:
        """Let go of the connection."""
        self._open.close()

    def _until_beat(self) -> list[str]:
        self._beats += 1
        self._beat(self._beats)
        names: list[str] = []
        while True:
            message = self._next(self._server.timeout_seconds)
            if message is None:
                raise StoreUnavailable(
                    f"The store {self._server.address} told a change that nobody heard: its change feed is broken."
                )
            if message["channel"].decode() != self._channel:
                names += _names_in(message)
                continue
            number, _, stand = message["data"].partition(b":")
            if number != str(self._beats).encode():
                continue
            names += self._unheard(self._answers.stand(FIRST, stand or None))
            return names

    def _beat(self, number: int) -> None:
        self._server.write(Call(BEAT, (key(FIRST, "shard"),), (self._channel, number)))

    def _unheard(self, stand: Stand) -> Iterator[str]:
        """What was told in vain while we were not there, or by a worker that died on the way."""
        known = self._stand or stand
        if stand.policy > known.policy:
            yield POLICY
        if stand.roster.number > known.roster.number:
            yield EVERYTHING
        self._stand = Stand(
            max(known.policy, stand.policy), max(known.roster, stand.roster, key=lambda head: head.number)
        )

    def _gathered(self, timeout_seconds: float) -> list[str]:
        message = self._next(timeout_seconds)
        if message is not None:
            time.sleep(GATHER_SECONDS)
        names: list[str] = []
        while message is not None:
            names += _names_in(message)
            message = self._next(0)
        return names

    def _next(self, timeout_seconds: float) -> dict[str, Any] | None:
        """The next message, or None: nothing came in time."""
        with self._server.explained():
            message: dict[str, Any] | None = self._pubsub.get_message(timeout=timeout_seconds)
            while message is not None and message["type"] != "message":
                message = self._pubsub.get_message(timeout=timeout_seconds)
            return message


def _names_in(message: dict[str, Any]) -> list[str]:
    return [message["data"].decode(errors="replace")]
