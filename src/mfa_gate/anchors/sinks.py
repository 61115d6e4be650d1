"""Events of the trail as a syslog server or a webhook gets them; it must not know which were sent before."""

from typing import Final

import msgspec

from mfa_gate.anchors.syslog import Severity, SyslogServer, line
from mfa_gate.anchors.webhook import Webhook
from mfa_gate.core.checkpoints import Entry
from mfa_gate.core.events import Event, EventKind

_ALERTS: Final[frozenset[EventKind]] = frozenset(
    {"tampering_noticed", "break_glass_granted", "break_glass_used", "store_restored"}
)
_WARNINGS: Final[frozenset[EventKind]] = frozenset(
    {
        "code_rejected",
        "account_paused",
        "tried_while_paused",
        "guessing_noticed",
        "account_locked",
        "factor_disabled",
        "act_refused",
        "spelling_refused",
    }
)
_decode = msgspec.json.Decoder(Event).decode


class ToSyslog:
    """`flows.sinking.Sink`: each event is one line, its kind the message id, and its text JSON."""

    def __init__(self, server: SyslogServer, store_id: str) -> None:
        self._server = server
        self._store_id = store_id

    def send(self, shard: str, entries: tuple[Entry, ...], now: int) -> None:
        """Send events of one shard in their order. Raises `OSError`."""
        self._server.send([self._line(shard, entry, now) for entry in entries])

    def _line(self, shard: str, entry: Entry, now: int) -> bytes:
        said = _told(self._store_id, shard, entry)
        event = said["event"]
        if not isinstance(event, dict):
            return line(now, "unreadable", said, "alert")
        return line(event["at"], event["kind"], said, _severity(event["kind"]))


class ToWebhook:
    """`flows.sinking.Sink`: events are posted many at once, signed."""

    def __init__(self, webhook: Webhook, store_id: str) -> None:
        self._webhook = webhook
        self._store_id = store_id

    def send(self, shard: str, entries: tuple[Entry, ...], now: int) -> None:
        """Post events of one shard in their order. Raises `OSError`."""
        events = [_told(self._store_id, shard, entry) for entry in entries]
        name = f"{self._store_id}/{shard}/{entries[0].position}-{entries[-1].position}"
        self._webhook.post(msgspec.json.encode({"events": events}), name=name, at=now)


def _severity(kind: EventKind) -> Severity:
    return "alert" if kind in _ALERTS else "warning" if kind in _WARNINGS else "info"


def _told(store_id: str, shard: str, entry: Entry) -> dict[str, object]:
    """One event; `store`, `shard` and `position` name it for good, also if it is sent twice."""
    try:
        event: object = msgspec.to_builtins(_decode(entry.record))
    except (msgspec.MsgspecError, ValueError):
        event = entry.record.decode("ascii", "backslashreplace")
    return {
        "store": store_id,
        "shard": shard,
        "position": entry.position,
        "account": entry.account_id,
        "event": event,
        "link": entry.link.hex(),
    }
