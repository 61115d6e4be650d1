"""How one event of the audit trail is shown; it must not know which events were asked for."""

from mfa_gate.cli.output import moment
from mfa_gate.core.events import Actor
from mfa_gate.ports import Recorded

COLUMNS = ("AT (UTC)", "EVENT", "USER", "BY", "DETAILS")


def event_row(recorded: Recorded) -> tuple[str, ...]:
    """Cells below `COLUMNS`."""
    event = recorded.event
    details = ", ".join(f"{name}={value}" for name, value in event.details.items())
    return moment(event.at), event.kind, event.subject, _by(event.actor), details


def event_as_json(recorded: Recorded) -> dict[str, object]:
    """The event as it is chained, its position, and its link in hex."""
    event = recorded.event
    return {
        "position": recorded.position,
        "kind": event.kind,
        "account_id": event.account_id,
        "subject": event.subject,
        "at": event.at,
        "actor": event.actor,
        "details": event.details,
        "link": recorded.link.hex(),
    }


def _by(actor: Actor) -> str:
    return f"{actor.shown} from {actor.address}" if actor.address else actor.shown
