"""Decides how the events of a Redis shard are read in their order, many at once; it judges none of them."""

import struct
from collections.abc import Iterator
from typing import Final

from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import key
from mfa_gate.stores.redis_scripts import LINKS, Call

AT_ONCE: Final = 1000
_LENGTHS: Final = struct.Struct(">IIII")

Linked = tuple[bytes, str, bytes, bytes]
"""(stream id, account, record, link)."""


def links_between(server: Server, shard: str, begin: str, end: str, limit: int = AT_ONCE) -> list[Linked]:
    """The oldest events of a range of stream ids (as XRANGE has it), in order, at most `limit`."""
    return list(_unpacked(server.read(Call(LINKS, (key(shard, "events"),), (begin, end, limit)))))


def _unpacked(packed: bytes) -> Iterator[Linked]:
    at, end = 0, len(packed)
    while at < end:
        of_id, of_account, of_record, of_link = _LENGTHS.unpack_from(packed, at)
        at += _LENGTHS.size
        account = at + of_id
        record = account + of_account
        link = record + of_record
        following = link + of_link
        yield (
            packed[at:account],
            packed[account:record].decode(errors="replace"),
            packed[record:link],
            packed[link:following],
        )
        at = following
