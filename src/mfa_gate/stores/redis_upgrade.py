"""Decides how a Redis store of an earlier layout becomes one of this version's; it changes no record.

Every step may be taken twice, and by several processes at once: who is written meanwhile is put into the lists by
whoever writes. Workers of a version before must be stopped first, and are refused afterwards.
"""

from collections.abc import Iterator
from typing import Any, Final

from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG
from mfa_gate.stores.index import NEW, index_of
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_index import entries_of, size_of
from mfa_gate.stores.redis_keys import FIRST, GROUPS, SHARDS, key
from mfa_gate.stores.redis_records import Answers, pairs
from mfa_gate.stores.redis_scripts import PLACE, TALLY, Call

LAYOUT: Final = 4
"""The newest layout that this version understands. In a store stands the oldest that its keys need."""

_FIRST_LISTS: Final = (
    *(f"{kind}:{stands}" for kind in ("name", "email", "subject") for stands in ("inactive", "missing")),
    *(f"{kind}:{stands}" for kind in ("name", "email", "subject") for stands in ("paused", "enrolled")),
    "paused",
)
"""The sorted sets of layout 1."""
_SECOND_LISTS: Final = ("subjects:*", *(f"times:{stands}*" for stands in NEW))
"""The sorted sets of layouts 2 and 3 that are no more."""


def bring_up_to_date(server: Server, answers: Answers, layout: int) -> None:
    """Make what this version needs of a store that has an earlier layout."""
    if layout >= LAYOUT:
        return
    for shard in SHARDS:
        for part in server.scan("HSCAN", key(shard, "accounts"), count=500):
            _place_all(server, answers, shard, part)
        server.put_all([("UNLINK", *(key(shard, name) for name in _FIRST_LISTS))])
    for lists in _SECOND_LISTS:
        for part in server.scan("SCAN", match=f"mfa:*:{lists}"):
            server.put_all([("UNLINK", name) for name in part])
    for part in server.scan("SCAN", match="mfa:*:names:*"):
        _tally_all(server, [name.decode(errors="replace") for name in part])
    # The first shard says for all of them how far it has come, and so comes last.
    shards = [*(shard for shard in SHARDS if shard != FIRST), FIRST]
    for shard in shards:
        server.put_all([("HSET", key(shard, "shard"), "layout", LAYOUT)])


def _tally_all(server: Server, names: list[str]) -> None:
    """Write down the sizes of those of these sets that are the names of a group."""
    parted = ((name, *name.removeprefix("mfa:{").partition("}:")) for name in names)
    sized = ((name, shard, size_of(rest)) for name, shard, _, rest in parted)
    server.write_all(
        [Call(TALLY, (key(shard, GROUPS), name), (size,)) for name, shard, size in sized if size is not None]
    )


def _place_all(server: Server, answers: Answers, shard: str, part: Any) -> None:  # noqa: ANN401 - HSCAN's answer
    """Put some accounts of a shard into the lists; those that are changed meanwhile, as they are then."""
    documents = dict(part) if isinstance(part, dict) else pairs(part)
    documents.pop(ORG.encode(), None)
    while documents:
        ids = list(documents)
        heads = server.ask_all([("HMGET", key(shard, "heads"), *ids)])[0]
        calls = list(_calls(answers, shard, documents, dict(zip(ids, heads, strict=True))))
        done = server.write_all(calls)
        late = [str(call.args[0]) for call, was_done in zip(calls, done, strict=True) if not was_done]
        found = server.ask_all([("HMGET", key(shard, "accounts"), *late)])[0] if late else []
        documents = {
            account_id.encode(): document
            for account_id, document in zip(late, found, strict=True)
            if document is not None
        }


def _calls(
    answers: Answers, shard: str, documents: dict[bytes, bytes], heads: dict[bytes, bytes | None]
) -> Iterator[Call]:
    for field, document in documents.items():
        account_id = field.decode(errors="replace")
        try:
            account = answers.account(account_id, document, answers.register(account_id, heads[field]))
        except RecordCorrupt:
            continue  # whoever asks for this record is told; the others can be listed
        if account is not None:
            entries = entries_of(account_id, index_of(account))
            names = tuple(key(shard, name) for name, _ in entries)
            args = tuple(part for (_, member), score in entries.items() for part in (score, member))
            yield Call(PLACE, (key(shard, "accounts"), *names), (account_id, document, *args))
