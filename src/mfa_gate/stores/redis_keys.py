"""Decides how everything in a Redis store is named and where it lies; it must not know what is kept there.

`mfa:{s}:…`, where `s` is the shard: the first hex digit of the account's id. Everything of one account is in one
shard, hence in one hash slot, so that one script can read or change all of it on any node of a cluster.

    mfa:{s}:shard        hash    store, layout, stand (sealed: policy version, roster), ledger, removed (sealed: how
                                 much has left for the archive); on shard 0 also proof
    mfa:{s}:accounts     hash    account id → version:document; on shard 0 `org` → the policy
    mfa:{s}:heads        hash    account id → register, which holds the head of the account's chain
    mfa:{s}:bases        hash    account id → what its chain goes on from, once events of it have left
    mfa:{s}:last:<abc>   hash    account id → stream id of its newest event (a few in each takes less room)
    mfa:{s}:live:<id>    hash    s:<session key> and c:<challenge id> → expires:record; its TTL only collects garbage
    mfa:{s}:events       stream  the audit trail of the shard
    mfa:{s}:kind:<kind>  stream  the ids of the events of one kind
    mfa:{s}:names:<stands>, …:emails:…, …:logins:…, …:times:…, …:until:…  sorted sets for lists (`redis_index.py`)
    mfa:{s}:groups       hash    <stands>:<group> → how many of the group stand so
    mfa:{0}:policies     hash    version → version:document of each policy that there was
    mfa:{0}:traffic      hash; mfa:{0}:lease:<name>  hash
    mfa:{0}:jobs         hash    background job → record of when it was last done
    mfa:{0}:runs:open    hash    run of reminders → version:record; …:finished  those with nothing to do
    mfa:{0}:snapshots    hash    day → what was signed of how the organization stood
    mfa:{0}:notices      hash    queue → version:record of the notices that have not left
    mfa:{s}:staged:<import>  hash  account id → row of a roster; mfa:{0}:imports hash, import → begun at
    mfa:{0}:results:<run>:<outcome>  list  what came of each person
"""

from typing import Final

SHARDS: Final = "0123456789abcdef"
FIRST: Final = SHARDS[0]
"""The shard of the organization: policy, traffic, leases, reminders, notices."""

POLICIES: Final = "policies"
GROUPS: Final = "groups"

EARLIEST: Final = 1_767_225_600_000_000
"""1 January 2026, in microseconds: no stream id lies before it, so that positions are positive, and below 2^53 (what
JSON is sure to carry) until 2043."""
_SHARD_BITS: Final = 4


def shard_of(account_id: str) -> str:
    """Where an account is; whatever is no account's id has nothing anywhere."""
    first = account_id[:1]
    return first if first and first in SHARDS else FIRST


def key(shard: str, *words: str) -> str:
    """`mfa:{s}:words…`."""
    return f"mfa:{{{shard}}}:{':'.join(words)}"


def live_key(account_id: str) -> str:
    """What is alive of one account."""
    return key(shard_of(account_id), "live", account_id)


def last_key(account_id: str) -> str:
    """Where the newest event of one account is named."""
    return key(shard_of(account_id), "last", account_id[1:4])


def account_keys(account_id: str) -> tuple[str, ...]:
    """What `state.lua` reads of one account, in its order."""
    shard = shard_of(account_id)
    return (
        key(shard, "shard"),
        key(shard, "accounts"),
        key(shard, "heads"),
        last_key(account_id),
        live_key(account_id),
    )


def feed_channel(store_id: str) -> str:
    """Where every change is told. Channels belong to the whole server, so the store's id is in the name."""
    return f"mfa:feed:{store_id}"


def beat_channel(store_id: str, listener: int) -> str:
    """Where one listener hears itself."""
    return f"mfa:beat:{store_id}:{listener}"


def position_of(stream_id: bytes, shard: str) -> int:
    """The position of an event, unique in the store and rising with the server's clock.

    A stream id is a time in microseconds (and `-0`): later than the shard's last, also if the clock was set back.
    """
    microseconds = int(stream_id.partition(b"-")[0])
    return ((microseconds - EARLIEST) << _SHARD_BITS) | SHARDS.index(shard)


def stream_id_of(position: int) -> str:
    """The stream id of the event at a position."""
    return f"{(position >> _SHARD_BITS) + EARLIEST}-0"


def stream_id_before(position: int, shard: str) -> str:
    """The last stream id of a shard that can stand below a position."""
    microseconds, other = divmod(position, len(SHARDS))
    below = microseconds if SHARDS.index(shard) < other else microseconds - 1
    return str(max(0, below + EARLIEST))
