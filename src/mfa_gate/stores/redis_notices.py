"""Decides how the queue of notices lies in a Redis store: one value on the first shard, whose last reader writes it."""

from typing import Final

from msgspec.structs import replace

from mfa_gate.core.errors import StaleState
from mfa_gate.core.notices import NoticeQueue
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, key
from mfa_gate.stores.redis_records import versioned
from mfa_gate.stores.redis_scripts import SWAP, Call

NOTICES: Final = key(FIRST, "notices")
QUEUE: Final = "queue"


class RedisNotices:
    """`ports.Notices` on one server."""

    def __init__(self, server: Server, documents: Documents) -> None:
        self._server = server
        self._documents = documents

    def queue(self) -> NoticeQueue:
        """The queue; one of version 0 if there never was any."""
        return self._read(self._server.ask("HGET", NOTICES, QUEUE))

    def save(self, queue: NoticeQueue) -> NoticeQueue:
        """Write the queue as version + 1, or raise `StaleState`."""
        value: bytes | None = self._server.ask("HGET", NOTICES, QUEUE)
        found = self._read(value).version
        written = replace(queue, version=queue.version + 1)
        sealed = b"%d:%b" % (written.version, self._documents.seal_notices(written))
        if found != queue.version or not self._server.write(
            Call(SWAP, (NOTICES,), (QUEUE, value or b"", sealed))
        ):
            raise StaleState(f"Somebody else has changed the queue of notices since version {queue.version}.")
        return written

    def _read(self, value: bytes | None) -> NoticeQueue:
        version, sealed = versioned(value)
        return NoticeQueue() if sealed is None else self._documents.notices(version or 0, sealed)
