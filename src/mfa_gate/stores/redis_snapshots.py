"""Decides how the daily snapshots lie in a Redis store: a field each on the first shard, which is written once."""

from typing import Final

import msgspec

from mfa_gate.core.snapshots import SignedSnapshot
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, key
from mfa_gate.stores.redis_scripts import SWAP, Call

SNAPSHOTS: Final = key(FIRST, "snapshots")
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(tuple[bytes, str, bytes]).decode


class RedisSnapshots:
    """`ports.Snapshots` on one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def days(self) -> tuple[int, ...]:
        """The days of which there is one, oldest first."""
        return tuple(sorted(int(day) for day in self._server.ask("HKEYS", SNAPSHOTS) if day.isdigit()))

    def of(self, days: tuple[int, ...]) -> tuple[SignedSnapshot, ...]:
        """Those of these days, in their order."""
        found = self._server.ask("HMGET", SNAPSHOTS, *days) if days else []
        return tuple(_kept(day, value) for day, value in zip(days, found, strict=True) if value is not None)

    def add(self, snapshot: SignedSnapshot) -> bool:
        """Keep it; False if there is one of that day."""
        value = _write((snapshot.body, snapshot.key, snapshot.signature))
        return bool(self._server.write(Call(SWAP, (SNAPSHOTS,), (str(snapshot.day), b"", value))))


def _kept(day: int, value: bytes) -> SignedSnapshot:
    try:
        body, key_id, signature = _read(value)
    except msgspec.MsgspecError:
        # Nobody's signature fits what is no snapshot: whoever reads it tells that.
        body, key_id, signature = value, "", b""
    return SignedSnapshot(day=day, body=body, key=key_id, signature=signature)
